"""Questions about registries: classes, places, areas, units, devices, cameras, workers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from data.catalogue_import import standards_of
from data.incident_rows import ms
from data.questions.composites import composite_of
from data.questions.context import Answer, Ask, bounded, contains
from data.scope import area_scope
from incidents import commands as c
from incidents.access import ANYWHERE, may
from incidents.catalogue_commands import FilingStandards
from incidents.model import Rejected

_COUNTED: Final = ("devices", "cameras", "components")


def classes(ask: Ask, query: c.Classes) -> dict[str, Any]:
    """See Classes."""
    rows = ask.database.dicts(
        "SELECT DISTINCT ON (code) code, version, kind, big_class, name, name_en, level, limit_min, clock_kind,"
        " needs_photo, closing_condition, keywords FROM event_classes ORDER BY code, version DESC"
    )
    return {"rows": rows, "total": len(rows)}


def filing_standards(ask: Ask, query: FilingStandards) -> dict[str, Any]:
    """See FilingStandards."""
    with ask.database.transaction() as cursor:
        found = standards_of(cursor, query.class_code)
        cursor.execute(
            "SELECT needs_photo FROM event_classes WHERE code = %s ORDER BY version DESC LIMIT 1",
            (query.class_code,),
        )
        row = cursor.fetchone()
    rows = [{**asdict(one), "needs_photo": bool(row and row[0])} for one in found]
    return {"rows": rows, "total": len(rows)}


def suggest_class(ask: Ask, query: c.SuggestClass) -> dict[str, Any]:
    """See SuggestClass: score = length of the keywords found in the text."""
    rows = ask.database.query(
        "SELECT DISTINCT ON (code) code, name, name_en, level, keywords FROM event_classes"
        " ORDER BY code, version DESC"
    )
    found = []
    for code, name, name_en, level, keywords in rows:
        words = [w for w in keywords.replace("；", ";").replace("|", ";").replace(" ", ";").split(";") if w]
        hits = [w for w in (*words, name) if w in query.text]
        if hits:
            found.append(
                {
                    "code": code,
                    "name": name,
                    "name_en": name_en,
                    "level": level,
                    "score": sum(len(w) for w in set(hits)),
                    "words": sorted(set(hits)),
                }
            )
    found.sort(key=lambda row: (-row["score"], row["code"]))
    return {"rows": found[:6], "total": len(found)}


def locate(ask: Ask, query: c.Locate) -> dict[str, Any]:
    """See Locate."""
    place = ask.place_of(query.lon, query.lat)
    names = ask.database.dicts(
        "SELECT code, level, name, name_en, path FROM areas WHERE %s LIKE path || '%%' ORDER BY length(path)",
        (place.area_path,),
    )
    return {"lon": place.lon, "lat": place.lat, "cell": place.cell, "area": place.area_path, "areas": names}


def find_place(ask: Ask, query: c.FindPlace) -> dict[str, Any]:
    """See FindPlace; the city's map is for all, its devices are for those who may see them."""
    text = query.text.strip()
    if not text:
        return {"rows": [], "total": 0}
    pattern, limit = contains(text), bounded(query.limit, 1, 50)
    scope, params = area_scope(ask.actor) if may(ask.actor, "device.see", ANYWHERE) else ("false", [])
    rows = ask.database.dicts(
        "SELECT 'place' AS kind, name, lon, lat, cell, area_path AS area FROM places WHERE name ILIKE %s"
        " UNION ALL SELECT level, name, lon, lat, '', path FROM areas WHERE level <> 'cell' AND name ILIKE %s"
        " UNION ALL SELECT 'unit', name, lon, lat, '', area_path FROM units WHERE name ILIKE %s"
        " UNION ALL SELECT 'device', name, lon, lat, cell, area_path FROM devices WHERE id ILIKE %s"
        f" AND {scope} LIMIT %s",
        [pattern, pattern, pattern, pattern, *params, limit],
    )
    return {"rows": rows, "total": len(rows)}


def layer_counts(ask: Ask, query: c.LayerCounts) -> dict[str, int]:
    """See LayerCounts."""
    counts = {}
    for table in _COUNTED:
        scope, params = area_scope(ask.actor)
        gone = " AND NOT disabled" if table == "devices" else ""
        counts[table] = ask.database.query(f"SELECT count(*) FROM {table} WHERE {scope}{gone}", params)[0][0]
    scope, params = area_scope(ask.actor, "path")
    for level, number in ask.database.query(
        f"SELECT level, count(*) FROM areas WHERE {scope} AND NOT disabled GROUP BY level", params
    ):
        counts[level + "s"] = number
    scope, params = area_scope(ask.actor)
    open_rows = ask.database.query(
        f"SELECT count(*) FROM incidents WHERE {scope} AND stage NOT IN ('closed', 'refused', 'void')", params
    )
    counts["incidents"] = open_rows[0][0]
    return counts


