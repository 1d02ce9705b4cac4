"""Commands on cameras: their files, adoption, shelving, windows of repeated alarms, requests to view."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from data.accounts import require_area
from data.database import Cursor
from data.quarantine import AT_ONCE, look_into, release
from data.registry import bump
from incidents import commands as c
from incidents.access import Thing, may
from incidents.gb28181 import BadCode, parse
from incidents.model import Actor, Place, Rejected
from incidents.video import (
    LONGEST_SHELF,
    LONGEST_VIEW,
    CameraFile,
    Fault,
    Viewer,
    faults,
    within_share_range,
)

PlaceOf = Callable[[float, float], Place]
ALARM_TOPIC: Final = "city.video-alarm.v1"
SHELF_ENDED_BY_TIMER: Final = "timer"
ALARM_SYSTEMS: Final = ("gb28181", "frigate", "hikvision", "dahua")
"""Video systems that have an adapter (streams/adapters/; a test holds both together)."""
NOTHING: Final = "-"
"""Instead of a kind: this type raises nothing."""

_COLUMNS: Final = (
    "code", "name", "lon", "lat", "scene", "sector", "unit", "share_range", "share_units", "share_areas",
    "direction_deg", "view_deg", "range_m", "platform", "gb_channel", "hls_url", "webrtc_url", "picture_state",
    "status",
)  # fmt: skip


def _require(actor: Actor, action: str, area_path: str) -> None:
    decision = may(actor, action, Thing(area_path))
    if not decision:
        raise Rejected("forbidden", f"{action}: {decision.reason}", field="actor")


def _refuse(fault: Fault) -> Rejected:
    return Rejected("field", str(fault), field=fault.field)


# -- the file ------------------------------------------------------------------------------------------------


def file_of(command: c.SaveCamera) -> CameraFile:
    """The command as a file."""
    listed = {"share_units": tuple(command.share_units), "share_areas": tuple(command.share_areas)}
    return CameraFile(**{name: listed.get(name, getattr(command, name)) for name in _COLUMNS})


def check_names(cursor: Cursor, file: CameraFile) -> None:
    """Units and areas that a file names exist. Raises Rejected(field)."""
    units = [code for code in (file.unit, *file.share_units) if code]
    if units:
        cursor.execute("SELECT code FROM units WHERE code = ANY(%s)", (units,))
        known = {code for (code,) in cursor.fetchall()}
        for code in units:
            if code not in known:
                field = "unit" if code == file.unit else "share_units"
                raise Rejected("field", f"{field}={code!r}: there is no such unit", field=field)
    for path in file.share_areas:
        require_area(cursor, path, "share_areas", enabled=False)


def store(
    cursor: Cursor, file: CameraFile, place: Place, by: str, now: datetime, *, adopt: bool = True
) -> tuple[bool, int]:
    """Insert or change a camera; (was it new, how many held messages went back to the bus). `adopt` false: none waits."""
    values = [list(v) if isinstance(v, tuple) else v for v in (getattr(file, name) for name in _COLUMNS)]
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS[1:])
    cursor.execute(
        f"INSERT INTO cameras ({', '.join(_COLUMNS)}, cell, area_path, registered_at, picture_at)"
        f" VALUES ({', '.join(['%s'] * len(_COLUMNS))}, %s, %s, %s, %s)"
        f" ON CONFLICT (code) DO UPDATE SET {changes}, cell = EXCLUDED.cell, area_path = EXCLUDED.area_path,"
        " picture_at = CASE WHEN cameras.picture_state = EXCLUDED.picture_state THEN cameras.picture_at"
        " ELSE EXCLUDED.picture_at END RETURNING xmax = 0",
        (*values, place.cell, place.area_path, now, None if file.picture_state == "unknown" else now),
    )
    row = cursor.fetchone()
    if not adopt:
        return bool(row and row[0]), 0
    while look_into(cursor, AT_ONCE):
        pass  # also those whose sender has chosen another key than the camera's code
    handed = 0
    while (done := release(cursor, file.code, "camera", by, now)).handed:
        handed += done.handed
    return bool(row and row[0]), handed


def _save_camera(
    cursor: Cursor, command: c.SaveCamera, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    """A camera that was unknown is adopted: what was held for it goes back to the bus in the same transaction."""
    file = file_of(command)
    for fault in faults(file):
        raise _refuse(fault)
    place = place_of(file.lon, file.lat)
    _require(actor, "camera.manage", place.area_path)
    cursor.execute("SELECT area_path FROM cameras WHERE code = %s FOR UPDATE", (file.code,))
    row = cursor.fetchone()
    if row is not None:
        _require(actor, "camera.manage", row[0])
    check_names(cursor, file)
    new, released = store(cursor, file, place, actor.login, now)
    bump(cursor)
    return {"code": file.code, "new": new, "released": released, "area": place.area_path}


# -- shelving ------------------------------------------------------------------------------------------------


def _camera(cursor: Cursor, code: str) -> tuple[Any, ...]:
    """(area path, unit, share range, share units, share areas, status, hls, webrtc). Raises Rejected(not_found)."""
    cursor.execute(
        "SELECT area_path, unit, share_range, share_units, share_areas, status, hls_url, webrtc_url"
        " FROM cameras WHERE code = %s FOR UPDATE",
        (code,),
    )
    row = cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"camera={code!r}: no such camera", field="camera")
    return row


def _minutes(minutes: int, most: timedelta, field: str) -> timedelta:
    limit = int(most.total_seconds() // 60)
    if not 1 <= minutes <= limit:
        raise Rejected("field", f"{field}={minutes}: must be 1 to {limit}", field=field)
    return timedelta(minutes=minutes)


def _reason(reason: str) -> str:
    if not reason.strip() or len(reason) > 500:
        raise Rejected("field", f"reason={reason[:60]!r}: say why, in at most 500 characters", field="reason")
    return reason.strip()


def _shelve(
    cursor: Cursor, command: c.ShelveCamera, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    area, *_ = _camera(cursor, command.camera)
    _require(actor, "camera.shelve", area)
    until = now + _minutes(command.minutes, LONGEST_SHELF, "minutes")
    reason = _reason(command.reason)
    end_due(cursor, now)
    cursor.execute(
        "INSERT INTO camera_shelves (camera, reason, since, until, by_login) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (camera) WHERE ended_at IS NULL DO NOTHING RETURNING id",
        (command.camera, reason, now, until, actor.login),
    )
    row = cursor.fetchone()
    if row is None:
        raise Rejected("stale", f"camera={command.camera!r}: is shelved already", field="camera")
    return {"shelf": row[0], "camera": command.camera, "until": until.isoformat()}


def _unshelve(
    cursor: Cursor, command: c.UnshelveCamera, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    area, *_ = _camera(cursor, command.camera)
    _require(actor, "camera.shelve", area)
    end_due(cursor, now)
    cursor.execute(
        "UPDATE camera_shelves SET ended_at = %s, ended_by = %s WHERE camera = %s AND ended_at IS NULL"
        " RETURNING id, (SELECT count(*) FROM intake WHERE shelf_id = camera_shelves.id)",
        (now, actor.login, command.camera),
    )
    row = cursor.fetchone()
    if row is None:
        raise Rejected("stale", f"camera={command.camera!r}: is not shelved", field="camera")
    return {"shelf": row[0], "camera": command.camera, "alarms": row[1]}


def end_due(cursor: Cursor, now: datetime) -> list[tuple[int, str]]:
    """Shelves whose time is over end at that time, by the timer; (id, camera) of each."""
    cursor.execute(
        "UPDATE camera_shelves SET ended_at = until, ended_by = %s WHERE ended_at IS NULL AND until <= %s"
        " RETURNING id, camera",
        (SHELF_ENDED_BY_TIMER, now),
    )
    return [(int(number), str(camera)) for number, camera in cursor.fetchall()]


# -- windows of repeated alarms ------------------------------------------------------------------------------


def _save_window(
    cursor: Cursor, command: c.SaveAlarmWindow, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    area = ""
    if command.camera:
        area, *_ = _camera(cursor, command.camera)
    _require(actor, "camera.manage", area)
    cursor.execute("SELECT 1 FROM camera_alarm_kinds WHERE kind = %s", (command.kind,))
    if cursor.fetchone() is None:
        raise Rejected("field", f"kind={command.kind!r}: no such kind of camera alarm", field="kind")
    if not 0 <= command.window_s <= 7 * 86_400:
        raise Rejected(
            "field", f"window_s={command.window_s}: must be 0 (no window) to 604800", field="window_s"
        )
    if command.window_s:
        cursor.execute(
            "INSERT INTO alarm_windows (kind, camera, window_s) VALUES (%s, %s, %s)"
            " ON CONFLICT (kind, camera) DO UPDATE SET window_s = EXCLUDED.window_s",
            (command.kind, command.camera, command.window_s),
        )
    else:
        cursor.execute(
            "DELETE FROM alarm_windows WHERE kind = %s AND camera = %s", (command.kind, command.camera)
        )
    return {"kind": command.kind, "camera": command.camera, "window_s": command.window_s}


# -- other makers' words ---------------------------------------------------------------------------------------


def _line(cursor: Cursor, table: str, names: tuple[str, str, str], values: tuple[str, str, str]) -> None:
    """Set or take away one line of a small table whose first two columns are its key."""
    for name, value in zip(names[:2], values[:2], strict=True):
        if not value.strip() or len(value) > 200:
            raise Rejected("field", f"{name}={value[:60]!r}: must be 1 to 200 characters", field=name)
    if values[2]:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES (%s, %s, %s)"
            f" ON CONFLICT ({names[0]}, {names[1]}) DO UPDATE SET {names[2]} = EXCLUDED.{names[2]}",
            values,
        )
    else:
        cursor.execute(f"DELETE FROM {table} WHERE {names[0]} = %s AND {names[1]} = %s", values[:2])


def _save_kind(
    cursor: Cursor, command: c.SaveAlarmKind, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    _require(actor, "camera.manage", "")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", command.kind):
        raise Rejected("field", f"kind={command.kind!r}: must be a word of a-z, 0-9 and _", field="kind")
    if not command.name.strip() or len(command.name) > 60:
        raise Rejected("field", f"name={command.name[:60]!r}: must be 1 to 60 characters", field="name")
    if command.level not in (1, 2, 3, 4):
        raise Rejected("field", f"level={command.level}: must be 1, 2, 3 or 4", field="level")
    if command.class_code:
        cursor.execute("SELECT 1 FROM event_classes WHERE code = %s", (command.class_code,))
        if cursor.fetchone() is None:
            raise Rejected(
                "field", f"class_code={command.class_code!r}: not in the class catalogue", field="class_code"
            )
    cursor.execute(
        "INSERT INTO camera_alarm_kinds (kind, name, name_en, class_code, level, files) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (kind) DO UPDATE SET name = EXCLUDED.name, name_en = EXCLUDED.name_en,"
        " class_code = EXCLUDED.class_code, level = EXCLUDED.level, files = EXCLUDED.files",
        (
            command.kind,
            command.name.strip(),
            command.name_en.strip(),
            command.class_code,
            command.level,
            command.files,
        ),
    )
    bump(cursor)
    return {"kind": command.kind, "files": command.files}


def _save_map(
    cursor: Cursor, command: c.SaveAlarmMap, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    _require(actor, "camera.manage", "")
    if command.source not in ALARM_SYSTEMS:
        known = ", ".join(ALARM_SYSTEMS)
        raise Rejected("field", f"source={command.source!r}: must be one of {known}", field="source")
    if command.kind not in ("", NOTHING):
        cursor.execute("SELECT 1 FROM camera_alarm_kinds WHERE kind = %s", (command.kind,))
        if cursor.fetchone() is None:
            raise Rejected("field", f"kind={command.kind!r}: no such kind of camera alarm", field="kind")
    names = ("source", "code", "kind")
    _line(cursor, "camera_alarm_maps", names, (command.source, command.code, command.kind))
    return {"source": command.source, "code": command.code, "kind": command.kind}


def _save_channel(
    cursor: Cursor, command: c.SaveCameraChannel, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    """The camera may still be unknown: its alarms are held until it is adopted."""
    _require(actor, "camera.manage", "")
    cursor.execute("SELECT 1 FROM feeds WHERE id = %s", (command.feed,))
    if cursor.fetchone() is None:
        raise Rejected("field", f"feed={command.feed!r}: no such feed", field="feed")
    if command.camera:
        try:
            parse(command.camera)
        except BadCode as error:
            raise Rejected(
                "field", f"camera={command.camera!r}: must be {error.rule}", field="camera"
            ) from None
    names = ("feed", "channel", "camera")
    _line(cursor, "camera_channels", names, (command.feed, command.channel, command.camera))
    return {"feed": command.feed, "channel": command.channel, "camera": command.camera}


# -- viewing -------------------------------------------------------------------------------------------------


def _viewer(cursor: Cursor, actor: Actor) -> Viewer:
    cursor.execute("SELECT kind FROM units WHERE code = %s", (actor.unit,))
    row = cursor.fetchone()
    return Viewer(actor.unit, str(row[0]) if row else "", tuple(actor.areas))


def _require_share(cursor: Cursor, camera: Sequence[Any], actor: Actor) -> str:
    """Raises Rejected(forbidden) outside of the share range, which the service writes to the audit log."""
    area, unit, share_range, share_units, share_areas, status, *_ = camera
    decision = within_share_range(
        _viewer(cursor, actor), unit=unit, area_path=area, share_range=share_range,
        share_units=tuple(share_units), share_areas=tuple(share_areas),
    )  # fmt: skip
    if not decision:
        raise Rejected("forbidden", f"camera.ask: {decision.reason}", field="camera")
    if status == "retired":
        raise Rejected("rule", "camera: is retired", field="camera")
    return decision.reason


def _request_view(
    cursor: Cursor, command: c.RequestView, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    why = _require_share(cursor, _camera(cursor, command.camera), actor)
    reason = _reason(command.reason)
    if command.incident is not None:
        cursor.execute("SELECT 1 FROM incidents WHERE id = %s", (command.incident,))
        if cursor.fetchone() is None:
            raise Rejected("field", f"incident={command.incident}: no such incident", field="incident")
    cursor.execute(
        "INSERT INTO view_requests (camera, account, reason, asked_at, incident) VALUES (%s, %s, %s, %s, %s)"
        " RETURNING id",
        (command.camera, actor.id, reason, now, command.incident),
    )
    row = cursor.fetchone()
    assert row is not None
    return {"request": row[0], "camera": command.camera, "state": "asked", "share": why}


def _request(cursor: Cursor, number: int) -> dict[str, Any]:
    names = ("camera", "account", "state", "expires_at", "login")
    cursor.execute(
        "SELECT r.camera, r.account, r.state, r.expires_at, a.login FROM view_requests r"
        " JOIN accounts a ON a.id = r.account WHERE r.id = %s FOR UPDATE OF r",
        (number,),
    )
    row = cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"request={number}: no such request", field="request")
    return dict(zip(names, row, strict=True))


def _answer_view(
    cursor: Cursor, command: c.AnswerView, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    found = _request(cursor, command.request)
    area, *_ = _camera(cursor, found["camera"])
    _require(actor, "camera.answer", area)
    if found["state"] != "asked":
        raise Rejected("stale", f"state={found['state']!r}: this request was answered already", field="state")
    if found["account"] == actor.id:
        raise Rejected("rule", "request: nobody answers his own request", field="request")
    expires = None
    if command.approve:
        expires = now + _minutes(command.minutes, LONGEST_VIEW, "minutes")
    else:
        _reason(command.answer)
    state = "approved" if command.approve else "refused"
    cursor.execute(
        "UPDATE view_requests SET state = %s, decided_by = %s, decided_at = %s, answer = %s, expires_at = %s"
        " WHERE id = %s",
        (state, actor.login, now, command.answer.strip()[:500], expires, command.request),
    )
    return {
        "request": command.request, "camera": found["camera"], "state": state,
        "expires_at": expires.isoformat() if expires else None,
    }  # fmt: skip


def _open_view(
    cursor: Cursor, command: c.OpenView, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    """A link for the asker alone, until the approval ends. A new one ends the former."""
    found = _request(cursor, command.request)
    if found["account"] != actor.id:
        raise Rejected("forbidden", f"camera.ask: request {command.request} is not yours", field="request")
    # The share range may have changed since: who is outside of it now does not see it now.
    camera = _camera(cursor, found["camera"])
    _require_share(cursor, camera, actor)
    if found["state"] != "approved":
        raise Rejected("rule", f"state={found['state']!r}: must be approved first", field="state")
    if found["expires_at"] <= now:
        raise Rejected(
            "rule", f"expires_at={found['expires_at'].isoformat()}: is over; ask again", field="request"
        )
    if not camera[6] and not camera[7]:
        raise Rejected("rule", "camera: has no address at the media server", field="hls_url")
    token = secrets.token_urlsafe(32)
    cursor.execute(
        "UPDATE view_requests SET link_hash = %s WHERE id = %s", (link_hash(token), command.request)
    )
    return {
        "request": command.request, "camera": found["camera"], "link": f"/api/v1/video/{token}/",
        "expires_at": found["expires_at"].isoformat(),
    }  # fmt: skip


def link_hash(token: str) -> bytes:
    """What the store knows of a link."""
    return hashlib.sha256(token.encode()).digest()


Handler = Callable[[Cursor, Any, Actor, datetime, PlaceOf], dict[str, Any]]

HANDLERS: Final[dict[type, Handler]] = {
    c.SaveCamera: _save_camera,
    c.ShelveCamera: _shelve,
    c.UnshelveCamera: _unshelve,
    c.SaveAlarmWindow: _save_window,
    c.SaveAlarmKind: _save_kind,
    c.SaveAlarmMap: _save_map,
    c.SaveCameraChannel: _save_channel,
    c.RequestView: _request_view,
    c.AnswerView: _answer_view,
    c.OpenView: _open_view,
}
