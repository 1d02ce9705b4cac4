"""Open incidents as merging sees them: the port `Occurrences` in SQL, inside the caller's transaction (S11)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from data.database import Cursor, dicts
from gis.cells import EARTH_RADIUS_M, distance_m
from incidents.occurrence import Occurrence, Report, in_order
from incidents.text_likeness import plain
from incidents.triage import DEFAULT_LEVEL

_HELD: Final = (
    "SELECT DISTINCT s.incident_id FROM intake s JOIN incidents i ON i.id = s.incident_id"
    " WHERE i.stage NOT IN ('closed', 'refused', 'void')"
)
_NEAR: Final = (
    f"{_HELD} AND s.lat BETWEEN %s AND %s AND s.lon BETWEEN %s AND %s AND (%s::text IS NULL OR i.class_code = %s)"
    " AND s.time >= %s"
)
_ADDRESSED: Final = f"{_HELD} AND i.class_code = %s AND s.address = %s AND s.time >= %s"
OLDEST: Final = timedelta(days=60)
"""An occurrence lives shorter (`Reach.life_h`): older sources are not looked through."""
_SOURCES: Final = (
    "SELECT s.id, s.incident_id, s.time, s.lon, s.lat, s.class_code, s.text, s.title, s.address, s.reporter, s.channel,"
    " s.level, s.device, s.camera, s.homes, i.class_code AS kind, k.level AS class_level, i.apart FROM intake s"
    " JOIN incidents i ON i.id = s.incident_id LEFT JOIN LATERAL (SELECT level FROM event_classes"
    " WHERE code = i.class_code ORDER BY version DESC LIMIT 1) k ON true WHERE s.incident_id = ANY(%s) ORDER BY s.id"
)


def reporter_of(reporter: Mapping[str, Any], channel: str, device: str, camera: str) -> str:
    """Who can be told apart from others, without telling who it is: a hash of phone, else of name; a thing's own id. At a
    desk the account is of whoever typed it, and says nothing of who called."""
    if device or camera:
        return device or camera
    for name in ("phone", "name") if channel in ("desk", "hotline") else ("phone", "name", "account"):
        if value := str(reporter.get(name) or "").strip():
            return hashlib.blake2b(f"{name}:{value}".encode(), digest_size=12).hexdigest()
    return ""


def report_of(row: Mapping[str, Any]) -> Report:
    """A row of `_SOURCES`, or of intake with the same columns, as a report."""
    return Report(
        id=row["id"], at=row["time"], lon=row["lon"], lat=row["lat"], kind=row["class_code"],
        text=row["text"] or row["title"], address=row["address"],
        reporter=reporter_of(row["reporter"] or {}, row["channel"], row["device"], row["camera"]), channel=row["channel"],
        # Not the incident's level: voices have raised it, and would raise it again.
        level=row["level"] or row["class_level"] or DEFAULT_LEVEL,
    )  # fmt: skip


class StoredOccurrences:
    """`Occurrences` on an open transaction."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def whole(self, ids: Iterable[int]) -> dict[int, Occurrence]:
        """Id → occurrence, whatever its stage; without sources it is not there."""
        self._cursor.execute(_SOURCES, (list(ids),))
        rows = dicts(self._cursor)
        found: dict[int, list[dict[str, Any]]] = {}
        for row in rows:
            found.setdefault(row["incident_id"], []).append(row)
        return {
            id: Occurrence(
                id,
                sources[0]["kind"],
                in_order(report_of(row) for row in sources),
                frozenset(sources[0]["apart"]),
                {row["id"]: tuple(row["homes"]) for row in sources if row["homes"]},
            )
            for id, sources in sorted(found.items())
        }

    def candidates(
        self, lon: float, lat: float, reach_m: float, since: datetime, kind: str | None
    ) -> Sequence[Occurrence]:
        """See Occurrences."""
        high = math.degrees(reach_m / EARTH_RADIUS_M) * 1.001
        wide = high / max(math.cos(math.radians(lat)), 1e-6)
        self._cursor.execute(
            _NEAR, (lat - high, lat + high, lon - wide, lon + wide, kind, kind, since - OLDEST)
        )
        found = self.whole(row[0] for row in self._cursor.fetchall())
        return [
            o
            for o in found.values()
            if o.newest_at >= since
            and any(
                s.lon is not None and s.lat is not None and distance_m(lon, lat, s.lon, s.lat) <= reach_m
                for s in o.sources
            )
        ]

    def at_address(self, address: str, since: datetime, kind: str) -> Sequence[Occurrence]:
        """See Occurrences; an address written otherwise is another one here, as the index has it."""
        wanted = plain(address)
        if not wanted:
            return []
        self._cursor.execute(_ADDRESSED, (kind, address, since - OLDEST))
        found = self.whole(row[0] for row in self._cursor.fetchall())
        return [
            o
            for o in found.values()
            if o.newest_at >= since and any(plain(s.address) == wanted for s in o.sources)
        ]