def device(ask: Ask, query: c.DeviceDetail) -> dict[str, Any]:
    """See DeviceDetail; `pole`: what it is a part of, or None."""
    rows = ask.database.dicts(
        "SELECT d.no, d.id, d.type, t.name AS type_name, t.name_en AS type_name_en, t.icon, d.name, d.unit,"
        " u.name AS unit_name, d.area_path AS area, d.cell, d.lon, d.lat, d.expected_period_s, d.critical,"
        " d.installed_on, d.feed FROM devices d JOIN device_types t ON t.id = d.type"
        " LEFT JOIN units u ON u.code = d.unit WHERE d.id = %s",
        (query.device,),
    )
    if not rows:
        raise Rejected("not_found", f"device={query.device!r}: no such device", field="device")
    found = rows[0]
    number = found.pop("no")
    metrics = ask.database.dicts(
        "SELECT m.id, m.name, m.name_en, m.unit, m.low, m.high, r.time, r.value FROM metrics m"
        " LEFT JOIN LATERAL (SELECT time, value FROM readings WHERE device_no = %s AND metric_no = m.no"
        " ORDER BY time DESC LIMIT 1) r ON true WHERE m.device_type = %s ORDER BY m.no",
        (number, found["type"]),
    )
    found["metrics"] = [{**m, "time": ms(m["time"])} for m in metrics]
    found["pole"] = composite_of(ask.database, device=query.device)
    found["warnings"] = ask.database.dicts(
        "SELECT id, metric, value, threshold, level, message, time, cleared_at FROM warnings WHERE device = %s"
        " ORDER BY created_at DESC LIMIT 10",
        (query.device,),
    )
    found["rules"] = ask.database.dicts(
        "SELECT DISTINCT ON (id) id, metric, op, threshold, clear_threshold, level, message FROM warning_rules"
        " WHERE device_type = %s AND enabled ORDER BY id, version DESC",
        (found["type"],),
    )
    return found


def units(ask: Ask, query: c.Units) -> dict[str, Any]:
    """See Units."""
    scope, params = area_scope(ask.actor, "u.area_path")
    rows = ask.database.dicts(
        "SELECT u.code, u.name, u.name_en, u.kind, u.area_path AS area, a.name AS area_name, u.phone, u.disabled,"
        " u.lon, u.lat, (SELECT count(*) FROM incidents i WHERE i.unit = u.code"
        " AND i.stage NOT IN ('closed', 'refused', 'void')) AS open_incidents"
        f" FROM units u LEFT JOIN areas a ON a.path = u.area_path WHERE {scope} ORDER BY u.kind, u.code",
        params,
    )
    return {"rows": rows, "total": len(rows)}


def areas(ask: Ask, query: c.Areas) -> dict[str, Any]:
    """See Areas."""
    if query.text.strip():
        return _areas_called(ask, query.text.strip())
    if query.parent:
        scope, params = area_scope(ask.actor, "path")
        rows = ask.database.dicts(
            "SELECT code, level, name, name_en, parent, path, lon, lat, disabled FROM areas"
            f" WHERE parent = %s AND {scope} ORDER BY code",
            [query.parent, *params],
        )
    else:
        rows = ask.database.dicts(
            "SELECT code, level, name, name_en, parent, path, lon, lat, disabled FROM areas"
            " WHERE path = ANY(%s) ORDER BY code",
            (list(ask.actor.areas),),
        )
    return {"rows": rows, "total": len(rows)}


def _areas_called(ask: Ask, text: str) -> dict[str, Any]:
    scope, params = area_scope(ask.actor, "a.path")
    rows = ask.database.dicts(
        "SELECT a.code, a.level, a.name, a.name_en, a.parent, a.path, a.lon, a.lat, a.disabled,"
        " (SELECT string_agg(up.name, ' › ' ORDER BY length(up.path)) FROM areas up"
        " WHERE up.code = ANY(string_to_array(a.path, '/')) AND (up.level <> 'city' OR a.level = 'city')) AS trail"
        f" FROM areas a WHERE a.level <> 'cell' AND NOT a.disabled AND {scope}"
        " AND (a.name ILIKE %s OR a.code ILIKE %s) ORDER BY length(a.path), a.code LIMIT 50",
        [*params, contains(text), contains(text)],
    )
    return {"rows": rows, "total": len(rows)}


def workers(ask: Ask, query: c.Workers) -> dict[str, Any]:
    """See Workers."""
    scope, params = area_scope(ask.actor, "(a.areas)[1]")
    if ask.actor.role == "unit_handler":
        scope, params = "a.unit = %s", [ask.actor.unit]
    rows = ask.database.dicts(
        "SELECT a.login, a.name, a.unit, u.name AS unit_name, a.areas, a.on_duty, w.lon, w.lat, w.located_at,"
        " (SELECT count(*) FROM incidents i WHERE i.worker = a.login"
        " AND i.stage NOT IN ('closed', 'refused', 'void')) AS open_tasks"
        " FROM accounts a JOIN workers w ON w.login = a.login LEFT JOIN units u ON u.code = a.unit"
        f" WHERE NOT a.disabled AND {scope} ORDER BY a.login LIMIT 2000",
        params,
    )
    for row in rows:
        at = row.pop("located_at")
        row["position_age_s"] = None if at is None else round((ask.now - at).total_seconds(), 1)
    return {"rows": rows, "total": len(rows)}


ANSWERS: Final[dict[type, Answer]] = {
    c.Classes: classes,
    FilingStandards: filing_standards,
    c.SuggestClass: suggest_class,
    c.Locate: locate,
    c.FindPlace: find_place,
    c.LayerCounts: layer_counts,
    c.DeviceDetail: device,
    c.Units: units,
    c.Areas: areas,
    c.Workers: workers,
}
