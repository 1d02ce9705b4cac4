"""Questions about cameras: their files, what can see a point, shelves, precision, requests to view."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, Final

from data.divisions import divisions_above
from data.incident_rows import ms
from data.questions.composites import composite_of
from data.questions.context import Answer, Ask, bounded, contains
from data.scope import area_scope, named
from gis.cells import EARTH_RADIUS_M
from gis.view import View, sights
from incidents import commands as c
from incidents.access import Thing, may
from incidents.gb28181 import BadCode, parse
from incidents.model import Rejected
from incidents.video import MAX_RANGE_M, PICTURE_STATES, STATUSES

_FILE: Final = (
    "c.code, c.name, c.lon, c.lat, c.cell, c.area_path AS area, c.scene, c.sector, c.unit, c.share_range,"
    " c.share_units, c.share_areas, c.direction_deg, c.view_deg, c.range_m, c.platform, c.gb_channel, c.hls_url,"
    " c.webrtc_url, c.picture_state, c.picture_at, c.status, c.registered_at"
)
_ADDRESSES: Final = ("hls_url", "webrtc_url", "gb_channel")
NEAR_M: Final = 500.0
"""How far away a camera that cannot see the point is still worth naming."""


def camera(ask: Ask, query: c.CameraDetail) -> dict[str, Any]:
    """See CameraDetail. Addresses are only for who keeps the registry: everybody else views by an approved link."""
    rows = ask.database.dicts(
        f"SELECT {_FILE}, u.name AS unit_name FROM cameras c LEFT JOIN units u ON u.code = c.unit WHERE c.code = %s",
        (query.camera,),
    )
    if not rows:
        raise Rejected("not_found", f"camera={query.camera!r}: no such camera", field="camera")
    found = rows[0]
    found["has_stream"] = bool(found["hls_url"] or found["webrtc_url"])
    if not may(ask.actor, "camera.manage", Thing(found["area"])):
        found.update(dict.fromkeys(_ADDRESSES, ""))
    found["picture_at"], found["registered_at"] = ms(found["picture_at"]), ms(found["registered_at"])
    found["parts"] = _parts(ask, query.camera)
    found["pole"] = composite_of(ask.database, camera=query.camera)
    found["shelf"] = next(iter(_shelves(ask, "s.camera = %(camera)s AND s.ended_at IS NULL AND s.until > %(now)s",
                                        {"camera": query.camera, "now": ask.now})), None)  # fmt: skip
    return found


def _parts(ask: Ask, code: str) -> dict[str, Any]:
    """The code by its parts, the unknown ones named; a code of no standard shape is unknown as a whole."""
    try:
        parsed = parse(code, divisions_above(ask.database, code[:6]))
    except BadCode:
        return {"unknown": [f"code={code}"]}
    parts = {name: {"code": p.code, "name": p.name, "known": p.known} for name, p in parsed.parts()}
    return {
        **parts,
        "grassroots": parsed.grassroots,
        "serial": parsed.serial,
        "unknown": list(parsed.unknown),
    }


def cameras(ask: Ask, query: c.Cameras) -> dict[str, Any]:
    """See Cameras."""
    for field, known in (("status", STATUSES), ("picture_state", PICTURE_STATES)):
        value = getattr(query, field)
        if value and value not in known:
            raise Rejected("field", f"{field}={value!r}: must be one of {', '.join(known)}", field=field)
    scope, params = named(area_scope(ask.actor, "c.area_path"))
    filters = [scope]
    for field in ("status", "picture_state", "platform"):
        if getattr(query, field):
            filters.append(f"c.{field} = %({field})s")
            params[field] = getattr(query, field)
    if query.text.strip():
        filters.append("(c.code ILIKE %(text)s OR c.name ILIKE %(text)s OR c.scene ILIKE %(text)s)")
        params["text"] = contains(query.text.strip())
    where = " AND ".join(filters)
    rows = ask.database.dicts(
        "SELECT c.code, c.name, c.lon, c.lat, c.area_path AS area, c.scene, c.sector, c.share_range, c.platform,"
        " c.picture_state, c.status, EXISTS (SELECT 1 FROM camera_shelves s WHERE s.camera = c.code"
        " AND s.ended_at IS NULL AND s.until > %(now)s) AS shelved, count(*) OVER () AS n"
        f" FROM cameras c WHERE {where} ORDER BY c.code LIMIT %(limit)s OFFSET %(offset)s",
        {**params, "now": ask.now, "limit": bounded(query.limit, 1, 1000), "offset": max(0, query.offset)},
    )
    total = int(rows[0]["n"]) if rows else 0
    for row in rows:
        del row["n"]
    return {"rows": rows, "total": total}


def cameras_seeing(ask: Ask, query: c.CamerasSeeing) -> dict[str, Any]:
    """See CamerasSeeing: {rows: [{code, name, scene, distance_m, bearing_deg, shelved}], near: [the same], total}."""
    if not (-180 <= query.lon <= 180 and -90 <= query.lat <= 90):
        raise Rejected("field", f"lon, lat={query.lon},{query.lat}: must be degrees (EPSG:4326)", field="lon")
    limit = bounded(query.limit, 1, 50)
    scope, params = named(area_scope(ask.actor, "c.area_path"))
    # A box first, as wide as the camera that sees farthest: the index finds what may be near enough, the sphere decides.
    degree_m = math.radians(1) * EARTH_RADIUS_M
    rows = ask.database.dicts(
        "WITH far AS (SELECT least(greatest(max(range_m), %(near)s), %(most)s) / %(degree)s * 1.001 AS high FROM cameras)"
        " SELECT c.code, c.name, c.scene, c.lon, c.lat, c.direction_deg, c.view_deg, c.range_m,"
        " EXISTS (SELECT 1 FROM camera_shelves s WHERE s.camera = c.code AND s.ended_at IS NULL"
        f" AND s.until > %(now)s) AS shelved FROM cameras c WHERE {scope} AND c.status = 'in_use'"
        " AND c.lat BETWEEN %(lat)s - (SELECT high FROM far) AND %(lat)s + (SELECT high FROM far)"
        " AND c.lon BETWEEN %(lon)s - (SELECT high FROM far) / %(narrow)s AND %(lon)s + (SELECT high FROM far) / %(narrow)s"
        " AND abs(c.lat - %(lat)s) * %(degree)s <= greatest(c.range_m, %(near)s) * 1.001 ORDER BY c.code",
        {**params, "now": ask.now, "lat": query.lat, "lon": query.lon, "degree": degree_m, "near": NEAR_M,
         "most": MAX_RANGE_M, "narrow": max(math.cos(math.radians(min(89.0, abs(query.lat) + 0.2))), 1e-6)},
    )  # fmt: skip
    views = [View(*(row[n] for n in ("lon", "lat", "direction_deg", "view_deg", "range_m"))) for row in rows]
    seeing: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for sight in sights(views, query.lon, query.lat):
        row = rows[sight.index]
        shown = {name: row[name] for name in ("code", "name", "scene", "shelved")}
        shown |= {"distance_m": round(sight.distance_m, 1), "bearing_deg": round(sight.bearing_deg, 1)}
        if sight.sees:
            seeing.append(shown)
        elif sight.distance_m <= NEAR_M:
            others.append(shown)
    return {"rows": seeing[:limit], "near": others[:limit], "total": len(seeing)}


def _shelves(ask: Ask, where: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    rows = ask.database.dicts(
        "SELECT s.id, s.camera, c.name, s.reason, s.since, s.until, s.by_login, s.ended_at, s.ended_by,"
        " (SELECT count(*) FROM intake i WHERE i.shelf_id = s.id) AS alarms"
        f" FROM camera_shelves s JOIN cameras c ON c.code = s.camera WHERE {where} ORDER BY s.id DESC LIMIT 500",
        params,
    )
    for row in rows:
        row.update({name: ms(row[name]) for name in ("since", "until", "ended_at")})
    return rows


def shelves(ask: Ask, query: c.Shelves) -> dict[str, Any]:
    """See Shelves."""
    scope, params = named(area_scope(ask.actor, "c.area_path"))
    now = "" if query.past else " AND s.ended_at IS NULL AND s.until > %(now)s"
    rows = _shelves(ask, f"{scope}{now}", {**params, "now": ask.now})
    return {"rows": rows, "total": len(rows)}


def alarm_precision(ask: Ask, query: c.AlarmPrecision) -> dict[str, Any]:
    """See AlarmPrecision. One incident counts once for a camera and algorithm, however many alarms joined it."""
    scope, params = named(area_scope(ask.actor, "i.area_path"))
    one = " AND i.camera = %(camera)s" if query.camera else ""
    rows = ask.database.dicts(
        "WITH alarms AS (SELECT i.camera, coalesce(nullif(i.algorithm, ''), nullif(i.alarm_kind, ''), i.class_code)"
        " AS algorithm, i.incident_id, i.aside FROM intake i WHERE i.kind = 'alarm' AND i.time >= %(since)s"
        f" AND {scope}{one}), judged AS (SELECT DISTINCT a.camera, a.algorithm, a.incident_id, n.stage"
        " FROM alarms a JOIN incidents n ON n.id = a.incident_id),"
        " verdicts AS (SELECT camera, algorithm, count(*) FILTER (WHERE stage NOT IN ('reported', 'refused', 'void'))"
        " AS confirmed, count(*) FILTER (WHERE stage IN ('refused', 'void')) AS false,"
        " count(*) FILTER (WHERE stage = 'reported') AS open FROM judged GROUP BY 1, 2),"
        " counts AS (SELECT camera, algorithm, count(*) AS alarms,"
        " count(*) FILTER (WHERE aside = 'shelved') AS shelved,"
        " count(*) FILTER (WHERE aside = 'observed') AS observed FROM alarms GROUP BY 1, 2)"
        " SELECT t.camera, c.name, t.algorithm, t.alarms, t.shelved, t.observed, coalesce(v.confirmed, 0) AS confirmed,"
        " coalesce(v.false, 0) AS false, coalesce(v.open, 0) AS open,"
        " v.confirmed::double precision / nullif(v.confirmed + v.false, 0) AS precision, count(*) OVER () AS n"
        " FROM counts t LEFT JOIN verdicts v USING (camera, algorithm) LEFT JOIN cameras c ON c.code = t.camera"
        " ORDER BY precision NULLS LAST, t.alarms DESC, t.camera, t.algorithm LIMIT %(limit)s",
        {**params, "since": ask.now - timedelta(days=bounded(query.days, 1, 366)), "camera": query.camera,
         "limit": bounded(query.limit, 1, 5000)},
    )  # fmt: skip
    total = int(rows[0]["n"]) if rows else 0
    for row in rows:
        del row["n"]
    return {"rows": rows, "total": total}


def view_requests(ask: Ask, query: c.ViewRequests) -> dict[str, Any]:
    """See ViewRequests."""
    if query.state not in ("asked", "approved", "refused", "all"):
        raise Rejected(
            "field", f"state={query.state!r}: must be asked, approved, refused or all", field="state"
        )
    scope, params = named(area_scope(ask.actor, "c.area_path"))
    answers = bool(may(ask.actor, "camera.answer", Thing(anywhere=True)))
    rows = ask.database.dicts(
        "SELECT r.id, r.camera, c.name, a.login, a.name AS who, r.reason, r.incident, r.asked_at, r.state,"
        " r.decided_by, r.decided_at, r.answer, r.expires_at, r.account = %(own)s AS own,"
        " r.state = 'approved' AND r.expires_at > %(now)s AS open"
        " FROM view_requests r JOIN cameras c ON c.code = r.camera JOIN accounts a ON a.id = r.account"
        f" WHERE (r.account = %(own)s OR (%(answers)s AND {scope})) AND (%(state)s = 'all' OR r.state = %(state)s)"
        " AND (%(camera)s = '' OR r.camera = %(camera)s)"
        " ORDER BY r.id DESC LIMIT %(limit)s",
        {**params, "own": ask.actor.id, "now": ask.now, "answers": answers, "state": query.state, "camera": query.camera,
         "limit": bounded(query.limit, 1, 500)},
    )  # fmt: skip
    for row in rows:
        row.update({name: ms(row[name]) for name in ("asked_at", "decided_at", "expires_at")})
    return {"rows": rows, "total": len(rows)}


ANSWERS: Final[dict[type, Answer]] = {
    c.CameraDetail: camera,
    c.Cameras: cameras,
    c.CamerasSeeing: cameras_seeing,
    c.Shelves: shelves,
    c.AlarmPrecision: alarm_precision,
    c.ViewRequests: view_requests,
}
