"""Rules a decoded message must keep: time, place, names. What fails is Bad with reason, field, value and rule.

Times are compared with the broker's append time, not with this machine's clock, so that reading the same
stream again after a crash decides the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gis.cells import haversine_m
from gis.crs import TO_WGS84, to_wgs84
from incidents.gb28181 import is_code
from incidents.model import REPORT_CHANNELS
from streams.envelope import Bad, EnforcementCaseData, GridReportData, Message, Point, VideoAlarmData, finite

Located = tuple[str, str]
"""(cell code, area path)."""

EARLIEST = 946_684_800  # 2000-01-01: no sensor of a city dates from before; a clock at 1970 is a broken clock


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still accepted. Distances in metres; the centre in EPSG:4326 degrees. `*_s`: the same in seconds."""

    max_age: timedelta
    max_ahead: timedelta
    max_bytes: int
    centre_lon: float
    centre_lat: float
    max_distance_m: float
    max_age_s: float = field(init=False)
    max_ahead_s: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_age_s", self.max_age.total_seconds())
        object.__setattr__(self, "max_ahead_s", self.max_ahead.total_seconds())

    def window(self, appended_s: float, history: bool) -> tuple[float, float]:
        """Earliest and latest time (s since 1970) that a message appended at `appended_s` may carry."""
        latest = appended_s + self.max_ahead_s
        return (EARLIEST if history else max(EARLIEST, appended_s - self.max_age_s)), latest


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A checked place in EPSG:4326; `cell` '' when inside the city's reach but in no grid cell."""

    lon: float
    lat: float
    cell: str
    area_path: str


Locate = Callable[[float, float], Located | None]


def check_time(field: str, time: datetime, appended_s: float, limits: Limits, history: bool = False) -> float:
    """`time` in seconds since 1970. Raise Bad(too_old | in_future | bad_time) unless it is plausible at the moment of
    appending (`appended_s`, seconds since 1970)."""
    seconds = time.timestamp()
    earliest, latest = limits.window(appended_s, history)
    if earliest <= seconds <= latest:
        return seconds
    if seconds < EARLIEST:
        raise Bad("bad_time", field=field, found=time.isoformat(), rule="must not be before 2000-01-01")
    if seconds > latest:
        rule = f"at most {limits.max_ahead_s:g} s ahead of its arrival"
        raise Bad("in_future", field=field, found=time.isoformat(), rule=rule)
    rule = f"at most {limits.max_age_s / 3600:g} h before its arrival"
    raise Bad("too_old", field=field, found=time.isoformat(), rule=rule)


def check_place(point: Point, limits: Limits, locate: Locate, field: str = "data.point") -> Whereabouts:
    """Convert a point to EPSG:4326 and find its cell; raises Bad(unknown_crs | bad_point | outside_city)."""
    if point.crs not in TO_WGS84:
        raise Bad("unknown_crs", field=f"{field}.crs", found=point.crs, rule=f"one of {', '.join(TO_WGS84)}")
    for name, value, limit in (("lon", point.lon, 180), ("lat", point.lat, 90)):
        if not finite(value) or abs(value) > limit:
            raise Bad("bad_point", field=f"{field}.{name}", found=value, rule=f"between -{limit} and {limit}")
    lon, lat = (float(degrees) for degrees in to_wgs84(point.crs, point.lon, point.lat))
    found = locate(lon, lat)
    distance = float(haversine_m(lon, lat, limits.centre_lon, limits.centre_lat))
    # What a cell of the city holds is in the city, however far its registered reach goes.
    if found is None and distance > limits.max_distance_m:
        raise Bad(
            "outside_city",
            field=field,
            found=f"{point.lon},{point.lat}",
            rule=f"within {limits.max_distance_m / 1000:g} km of the city's centre, is {distance / 1000:.1f} km",
        )
    return Whereabouts(lon, lat, found[0] if found else "", found[1] if found else "")


def check_report(message: Message[GridReportData], classes: frozenset[str]) -> None:
    """Raise Bad(bad_channel | unknown_class | empty_text) unless the report's own words are usable."""
    data = message.data
    if data.channel not in REPORT_CHANNELS:
        raise Bad(
            "bad_channel",
            field="data.channel",
            found=data.channel,
            rule=f"one of {', '.join(REPORT_CHANNELS)}",
        )
    if data.class_ and data.class_ not in classes:
        raise Bad(
            "unknown_class", field="data.class", found=data.class_, rule="must be in the class catalogue"
        )
    if not data.text.strip() and not data.title.strip():
        raise Bad("empty_text", field="data.text", rule="text or title must say something")


def check_alarm(message: Message[VideoAlarmData], kinds: Any) -> None:
    """Raise Bad(bad_camera_code | unknown_kind) unless the alarm names a camera and a known kind."""
    data = message.data
    if not is_code(data.camera):
        raise Bad(
            "bad_camera_code",
            field="data.camera",
            found=data.camera,
            rule="20 digits (GB/T 28181): division, industry, type, network segment, serial",
        )
    if data.kind not in kinds:
        raise Bad("unknown_kind", field="data.kind", found=data.kind, rule="must be a known alarm kind")


def check_case(message: Message[EnforcementCaseData], appended_s: float, limits: Limits) -> None:
    """Raise Bad(empty_text | bad_time | in_future | half_reference) unless the case says which, whose and since when. However
    old it is: platforms hand over what has been open for years."""
    data = message.data
    for name, text in (("case", data.case), ("unit", data.unit), ("stage", data.stage)):
        if not text.strip():
            raise Bad("empty_text", field=f"data.{name}", found=text, rule="must say something")
    check_time("data.opened_at", data.opened_at, appended_s, limits, history=True)
    if data.closed_at is not None:
        check_time("data.closed_at", data.closed_at, appended_s, limits, history=True)
        if data.closed_at < data.opened_at:
            found, rule = data.closed_at.isoformat(), "must not be before data.opened_at"
            raise Bad("bad_time", field="data.closed_at", found=found, rule=rule)
    if bool(data.source.strip()) != bool(data.message.strip()):
        missing = "source" if data.message.strip() else "message"
        rule = "a report is named by its source and its id together"
        raise Bad("half_reference", field=f"data.{missing}", found="", rule=rule)
