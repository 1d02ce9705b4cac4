"""Commands on device credentials: issue, rotate, revoke, limit; and a loss of the gateway's broker settled.

Inside the caller's transaction. A secret is 256 random bits and answered once; the store keeps hashes of it.
"""

from __future__ import annotations

import base64
import hashlib
import math
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from data.database import Cursor
from data.registry import bump
from data.sessions import token_hash
from incidents import commands as c
from incidents.access import Thing
from incidents.gateway import FEED, NAME_RULE, login_of, usable_name
from incidents.model import Actor, Rejected
from incidents.service import require

DROPPED: Final = "mqtt_dropped"
"""Kind of a ledger mismatch: messages that the gateway's broker took and dropped."""

STANDS: Final = "c.revoked_at IS NULL AND (c.ends_at IS NULL OR c.ends_at > %(now)s)"
"""A credential `c` works at `now`."""

_LONGEST_DAYS: Final = 3660.0
_LONGEST_OVERLAP_H: Final = 24.0 * 90
_ROUNDS: Final = 1
"""The secret is 256 random bits, which no number of rounds protects better; and Mosquitto checks every connected
client again at each reload: with its own 101 rounds that would stall it for seconds at 10,000 devices."""


def mqtt_hash(secret: str) -> str:
    """A password as Mosquitto 2 keeps it: `$7$` PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def access_changed(cursor: Cursor) -> None:
    """Tell every gateway (within the changing transaction)."""
    cursor.execute("UPDATE device_access_version SET n = n + 1")


def _device(cursor: Cursor, actor: Actor, device: str) -> bool:
    """Lock the device and ask whether the actor may; whether it is disabled. Raises Rejected."""
    cursor.execute("SELECT area_path, disabled FROM devices WHERE id = %s FOR UPDATE", (device,))
    row = cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"device={device!r}: there is no such device", field="device")
    require(actor, "device.credential", Thing(row[0]))
    return bool(row[1])


def _within(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise Rejected("field", f"{name}={value:g}: must be between {low:g} and {high:g}", field=name)


def _standing(cursor: Cursor, device: str, now: datetime) -> list[int]:
    cursor.execute(
        f"SELECT c.number FROM device_credentials c WHERE c.device = %(device)s AND {STANDS} ORDER BY c.number",
        {"device": device, "now": now},
    )
    return [row[0] for row in cursor.fetchall()]


def _make(
    cursor: Cursor, device: str, ends_at: datetime | None, actor: Actor, now: datetime
) -> dict[str, Any]:
    if not usable_name(device):
        raise Rejected("field", f"device={device!r}: must be {NAME_RULE}", field="device")
    cursor.execute("SELECT coalesce(max(number), 0) + 1 FROM device_credentials WHERE device = %s", (device,))
    row = cursor.fetchone()
    number = int(row[0]) if row else 1
    secret, login = secrets.token_urlsafe(32), login_of(device, number)
    cursor.execute(
        "INSERT INTO device_credentials (device, number, login, secret_hash, mqtt_hash, issued_at, issued_by, ends_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (device, number, login, token_hash(secret), mqtt_hash(secret), now, actor.login, ends_at),
    )
    _feed(cursor)
    access_changed(cursor)
    return {"device": device, "number": number, "login": login, "secret": secret, "ends_at": ends_at}


def _feed(cursor: Cursor) -> None:
    """Messages of devices are counted under a feed of their own; it is there from the first credential on."""
    cursor.execute(
        "INSERT INTO feeds (id, name, owner, protocol, topics) VALUES (%s, '设备网关', '城市运行中心', 'mqtt/https', %s)"
        " ON CONFLICT (id) DO NOTHING",
        (FEED, ["city.reading.v1", "city.reading-critical.v1"]),
    )
    if cursor.rowcount:
        bump(cursor)


def _issue(cursor: Cursor, command: c.IssueDeviceCredential, actor: Actor, now: datetime) -> dict[str, Any]:
    disabled = _device(cursor, actor, command.device)
    if command.days is not None:
        _within("days", command.days, 0.01, _LONGEST_DAYS)
    if disabled:
        raise Rejected("rule", f"device={command.device!r}: is retired", field="device")
    if _standing(cursor, command.device, now):
        raise Rejected("rule", f"device={command.device!r}: has a credential; rotate it", field="device")
    ends_at = None if command.days is None else now + timedelta(days=command.days)
    return _make(cursor, command.device, ends_at, actor, now)


def _rotate(cursor: Cursor, command: c.RotateDeviceCredential, actor: Actor, now: datetime) -> dict[str, Any]:
    """The newest standing credential works on for the overlap; what is older ends now: two at once, never three."""
    disabled = _device(cursor, actor, command.device)
    _within("overlap_h", command.overlap_h, 0.0, _LONGEST_OVERLAP_H)
    if disabled:
        raise Rejected("rule", f"device={command.device!r}: is retired", field="device")
    standing = _standing(cursor, command.device, now)
    if not standing:
        raise Rejected("rule", f"device={command.device!r}: has no credential; issue one", field="device")
    end = now + timedelta(hours=command.overlap_h)
    cursor.execute(
        "UPDATE device_credentials SET ends_at = least(ends_at, CASE WHEN number = %s THEN %s ELSE %s END)"
        " WHERE device = %s AND number = ANY(%s)",
        (standing[-1], end, now, command.device, standing),
    )
    made = _make(cursor, command.device, None, actor, now)
    return {**made, "overlap_until": end}


def _revoke(cursor: Cursor, command: c.RevokeDeviceCredential, actor: Actor, now: datetime) -> dict[str, Any]:
    _device(cursor, actor, command.device)
    standing = _standing(cursor, command.device, now)
    wanted = standing if command.number is None else [command.number]
    if not wanted or not set(wanted) <= set(standing):
        which = "" if command.number is None else f"number={command.number}: "
        raise Rejected(
            "rule",
            f"device={command.device!r}: {which}no such credential stands (there are {standing or 'none'})",
            field="device" if command.number is None else "number",
        )
    cursor.execute(
        "UPDATE device_credentials SET revoked_at = %s, revoked_by = %s WHERE device = %s AND number = ANY(%s)",
        (now, actor.login, command.device, wanted),
    )
    access_changed(cursor)
    return {"device": command.device, "revoked": wanted}


def _limit(cursor: Cursor, command: c.LimitDevice, actor: Actor, now: datetime) -> dict[str, Any]:
    _device(cursor, actor, command.device)
    if (command.per_s is None) != (command.burst is None):
        raise Rejected("field", "per_s, burst: both, or none of them (as the setting says)", field="burst")
    if command.per_s is None or command.burst is None:
        cursor.execute("DELETE FROM device_limits WHERE device = %s", (command.device,))
    else:
        _within("per_s", command.per_s, 0.001, 10_000)
        _within("burst", command.burst, 1, 1_000_000)
        cursor.execute(
            "INSERT INTO device_limits (device, per_s, burst) VALUES (%s, %s, %s)"
            " ON CONFLICT (device) DO UPDATE SET per_s = EXCLUDED.per_s, burst = EXCLUDED.burst",
            (command.device, command.per_s, command.burst),
        )
    access_changed(cursor)
    return {"device": command.device, "per_s": command.per_s, "burst": command.burst}


def _settle_loss(cursor: Cursor, command: c.SettleGatewayLoss, actor: Actor, now: datetime) -> dict[str, Any]:
    cursor.execute("SELECT value FROM city WHERE key = 'path'")
    row = cursor.fetchone()
    require(actor, "deadletter.replay", Thing(str(row[0]) if row else ""))
    if not command.reason.strip():
        raise Rejected("field", "reason='': say what came of it", field="reason")
    cursor.execute(
        "UPDATE ledger_mismatches SET resolved_at = %s WHERE id = %s AND kind = %s AND resolved_at IS NULL",
        (now, command.mismatch, DROPPED),
    )
    if not cursor.rowcount:
        raise Rejected("not_found", f"mismatch={command.mismatch}: no such open loss", field="mismatch")
    return {"mismatch": command.mismatch}


HANDLERS: Final[dict[type, Callable[[Cursor, Any, Actor, datetime], dict[str, Any]]]] = {
    c.IssueDeviceCredential: _issue,
    c.RotateDeviceCredential: _rotate,
    c.RevokeDeviceCredential: _revoke,
    c.LimitDevice: _limit,
    c.SettleGatewayLoss: _settle_loss,
}
