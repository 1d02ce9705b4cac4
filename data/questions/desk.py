"""Questions of the desk itself: vital signs of the city, views that people keep."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from data import vitals as store
from data.incident_rows import ms
from data.questions.context import Answer, Ask, bounded
from data.saved_views import saved_views
from incidents.access import ANYWHERE, may
from incidents.desk_commands import SavedViews, VitalRecords, Vitals
from incidents.indicators import Value
from incidents.model import Rejected
from incidents.vitals import DOMAINS, FRESH_S, Vital, beyond

_UNMEASURED: Final = (Value(None, None, None), None)
_RIGHT_BEHIND: Final = {"metric": "device.see", "devices": "device.see", "incidents": "incident.list"}


def vitals(ask: Ask, query: Vitals) -> dict[str, Any]:
    """See Vitals: {domains: [{id, rows: [{id, name, value, …, state, trend: [[ms, value]]}]}]}.

    `state`: ok | off (target missed) | over (beyond the limit) | stale | nodata | none (nothing feeds it).
    """
    city = ask.database.query("SELECT code FROM areas WHERE level = 'city' ORDER BY path LIMIT 1")
    trends = store.trends(ask.database, city[0][0] if city else "", ask.now)
    since, newest = store.raised(ask.database), store.newest(ask.database)
    rows = [
        {
            **_row(ask, v, *newest.get(v.id, _UNMEASURED)),
            "trend": trends.get(v.id, []),
            "raised_at": ms(since.get(v.id)),
        }
        for v in store.vitals()
    ]
    return {"domains": [{"id": d, "rows": [r for r in rows if r["domain"] == d]} for d in DOMAINS]}


def _row(ask: Ask, v: Vital, value: Value, at: datetime | None) -> dict[str, Any]:
    late = at is not None and (ask.now - at).total_seconds() > v.window_min * 60 + FRESH_S
    missed = v.target is not None and value.value is not None and (
        value.value < v.target if v.direction == "up" else value.value > v.target
    )  # fmt: skip
    state = (
        "none" if v.source == "none"
        else "nodata" if value.value is None
        else "stale" if late
        else "over" if beyond(v, value.value)
        else "off" if missed
        else "ok"
    )  # fmt: skip
    return {
        "id": v.id, "domain": v.domain, "name": v.name, "name_en": v.name_en, "unit": v.unit,
        "unit_en": v.unit if v.unit_en is None else v.unit_en, "value": value.value,
        "numerator": value.numerator, "denominator": value.denominator, "target": v.target, "limit": v.limit,
        "level": v.level, "direction": v.direction, "formula": v.formula, "formula_en": v.formula_en,
        "source": v.source, "needs": v.needs, "needs_en": v.needs_en, "as_of": ms(at), "state": state,
        "limit_s": v.window_min * 60 + FRESH_S,
    }  # fmt: skip


def vital_records(ask: Ask, query: VitalRecords) -> dict[str, Any]:
    """See VitalRecords: {id, source, rows: [{id, name, area, value, at, counted}], withheld}."""
    v = store.vital(query.id)
    if v is None:
        raise Rejected("not_found", f"id={query.id[:60]!r}: no such vital sign", field="id")
    right = "audit.see" if v.of == "rights" else _RIGHT_BEHIND.get(v.source, "deadletter.see")
    if v.source != "none" and not may(ask.actor, right, ANYWHERE):
        return {"id": v.id, "source": v.source, "rows": [], "withheld": True}
    rows = store.records(ask.database, v, ask.now, bounded(query.limit, 1, 1000))
    rows = [{**row, "at": ms(row["at"])} for row in rows]
    return {"id": v.id, "source": v.source, "rows": rows, "withheld": False}


def views(ask: Ask, query: SavedViews) -> dict[str, Any]:
    """See SavedViews."""
    rows = saved_views(ask.database, query, ask.actor)
    return {"rows": rows, "total": len(rows)}


ANSWERS: Final[dict[type, Answer]] = {SavedViews: views, Vitals: vitals, VitalRecords: vital_records}
