"""The file of a camera (一机一档): what it must be, and who is within its share range. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from incidents import gb28181
from incidents.access import Decision, covers

SHARE_RANGES: Final = ("", "public_security", "district", "government")
"""'' nobody but its owner and who is named; public_security units of that kind; district whoever has an area in the
camera's district or above it; government everybody of the city's government."""
PUBLIC_SECURITY: Final = "公安"
"""The kind of unit that public_security means."""
PICTURE_STATES: Final = ("unknown", "good", "blurred", "blocked", "displaced", "lost")
STATUSES: Final = ("in_use", "repair", "retired")
MAX_RANGE_M: Final = 20_000.0
LONGEST_SHELF: Final = timedelta(days=30)
LONGEST_VIEW: Final = timedelta(hours=24)
SAMPLE_URL: Final = "sample:loop"
"""The address of the loop that ships with the product, for a city without a media server."""


@dataclass(frozen=True, slots=True)
class CameraFile:
    """Everything the registry holds of a camera. Degrees EPSG:4326 and clockwise from north, metres."""

    code: str
    name: str
    lon: float
    lat: float
    scene: str = ""
    sector: str = ""
    unit: str = ""
    share_range: str = ""
    share_units: tuple[str, ...] = ()
    share_areas: tuple[str, ...] = ()
    direction_deg: float | None = None
    view_deg: float | None = None
    range_m: float | None = None
    platform: str = ""
    gb_channel: str = ""
    hls_url: str = ""
    webrtc_url: str = ""
    picture_state: str = "unknown"
    status: str = "in_use"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a file: field, value, rule (in both languages)."""

    field: str
    found: str
    rule: str
    rule_zh: str

    def __str__(self) -> str:
        return f"{self.field}={self.found!r}: {self.rule}"


def faults(file: CameraFile) -> Iterator[Fault]:
    """What is wrong with a file by itself; units, areas and the city's reach are the store's to know."""
    try:
        gb28181.parse(file.code)
    except gb28181.BadCode as error:
        yield Fault("code", file.code, f"must be {error.rule} (GB/T 28181)", "须为 GB/T 28181 的 20 位编码")
    if file.gb_channel and not gb28181.is_code(file.gb_channel):
        yield Fault(
            "gb_channel", file.gb_channel, "must be 20 digits (GB/T 28181)", "须为 20 位数字（GB/T 28181）"
        )
    if not file.name.strip() or len(file.name) > 100:
        yield Fault("name", file.name, "must be 1 to 100 characters", "须为 1 至 100 字")
    for name, value, low, high in (
        ("lon", file.lon, -180.0, 180.0),
        ("lat", file.lat, -90.0, 90.0),
        ("direction_deg", file.direction_deg, 0.0, 360.0),
        ("view_deg", file.view_deg, 1.0, 360.0),
        ("range_m", file.range_m, 1.0, MAX_RANGE_M),
    ):
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            yield Fault(
                name, f"{value:g}", f"must be between {low:g} and {high:g}", f"须在 {low:g} 与 {high:g} 之间"
            )
    for name, word, known in (
        ("share_range", file.share_range, SHARE_RANGES),
        ("picture_state", file.picture_state, PICTURE_STATES),
        ("status", file.status, STATUSES),
    ):
        if word not in known:
            words = filter(None, known)
            yield Fault(name, word, f"must be one of {', '.join(words)}", "须为目录中的值")
    if file.hls_url != SAMPLE_URL:
        yield from _address("hls_url", file.hls_url, ("http", "https"))
    yield from _address("webrtc_url", file.webrtc_url, ("http", "https", "ws", "wss"))


def _address(name: str, url: str, schemes: tuple[str, ...]) -> Iterator[Fault]:
    if not url:
        return
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username or parts.password
    except ValueError as error:
        yield Fault(name, url, f"must be an address: {error}", "须为网址")
        return
    if parts.scheme not in schemes or not host or len(url) > 500 or any(c.isspace() for c in url):
        yield Fault(
            name,
            url,
            f"must be an address with {' or '.join(schemes)}, at most 500 characters",
            f"须为 {'、'.join(schemes)} 网址，最多 500 字",
        )
    elif user:
        yield Fault(
            name, f"{parts.scheme}://…@{host}", "must not carry a name or password", "不得带用户名或密码"
        )


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who wants to view, as far as the share range asks."""

    unit: str
    unit_kind: str
    areas: tuple[str, ...] = field(default_factory=tuple)


def within_share_range(
    viewer: Viewer,
    *,
    unit: str,
    area_path: str,
    share_range: str,
    share_units: tuple[str, ...] = (),
    share_areas: tuple[str, ...] = (),
) -> Decision:
    """Is the viewer within a camera's share range? The reason is for the log and the user."""
    if viewer.unit and viewer.unit == unit:
        return Decision(True, "owner")
    if viewer.unit and viewer.unit in share_units:
        return Decision(True, "unit named in the share range")
    if any(own.startswith(shared) for own in viewer.areas for shared in share_areas):
        return Decision(True, "area named in the share range")
    match share_range:
        case "government":
            return Decision(True, "shared with the whole government")
        case "district":
            district = "/".join(area_path.split("/")[:2]) + "/"
            if covers(viewer.areas, area_path) or any(own.startswith(district) for own in viewer.areas):
                return Decision(True, "shared with its district")
            return Decision(False, f"share range district: no area in or above {district}")
        case "public_security":
            if viewer.unit_kind == PUBLIC_SECURITY:
                return Decision(True, "shared with public security")
            return Decision(False, f"share range public_security: unit kind is {viewer.unit_kind or '-'}")
        case "":
            return Decision(False, "shared with nobody but its owner")
    return Decision(False, f"share range {share_range!r} is not known")
