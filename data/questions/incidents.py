"""Questions about incidents: detail, lists, tasks, search, duplicates."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Final

from data.catalogue_import import standards_of
from data.database import Cursor, dicts
from data.incident_cases import cases_of
from data.incident_rows import COLUMNS, live_item, ms, to_incident
from data.questions.context import Answer, Ask, bounded, contains
from data.questions.incident_pages import grams_of, order_of, page, words_of
from data.questions.video import cameras_seeing
from data.scope import ASSISTS, incident_scope
from gis.cells import haversine_m
from incidents import commands as c
from incidents.access import ANYWHERE, Thing, may
from incidents.clocks import as_of
from incidents.indicators import WINDOW_DAYS
from incidents.lifecycle import allowed_actions, is_overdue
from incidents.model import Actor, Incident, Rejected, Stage
from incidents.possible import is_possible
from incidents.privacy import mask_name, mask_phone, mask_text, masked
from incidents.service import thing_of
from incidents.supervision import is_late

_FROM: Final = (
    " FROM incidents i LEFT JOIN units u ON u.code = i.unit LEFT JOIN accounts a ON a.login = i.worker"
)
SELECT: Final = f"SELECT i.id, {', '.join('i.' + name for name in COLUMNS)}, u.name, a.name{_FROM}"
OPEN: Final = "i.stage NOT IN ('closed', 'refused', 'void')"
OVERDUE: Final = f"({OPEN} AND coalesce(i.stage_due_at < %(now)s, false))"
"""`incidents.lifecycle.is_overdue` in SQL."""
RECENT: Final = f"%(now)s - interval '{WINDOW_DAYS} days'"

INDICATOR_RECORDS: Final = {
    ("open", "denominator"): OPEN,
    ("open", "numerator"): OPEN,
    ("overdue", "denominator"): OVERDUE,
    ("overdue", "numerator"): OVERDUE,
    ("on_time_closing", "denominator"): f"i.stage = 'closed' AND i.closed_at >= {RECENT}",
    ("on_time_closing", "numerator"): f"i.stage = 'closed' AND i.closed_at >= {RECENT} AND NOT i.overdue",
    ("first_dispatch", "denominator"): f"i.dispatched_at >= {RECENT}",
    ("first_dispatch", "numerator"): (
        f"i.dispatched_at >= {RECENT} AND i.returns = 0 AND i.first_unit = i.unit"
    ),
    ("median_handling", "denominator"): f"i.returned_result_at >= {RECENT}",
    ("median_handling", "numerator"): f"i.returned_result_at >= {RECENT}",
}
"""Which incidents are counted by an indicator; `data/indicators.py` counts by the very same words."""

COMMAND_OF: Final = {
    "accept": "incident.accept", "refuse": "incident.refuse", "consult": "incident.refuse",
    "dispatch": "incident.dispatch",
    "reassign": "incident.reassign", "take": "incident.take", "arrive": "incident.arrive",
    "handle": "incident.handle", "return": "incident.return", "pass_check": "incident.check",
    "fail_check": "incident.check", "close": "incident.close", "void": "incident.void",
    "acknowledge": "incident.acknowledge", "note": "incident.note", "ask_extension": "incident.ask",
    "ask_parking": "incident.ask", "grant_request": "incident.grant", "refuse_request": "incident.grant",
    "unpark": "incident.grant", "supervise": "incident.supervise", "sign_supervision": "incident.answer",
    "answer_supervision": "incident.answer", "end_supervision": "incident.supervise", "appeal": "incident.appeal",
    "ask_assist": "incident.dispatch", "take_assist": "incident.assist", "arrive_assist": "incident.assist",
    "answer_assist": "incident.assist", "release_assist": "incident.dispatch",
    "grant_appeal": "incident.decide_appeal", "refuse_appeal": "incident.decide_appeal",
    "call_back": "incident.call_back", "reopen": "incident.reopen",
}  # fmt: skip


def _item(row: tuple[Any, ...], now: datetime) -> dict[str, Any]:
    """The live item of a row of `SELECT`, and whether it is overdue `now` (a live item's clock runs on)."""
    *columns, unit_name, worker_name = row
    found = to_incident(columns)
    item = live_item(found, unit_name, worker_name)
    item["id"] = found.id
    item["overdue"] = is_overdue(found, now)
    return item


CAMERAS_SHOWN: Final = 5
"""Cameras that an incident names."""


def pressable(incident: Incident, actor: Actor) -> list[str]:
    """Life-cycle actions this actor may do now, in table order."""
    thing = thing_of(incident)
    found = []
    for action in allowed_actions(incident.stage):
        right = COMMAND_OF.get(action)
        if right is None or not may(actor, right, thing):
            continue
        if is_possible(incident, action, actor):
            found.append(action)
    return found


def incident(ask: Ask, query: c.IncidentDetail) -> dict[str, Any]:
    """See IncidentDetail."""
    with ask.database.transaction() as cursor:
        cursor.execute(f"{SELECT} WHERE i.id = %s", (query.id,))
        row = cursor.fetchone()
        if row is None:
            raise Rejected("not_found", f"id={query.id}: no such incident", field="id")
        found = to_incident(row[:-2])
        detail = _item(row, ask.now)
        cursor.execute(
            "SELECT seq, at, action, from_stage, to_stage, actor_name, role, channel, reason, detail, cause_id"
            " FROM timeline WHERE incident_id = %s ORDER BY seq",
            (query.id,),
        )
        detail["timeline"] = _with_names(cursor, dicts(cursor))
        cursor.execute(
            "SELECT kind, channel, source, message_id, device, camera, title, text, time, received_at, address,"
            " lon, lat, reporter, source_time, correlation_id, place_read FROM intake WHERE incident_id = %s ORDER BY id"
            " LIMIT 200",
            (query.id,),
        )
        sources = dicts(cursor)
        names = {str(source["reporter"].get("name") or "") for source in sources}
        detail["source_list"] = [_source(source) for source in sources]
        cursor.execute(
            "SELECT p.sha256, p.purpose, p.at, p.by_login, f.width, f.height FROM incident_photos p"
            " JOIN photos f USING (sha256) WHERE p.incident_id = %s"
            " OR p.incident_id IN (SELECT id FROM incidents WHERE merged_into = %s) ORDER BY p.at",
            (query.id, query.id),
        )
        detail["photos"] = dicts(cursor)
        cursor.execute(
            "SELECT id, kind, unit, worker, issued_at, issued_by, seen_at, ended_at, outcome FROM orders"
            " WHERE incident_id = %s ORDER BY id",
            (query.id,),
        )
        detail["orders"] = dicts(cursor)
        cursor.execute(
            "SELECT r.order_id, r.state, r.at, coalesce(a.name, r.login) AS name FROM order_receipts r"
            " JOIN orders o ON o.id = r.order_id LEFT JOIN accounts a ON a.login = r.login"
            " WHERE o.incident_id = %s ORDER BY r.at, r.state",
            (query.id,),
        )
        detail["receipts"] = dicts(cursor)
        cursor.execute(
            "SELECT name FROM areas WHERE path = ANY(%s) ORDER BY length(path)",
            (_prefixes(found.place.area_path),),
        )
        detail["area_names"] = [name for (name,) in cursor.fetchall()]
        cursor.execute("SELECT phone FROM units WHERE code = %s", (found.unit,))
        phone = cursor.fetchone()
        detail["unit_phone"] = phone[0] if phone else ""
        detail["assists"] = _assists(cursor, found)
        waits = found.stage is Stage.REPORTED
        standards = standards_of(cursor, found.class_code) if waits else []
        # Asked for where it decides the limit; elsewhere one press files it.
        detail["standards"] = (
            len(standards) if len({(s.limit_min, s.clock_kind) for s in standards}) > 1 else 0
        )
        detail["suggested"], detail["merged_from"] = _pairs(cursor, found, ask.actor)
        cursor.execute(
            "SELECT CASE end_how WHEN '' THEN 'waiting' ELSE end_how END, count(*) FROM replies"
            " WHERE incident_id = %s AND end_how <> 'withdrawn' AND version = (SELECT max(version) FROM replies"
            " WHERE incident_id = %s) GROUP BY 1",
            (query.id, query.id),
        )
        detail["replies"] = dict(cursor.fetchall())
        detail["cases"] = (
            cases_of(cursor, query.id, names) if may(ask.actor, "case.see", thing_of(found)) else []
        )
    detail["place_from"] = _place_from(found, detail["source_list"])
    policy = found.policy
    detail["text"] = found.text
    detail["cell"] = found.place.cell
    detail["policy"] = None if policy is None else {
        "class_code": policy.class_code, "class_version": policy.class_version, "limit_min": policy.limit_min,
        "clock_kind": str(policy.clock_kind), "needs_photo": policy.needs_photo, "standard": policy.standard,
        "condition": policy.condition, "closing": policy.closing,
    }  # fmt: skip
    detail["returns"], detail["reworks"] = found.returns, found.reworks
    detail |= _beside(found, ask.now)
    detail["needs_photo"] = bool(policy and policy.needs_photo)
    detail["actions"] = pressable(found, ask.actor)
    thing = thing_of(found)
    detail["may_unmask"] = bool(may(ask.actor, "person.unmask", thing))
    detail["cameras"] = _seeing(ask, found)
    hidden: dict[str, Any] = masked(detail, names)
    return hidden


def _place_from(found: Incident, sources: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the point was read from, while it is the one that was read: {address, precision_m, score, reasons}."""
    for source in sources:
        read = source["place_read"]
        if read and read["status"] == "resolved" and found.place.lon is not None:
            same = (round(read["lon"], 6), round(read["lat"], 6)) == (
                round(found.place.lon, 6), round(found.place.lat or 0.0, 6),
            )  # fmt: skip
            return {k: read[k] for k in ("address", "precision_m", "score", "reasons")} if same else None
    return None


_SUGGESTED: Final = (
    "SELECT i.id, i.number, i.title, i.stage, i.level, i.address, i.sources, i.area_path, i.unit, i.worker, i.reported_at,"
    " s.score, s.reasons FROM merge_suggestions s JOIN incidents i ON i.id = CASE WHEN s.incident_id = %(id)s"
    " THEN s.other_id ELSE s.incident_id END WHERE (s.incident_id = %(id)s OR s.other_id = %(id)s) AND s.answer = ''"
    " AND i.stage NOT IN ('closed', 'refused', 'void') ORDER BY s.score DESC, i.id LIMIT 5"
)
_MERGED: Final = "SELECT id, number, title, reported_at, area_path, unit, worker FROM incidents WHERE merged_into = %(id)s ORDER BY id"


def _pairs(
    cursor: Cursor, found: Incident, actor: Actor
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(open incidents that may be the same, incidents whose sources came here), as far as this actor may merge them."""
    answers = []
    for question in (_SUGGESTED, _MERGED):
        cursor.execute(question, {"id": found.id})
        rows = []
        for row in dicts(cursor):
            thing = Thing(row.pop("area_path"), row.pop("unit"), row.pop("worker"))
            if found.open and may(actor, "incident.merge", thing):
                hidden = {"title": mask_text(row["title"]), "reported_at": ms(row["reported_at"])}
                rows.append({**row, **hidden})
        answers.append(rows)
    return answers[0], answers[1]


_NAMED: Final = {"unit": "unit", "from_unit": "unit", "worker": "worker", "from_worker": "worker"}
"""Particulars of a step that are codes → what they are a code of."""


def _with_names(cursor: Cursor, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The timeline with the names of units and workers beside their codes, as they are called now."""
    told: dict[str, set[str]] = {"unit": set(), "worker": set()}
    for entry in entries:
        for field, kind in _NAMED.items():
            told[kind] |= {code for code in (entry["detail"].get(field),) if code}
    cursor.execute(
        "SELECT 'unit', code, name FROM units WHERE code = ANY(%s)"
        " UNION ALL SELECT 'worker', login, name FROM accounts WHERE login = ANY(%s)",
        (list(told["unit"]), list(told["worker"])),
    )
    names = {(kind, code): name for kind, code, name in cursor.fetchall()}
    for entry in entries:
        for field, kind in _NAMED.items():
            name = names.get((kind, entry["detail"].get(field)))
            if name:
                entry["detail"][f"{field}_name"] = name
    return entries


def _assists(cursor: Cursor, found: Incident) -> list[dict[str, Any]]:
    """协办: each unit with how far it is; times in ms."""
    if not found.assists:
        return []
    cursor.execute("SELECT code, name FROM units WHERE code = ANY(%s)", ([a.unit for a in found.assists],))
    names = dict(cursor.fetchall())
    return [
        {
            "unit": one.unit, "unit_name": names.get(one.unit, one.unit), "what": one.what, "answer": one.answer,
            "why": one.why, "open": one.open, "asked_at": ms(one.asked_at), "taken_at": ms(one.taken_at),
            "arrived_at": ms(one.arrived_at), "done_at": ms(one.done_at), "released_at": ms(one.released_at),
        }
        for one in found.assists
    ]  # fmt: skip


def _beside(found: Incident, now: datetime) -> dict[str, Any]:
    """What goes on beside the way; times in ms."""
    asked, clock, supervision, appeal = found.asked, found.clock, found.supervision, found.appeal
    runs = clock is not None and (clock.since is not None or clock.parked_until is not None)
    return {
        "asked": asked and {"kind": asked.kind, "reason": asked.reason, "at": ms(asked.at), "until": ms(asked.until)},
        "clock": clock and {"extensions": clock.extensions, "parked_until": ms(as_of(clock, now).parked_until)},
        "due_unknown": runs and found.handle_due_at is None,
        "supervision": supervision and {
            "level": supervision.level, "demand": supervision.demand, "at": ms(supervision.at),
            "due_at": ms(supervision.due_at), "signed_at": ms(supervision.signed_at), "answer": supervision.answer,
            "answered_at": ms(supervision.answered_at), "ended_at": ms(supervision.ended_at),
            "late": is_late(supervision, now),
        },
        "appeal": appeal and {
            "against": appeal.against, "reason": appeal.reason, "granted": appeal.granted, "why": appeal.why,
        },
        "satisfaction": found.satisfaction,
    }  # fmt: skip


def _seeing(ask: Ask, found: Incident) -> list[dict[str, Any]]:
    """The nearest cameras that can see the place, as far as this actor may know of cameras."""
    lon, lat = found.place.lon, found.place.lat
    if lon is None or lat is None or not may(ask.actor, "camera.see", ANYWHERE):
        return []
    rows: list[dict[str, Any]] = cameras_seeing(ask, c.CamerasSeeing(lon, lat, CAMERAS_SHOWN))["rows"]
    return rows


def _source(source: dict[str, Any]) -> dict[str, Any]:
    reporter = source.pop("reporter")
    source["reporter_name"] = mask_name(str(reporter.get("name") or ""))
    source["reporter_phone"] = mask_phone(str(reporter.get("phone") or ""))
    return source


def _prefixes(path: str) -> list[str]:
    parts = path.rstrip("/").split("/") if path else []
    return ["/".join(parts[: n + 1]) + "/" for n in range(len(parts))]


def _box(text: str) -> list[float]:
    """West, south, east, north in degrees. Raises Rejected(field)."""
    try:
        sides = [float(part) for part in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) != 4 or not all(map(isfinite, sides)):
        raise Rejected("field", f"bbox={text!r}: west,south,east,north in degrees", field="bbox")
    return sides


def _where(ask: Ask, query: c.IncidentList) -> tuple[str, dict[str, Any]]:
    scope, values = incident_scope(ask.actor)
    params: dict[str, Any] = {"now": ask.now}
    for number, value in enumerate(values):
        params[f"s{number}"] = value
        scope = scope.replace("%s", f"%(s{number})s", 1)
    parts = [scope]

    def add(sql: str, **more: Any) -> None:
        parts.append(sql)
        params.update(more)

    if query.of:
        records = INDICATOR_RECORDS.get((query.of, query.part))
        if records is None:
            raise Rejected("field", f"of={query.of!r}: has no incidents behind it", field="of")
        parts.append(records)
    elif query.scope == "open":
        parts.append(OPEN)
    elif query.scope == "closed":
        parts.append(f"NOT {OPEN}")
    elif query.scope != "all":
        raise Rejected("field", f"scope={query.scope!r}: open, closed or all", field="scope")
    stages = [s for s in query.stages.split(",") if s]
    unknown = [s for s in stages if s not in set(Stage)]
    if unknown:
        raise Rejected("field", f"stages={unknown[0]!r}: no such stage", field="stages")
    if stages:
        add("i.stage = ANY(%(stages)s)", stages=stages)
    if query.levels:
        levels = [int(x) for x in query.levels.split(",") if x.isdigit()]
        add("i.level = ANY(%(levels)s)", levels=levels)
    if query.class_code:
        add("i.class_code = %(class)s", **{"class": query.class_code})
    if query.unit:
        add("i.unit = %(unit)s", unit=query.unit)
    if query.area:
        # As the indicators count: an incident whose place is not resolved belongs to the whole city.
        whole = " OR i.area_path = ''" if query.area.count("/") == 1 else ""
        add(f"(i.area_path LIKE %(area)s{whole})", area=contains(query.area)[1:])
    if query.bbox:
        west, south, east, north = _box(query.bbox)
        add(
            "i.lon BETWEEN %(west)s AND %(east)s AND i.lat BETWEEN %(south)s AND %(north)s",
            west=west, south=south, east=east, north=north,
        )  # fmt: skip
    if query.since:
        add("i.reported_at >= %(since)s", since=query.since)
    if query.until:
        add("i.reported_at < %(until)s", until=query.until)
    if query.overdue is not None:
        parts.append(OVERDUE if query.overdue else f"NOT {OVERDUE}")
    return " AND ".join(parts), params


def incident_rows(
    ask: Ask, where: str, order: str, limit: int, params: dict[str, Any]
) -> list[dict[str, Any]]:
    """Incidents as list items. `where` and `order` are constants of the caller, values go through `params`."""
    rows = ask.database.query(
        f"{SELECT} WHERE {where} ORDER BY {order} LIMIT %(limit)s", {**params, "limit": limit}
    )
    return [_item(row, ask.now) for row in rows]


def incidents(ask: Ask, query: c.IncidentList) -> dict[str, Any]:
    """See IncidentList. Words are looked for in number, title, class, address and the names of unit and worker, as
    `passes` in layouts/assets/desk/list.mjs does."""
    where, params = _where(ask, query)
    with ask.database.transaction() as cursor:
        found = page(
            cursor, where, params, words_of(cursor, query.text), order_of(query.order), after=query.after,
            limit=bounded(query.limit, 1, 100_000), offset=query.offset, most=bounded(query.most, 1, 10_000_000),
            opened=query.scope == "open" and not query.of,
        )  # fmt: skip
        cursor.execute(f"{SELECT} WHERE i.id = ANY(%s)", (found.ids,))
        rows = {row[0]: row for row in cursor.fetchall()}
    return {
        "rows": [_item(rows[id], ask.now) for id in found.ids],
        "total": found.total, "capped": found.capped, "next": found.after,
    }  # fmt: skip


def my_tasks(ask: Ask, query: c.MyTasks) -> dict[str, Any]:
    """See MyTasks."""
    actor = ask.actor
    if not actor.unit:
        return {"rows": [], "total": 0}
    who, params = "i.unit = %s", [actor.unit]
    if actor.role == "grid_worker":
        who += " AND i.worker IN ('', %s)"
        params.append(actor.login)
    elif actor.role == "unit_handler":
        who = f"({who} OR {ASSISTS.format(alias='i')})"
        params.append(actor.unit)
    rows = ask.database.query(
        # Accepted: the lead has given it back, and who assists goes on.
        f"{SELECT} WHERE {who} AND i.stage IN ('accepted', 'dispatched', 'taken', 'on_site', 'handled')"
        " ORDER BY i.handle_due_at NULLS LAST, i.id LIMIT 200",
        params,
    )
    if actor.role == "grid_worker":
        # Orders to the unit without a name: only those of the worker's own grids.
        rows = [
            row
            for row in rows
            if (found := to_incident(row[:-2])).worker == actor.login
            or any(found.place.area_path.startswith(area) for area in actor.areas)
        ]
    tasks = []
    for row in rows:
        found = to_incident(row[:-2])
        task = _item(row, ask.now)
        task["text"] = found.text
        task["needs_photo"] = bool(found.policy and found.policy.needs_photo)
        task["actions"] = pressable(found, actor)
        if found.unit != actor.unit:
            mine = next((one for one in reversed(found.assists) if one.unit == actor.unit), None)
            if mine is None or not mine.open:
                continue  # answered: it is the lead's now
            task["assist"] = {"what": mine.what, "taken": mine.taken_at is not None}
        tasks.append(task)
    paths = sorted({path for task in tasks for path in _prefixes(task["area"])})
    names = (
        dict(ask.database.query("SELECT path, name FROM areas WHERE path = ANY(%s)", (paths,)))
        if paths
        else {}
    )
    said = reporters_of(ask, [task["id"] for task in tasks])
    tasks = [masked(task, said.get(task["id"], ())) for task in tasks]
    for task in tasks:
        task["area_names"] = [names[path] for path in _prefixes(task["area"]) if path in names]
    return {"rows": tasks, "total": len(tasks)}


def reporters_of(ask: Ask, ids: list[int]) -> dict[int, list[str]]:
    """Incident → the names of who reported it."""
    if not ids:
        return {}
    return dict(
        ask.database.query(
            "SELECT incident_id, array_agg(DISTINCT reporter ->> 'name') FROM intake WHERE incident_id = ANY(%s)"
            " AND coalesce(reporter ->> 'name', '') <> '' GROUP BY incident_id",
            (ids,),
        )
    )


def my_reports(ask: Ask, query: c.MyReports) -> dict[str, Any]:
    """See MyReports."""
    rows = ask.database.query(
        # Whoever has reported one occurrence twice sees it once.
        f"{SELECT} WHERE i.id IN (SELECT s.incident_id FROM intake s WHERE s.reporter->>'account' = %s"
        " AND s.source LIKE 'urn:chengyun:%%') ORDER BY i.reported_at DESC LIMIT %s",
        (ask.actor.login, bounded(query.limit, 1, 200)),
    )
    return {"rows": [_item(row, ask.now) for row in rows], "total": len(rows)}


def search_incident(ask: Ask, query: c.SearchIncident) -> dict[str, Any]:
    """See SearchIncident."""
    if not query.number.strip():
        raise Rejected("field", "number='': type some of the number", field="number")
    scope, params = incident_scope(ask.actor)
    number = query.number.strip()
    rows = ask.database.query(
        f"{SELECT} WHERE {scope} AND i.id IN (SELECT incident_id FROM incident_said WHERE said_grams(said) @> %s::text[])"
        " AND i.number ILIKE %s ORDER BY i.reported_at DESC LIMIT 50",
        [*params, grams_of(number), contains(number)],
    )
    return {"rows": [_item(row, ask.now) for row in rows], "total": len(rows)}


def _words(text: str) -> set[str]:
    """Character pairs: Chinese needs no word breaks for a first likeness."""
    clean = re.sub(r"\W+", "", text)
    return {clean[n : n + 2] for n in range(len(clean) - 1)}


def similar_incidents(ask: Ask, query: c.SimilarIncidents) -> dict[str, Any]:
    """See SimilarIncidents. Score 0–1 from distance (500 m), class and words, with the reasons."""
    scope, params = incident_scope(ask.actor)
    near = ""
    if query.lon is not None and query.lat is not None:
        near = " AND i.lon BETWEEN %s AND %s AND i.lat BETWEEN %s AND %s"
        params += [query.lon - 0.006, query.lon + 0.006, query.lat - 0.006, query.lat + 0.006]
    rows = ask.database.query(
        f"{SELECT} WHERE {scope} AND {OPEN} AND i.reported_at > %s{near}"
        " ORDER BY i.reported_at DESC LIMIT 500",
        [*params[:-4], ask.now - timedelta(days=2), *params[-4:]]
        if near
        else [*params, ask.now - timedelta(days=2)],
    )
    wanted = _words(query.text)
    scored = []
    for row in rows:
        found = to_incident(row[:-2])
        score, reasons, distance = 0.0, [], None
        if query.lon is not None and query.lat is not None and found.place.lon is not None:
            assert found.place.lat is not None
            distance = float(haversine_m(query.lon, query.lat, found.place.lon, found.place.lat))
            if distance <= 500:
                score += 0.4 * (1 - distance / 500)
                reasons.append("near")
        if query.class_code and found.class_code == query.class_code:
            score += 0.3
            reasons.append("class")
        have = _words(found.title + found.text)
        if wanted and have:
            likeness = len(wanted & have) / len(wanted | have)
            score += 0.6 * likeness
            if likeness > 0.25:
                reasons.append("words")
        if score >= 0.3 and reasons:
            item = _item(row, ask.now)
            item.update(
                score=round(min(score, 1.0), 2), reasons=reasons, distance_m=distance, text=found.text
            )
            scored.append(item)
    scored.sort(key=lambda item: -item["score"])
    said = reporters_of(ask, [item["id"] for item in scored[:5]])
    rows = [masked(item, said.get(item["id"], ())) for item in scored[:5]]
    return {"rows": rows, "total": len(scored)}


ANSWERS: Final[dict[type, Answer]] = {
    c.IncidentDetail: incident,
    c.IncidentList: incidents,
    c.MyTasks: my_tasks,
    c.MyReports: my_reports,
    c.SearchIncident: search_incident,
    c.SimilarIncidents: similar_incidents,
}
