"""Closed incidents with the unit that handled them, as routing would be asked about them: for training and backtests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import cos, radians
from typing import Any, Final

from data.database import Cursor
from data.routing_store import COMPONENT_WITHIN_M, smallest
from gis.borders import METRES_PER_DEGREE
from incidents.backtest import Past
from incidents.dispatch_model import DEFAULT_UNCERTAINTY_M, Asked, Outcome
from incidents.responsibility import Rules

_PAST: Final = (
    "SELECT p.id, p.reported_at, p.title, p.text, p.class_code, p.lon, p.lat, p.area_path, p.unit, coalesce(c.owner_unit, ''), coalesce(c.area_path, ''), p.condition, p.precision_m FROM"
    " (SELECT i.id, i.reported_at, i.title, i.text, i.class_code, i.lon, i.lat, i.area_path, i.unit,"
    " coalesce(i.policy ->> 'condition', '') AS condition, (SELECT max((n.place_read ->> 'precision_m')::float8) FROM intake n"
    " WHERE n.incident_id = i.id AND n.place_read ->> 'status' = 'resolved' AND abs((n.place_read ->> 'lon')::float8 - i.lon) < 1e-6 AND abs((n.place_read ->> 'lat')::float8 - i.lat) < 1e-6)"
    " AS precision_m FROM incidents i WHERE i.stage = 'closed' AND i.unit <> ''"
    " AND i.merged_into IS NULL AND i.class_code <> '' AND i.reported_at >= %(begin)s AND i.reported_at < %(end)s"
    " ORDER BY i.reported_at DESC, i.id DESC LIMIT %(most)s) p"
    " LEFT JOIN LATERAL (SELECT owner_unit, area_path FROM components WHERE event_class = p.class_code"
    " AND lat BETWEEN p.lat - %(dlat)s AND p.lat + %(dlat)s AND lon BETWEEN p.lon - %(dlon)s AND p.lon + %(dlon)s"
    " ORDER BY ((lon - p.lon) * %(stretch)s) ^ 2 + (lat - p.lat) ^ 2 LIMIT 1) c ON true"
    " ORDER BY p.reported_at, p.id"
)


def read_past(
    cursor: Cursor, rules: Rules, begin: datetime, end: datetime, most: int, lat: float
) -> list[Past]:
    """The newest `most` closed incidents reported in a stretch of time, oldest first. `lat`: of the city, degrees."""
    stretch = cos(radians(lat))
    reach = COMPONENT_WITHIN_M / METRES_PER_DEGREE
    cursor.execute(
        _PAST,
        {
            "begin": begin,
            "end": end,
            "most": most,
            "dlat": reach,
            "dlon": reach / stretch,
            "stretch": stretch,
        },
    )
    return [_past(row, rules) for row in cursor.fetchall()]


def _past(row: Sequence[Any], rules: Rules) -> Past:
    id, at, title, text, class_code, lon, lat, path, unit, owner, registered, condition, read_m = row
    said = text if title in text else f"{title} {text}"
    uncertainty = max(DEFAULT_UNCERTAINTY_M, read_m or 0.0)
    asked = Asked(
        at, said, class_code, condition, lon, lat, owner=owner,
        registered_area=smallest(rules, registered) if registered else "", area=smallest(rules, path),
        uncertainty_m=uncertainty, road_class=rules.road_class_at(lon, lat, uncertainty),
    )  # fmt: skip
    return Past(id, Outcome(asked, unit))
