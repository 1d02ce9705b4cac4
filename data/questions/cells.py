"""Questions about grid cells: what lies in one, and who answers for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from data.questions.context import Answer, Ask
from incidents.access import Thing, may
from incidents.cell_commands import CELL_DAYS, CellCard
from incidents.model import Rejected

_COUNTED: Final = (
    ("addresses", "SELECT count(*) FROM addresses WHERE cell = %(cell)s"),
    ("places", "SELECT count(*) FROM places WHERE cell = %(cell)s"),
    ("components", "SELECT count(*) FROM components WHERE cell = %(cell)s"),
    ("devices", "SELECT count(*) FROM devices WHERE cell = %(cell)s AND NOT disabled"),
    ("cameras", "SELECT count(*) FROM cameras WHERE cell = %(cell)s"),
    (
        "open",
        "SELECT count(*) FROM incidents WHERE area_path = %(path)s AND stage NOT IN ('closed', 'refused', 'void')",
    ),
    ("reported", "SELECT count(*) FROM incidents WHERE area_path = %(path)s AND reported_at >= %(since)s"),
    (
        "said",
        "SELECT count(*) FROM intake s JOIN incidents i ON i.id = s.incident_id WHERE i.area_path = %(path)s"
        " AND s.kind = 'report' AND s.received_at >= %(since)s",
    ),
)
"""地 addresses, places; 物 components, devices, cameras; 事 open, reported; 情 said: what people came to say of."""


def cell(ask: Ask, query: CellCard) -> dict[str, Any]:
    """See CellCard. Raises Rejected: neither code nor point, no such cell, another's area."""
    code = query.code.strip()
    if not code:
        if query.lon is None or query.lat is None:
            raise Rejected("field", "code: must be given, or lon and lat", field="code")
        code = ask.place_of(query.lon, query.lat).cell
        if not code:
            raise Rejected("not_found", f"lon={query.lon}, lat={query.lat}: lies in no cell", field="lon")
    rows = ask.database.query(
        "SELECT path, lon, lat FROM areas WHERE code = %s AND level = 'cell' AND NOT disabled", (code,)
    )
    if not rows:
        raise Rejected("not_found", f"code={code!r}: no such cell", field="code")
    path, lon, lat = rows[0]
    decision = may(ask.actor, "map.see", Thing(path))
    if not decision:
        raise Rejected("forbidden", f"map.see: {decision.reason}", field="code")
    trail = ask.database.dicts(
        "SELECT code, level, name, name_en FROM areas WHERE %s LIKE path || '%%' ORDER BY length(path)",
        (path,),
    )
    params = {"cell": code, "path": path, "since": ask.now - timedelta(days=CELL_DAYS)}
    counts: dict[str, int | None] = {"people": None}
    for name, sql in _COUNTED:
        counts[name] = ask.database.query(sql, params)[0][0]
    return {
        "code": code,
        "path": path,
        "lon": lon,
        "lat": lat,
        "areas": trail,
        "days": CELL_DAYS,
        "counts": counts,
        "responsible": _responsible(ask, path),
    }


def _responsible(ask: Ask, path: str) -> list[dict[str, Any]]:
    """The workers whose duty grid holds the cell; their names for who may see workers, else how many there are."""
    rows = ask.database.dicts(
        "SELECT a.login, a.name, a.on_duty, u.name AS unit_name FROM accounts a LEFT JOIN units u ON u.code = a.unit"
        " WHERE a.role = 'grid_worker' AND NOT a.disabled AND EXISTS (SELECT 1 FROM unnest(a.areas) area"
        " WHERE starts_with(%s, area)) ORDER BY a.login",
        (path,),
    )
    if may(ask.actor, "worker.see", Thing(path)):
        return rows
    return [
        {"login": "", "name": "", "on_duty": row["on_duty"], "unit_name": row["unit_name"]} for row in rows
    ]


ANSWERS: Final[dict[type, Answer]] = {CellCard: cell}
