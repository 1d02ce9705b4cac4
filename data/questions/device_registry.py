"""Questions about the registry of devices: its entries with their health, its types, and who waits in quarantine."""

from __future__ import annotations

import json
from typing import Any, Final

from data.incident_rows import ms
from data.quarantine import TOPICS, kind_of
from data.questions.context import Answer, Ask, bounded, contains
from data.scope import area_scope, named
from incidents import commands as c
from incidents.device_registry import STATUSES
from incidents.health import STATES
from incidents.model import Rejected

SAMPLED: Final = 500
"""Unknown things listed, those with most messages first."""


def device_registry(ask: Ask, query: c.DeviceRegistry) -> dict[str, Any]:
    """See DeviceRegistry: {rows, total, health {state: n}}; health counts what the filters but `health` leave."""
    _one_of("status", query.status, STATUSES)
    _one_of("health", query.health, (*STATES, "due"))
    scope, params = named(area_scope(ask.actor, "d.area_path"))
    where = [scope]
    for name, column in (("type", "d.type"), ("status", "d.status"), ("unit", "d.unit")):
        if getattr(query, name):
            where.append(f"{column} = %({name})s")
    if query.area:
        where.append("d.area_path LIKE %(area)s")
    if query.text.strip():
        where.append(
            "(d.id ILIKE %(text)s OR d.name ILIKE %(text)s OR d.address ILIKE %(text)s OR d.owner ILIKE %(text)s"
            " OR EXISTS (SELECT 1 FROM composite_members m WHERE m.device = d.id AND m.composite ILIKE %(text)s))"
        )
    state = "CASE WHEN d.status = 'maintenance' THEN 'maintenance' WHEN d.status = 'retired' THEN 'retired'"
    state += " ELSE coalesce(h.state, 'unknown') END"
    rows = ask.database.dicts(
        "WITH found AS (SELECT d.id, d.type, t.name AS type_name, t.name_en AS type_name_en, d.name,"
        " coalesce(d.unit, '') AS unit, u.name AS unit_name, d.owner, d.address, d.lon, d.lat, d.cell,"
        " d.area_path AS area, (SELECT min(m.composite) FROM composite_members m WHERE m.device = d.id) AS pole,"
        " d.expected_period_s, d.critical, d.installed_on, d.calibration_due, d.status,"
        f" {state} AS health, h.score, coalesce(h.reasons, '[]') AS reasons, h.last_reported_at, h.clock_skew_s,"
        " coalesce(d.calibration_due < %(today)s, false) AS due FROM devices d JOIN device_types t ON t.id = d.type"
        " LEFT JOIN units u ON u.code = d.unit LEFT JOIN device_health h ON h.device_no = d.no"
        f" WHERE {' AND '.join(where)}),"
        " counts AS (SELECT jsonb_object_agg(health, n) AS counted FROM (SELECT health, count(*) AS n FROM found"
        " GROUP BY health) x)"
        " SELECT found.*, count(*) OVER () AS n, counts.counted FROM found, counts"
        " WHERE %(health)s = '' OR health = %(health)s OR (%(health)s = 'due' AND due)"
        " ORDER BY CASE health WHEN 'faulty' THEN 0 WHEN 'silent' THEN 1 WHEN 'unknown' THEN 2 ELSE 3 END, score,"
        " id LIMIT %(limit)s",
        {
            **params, "type": query.type, "status": query.status, "unit": query.unit,
            "area": contains(query.area)[1:], "text": contains(query.text.strip()), "health": query.health,
            "today": ask.now.date(), "limit": bounded(query.limit, 1, 20_000),
        },
    )  # fmt: skip
    counted = rows[0]["counted"] if rows else {}
    total = rows[0]["n"] if rows else 0
    for row in rows:
        row["last_reported_at"] = ms(row["last_reported_at"])
        del row["counted"], row["n"]
    return {"rows": rows, "total": total, "health": counted}


def _one_of(field: str, value: str, words: tuple[str, ...]) -> None:
    if value and value not in words:
        raise Rejected("field", f"{field}={value!r}: must be one of {', '.join(words)}", field=field)


def device_types(ask: Ask, query: c.DeviceTypes) -> dict[str, Any]:
    """See DeviceTypes."""
    rows = ask.database.dicts(
        "SELECT t.id, t.name, t.name_en, t.icon, t.period_s, coalesce((SELECT jsonb_agg(jsonb_build_object('id', m.id,"
        " 'name', m.name, 'name_en', m.name_en, 'unit', m.unit, 'low', m.low, 'high', m.high, 'stuck_periods',"
        " m.stuck_periods) ORDER BY m.no) FROM metrics m WHERE m.device_type = t.id), '[]') AS metrics,"
        " (SELECT count(*) FROM devices d WHERE d.type = t.id AND NOT d.disabled) AS devices"
        " FROM device_types t ORDER BY t.id"
    )
    return {"rows": rows, "total": len(rows)}


def quarantine(ask: Ask, query: c.Quarantine) -> dict[str, Any]:
    """See Quarantine: {rows: [{kind, thing, messages, since, last, feeds, metrics, types, registered, reason}], total,
    messages}. A sample's metric says whether it is declared; `types`: [{id, name, name_en}] of what declares them all."""
    _one_of("state", query.state, ("waiting", "rejected"))
    left = "h.released_at IS NULL" if query.state == "waiting" else "h.state = 'rejected'"
    rows = ask.database.dicts(
        "WITH found AS (SELECT topic = ANY(%(alarms)s) AS camera, coalesce(h.thing, h.key) AS thing, count(*) AS messages,"
        " min(h.received_at) AS since, max(h.received_at) AS last, array_agg(DISTINCT h.feed) AS feeds,"
        f" max(h.reason) AS reason, max(h.settled_by) AS settled_by FROM held h WHERE {left} GROUP BY 1, 2),"
        " worst AS (SELECT *, count(*) OVER () AS things, sum(messages) OVER () AS held_messages FROM found"
        " ORDER BY messages DESC, thing LIMIT %(limit)s)"
        " SELECT w.*, s.topic, s.value, EXISTS (SELECT 1 FROM devices d WHERE d.id = w.thing AND NOT d.disabled)"
        " OR EXISTS (SELECT 1 FROM cameras k WHERE k.code = w.thing) AS registered FROM worst w LEFT JOIN LATERAL"
        f" (SELECT topic, value FROM held h WHERE {left} AND (h.thing = w.thing OR (h.thing IS NULL AND h.key = w.thing))"
        ' AND (topic = ANY(%(alarms)s)) = w.camera ORDER BY h.received_at DESC, "offset" DESC LIMIT 1) s ON true'
        " ORDER BY w.messages DESC, w.thing",
        {"alarms": list(TOPICS["camera"]), "limit": SAMPLED},
    )
    declared = dict(ask.database.query("SELECT id, coalesce(device_type, '') FROM metrics"))
    names = {row["id"]: row for row in ask.database.dicts("SELECT id, name, name_en FROM device_types")}
    things = rows[0]["things"] if rows else 0
    messages = int(rows[0]["held_messages"]) if rows else 0
    return {"rows": [_waiting(row, declared, names) for row in rows], "total": things, "messages": messages}


def _waiting(row: dict[str, Any], declared: dict[str, str], names: dict[str, Any]) -> dict[str, Any]:
    sample = _sample(row["topic"], row["value"])
    types = {declared.get(metric["id"], "") for metric in sample}
    return {
        "kind": "camera" if row["camera"] else "device",
        **{
            name: row[name]
            for name in ("thing", "messages", "since", "last", "feeds", "reason", "settled_by")
        },
        "registered": row["registered"],
        "metrics": [{**metric, "declared": metric["id"] in declared} for metric in sample],
        "types": [names[kind] for kind in types if kind] if len(types) == 1 else [],
    }


def _sample(topic: str | None, value: Any) -> list[dict[str, Any]]:
    """Metrics and values of one held message, at most ten; none of an alarm."""
    if topic is None or kind_of(topic) != "device":
        return []
    try:
        readings = json.loads(bytes(value))["data"]["readings"]
        return [{"id": str(r["metric"]), "value": r["value"]} for r in readings[:10]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


ANSWERS: Final[dict[type, Answer]] = {
    c.DeviceRegistry: device_registry,
    c.DeviceTypes: device_types,
    c.Quarantine: quarantine,
}
