"""Commands that change registries: accounts, units, areas, dead letters; devices stand in `device_registry`.

Inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from data import device_credentials, poles, routing_admin, saved_views
from data.accounts import Accounts, require_area
from data.boundary_import import import_boundaries
from data.catalogue_editing import HANDLERS as CATALOGUE_HANDLERS
from data.database import Cursor, json
from data.device_import import import_devices
from data.device_registry import HANDLERS as REGISTRY_HANDLERS
from data.device_registry import Handler, PlaceOf
from data.enforcement_store import set_case_limit
from data.feed_commands import CheckFeed, save_feed, switch_feed
from data.registry import bump
from data.replay import REPLAY_TOPIC, replay_payload
from data.working_days import save_working_year
from incidents import commands as c
from incidents.access import Thing, may
from incidents.areas import LEVELS
from incidents.enforcement_commands import SetCaseLimit
from incidents.handling_commands import SaveWorkingYear
from incidents.model import Actor, Rejected

TOO_LARGE: Final = "too_large"
"""Reason of a dead letter that cannot go back as it is."""

DEVICE_HANDLERS: Final[Mapping[type, Handler]] = {
    **REGISTRY_HANDLERS,
    **poles.HANDLERS,
    c.ImportDevices: import_devices,
    c.ImportBoundaries: import_boundaries,
}


def _require(actor: Actor, action: str, area_path: str) -> None:
    decision = may(actor, action, Thing(area_path))
    if not decision:
        raise Rejected("forbidden", f"{action}: {decision.reason}", field="actor")


class Administration:
    """Carries out administrative commands; asks `may` for the very area that is changed."""

    def __init__(self, accounts: Accounts, check_feed: CheckFeed | None = None) -> None:
        self._accounts = accounts
        self._check_feed = check_feed
        self._handlers: dict[type, Callable[[Cursor, Any, Actor, datetime], dict[str, Any]]] = {
            c.CreateAccount: self._create_account,
            c.ChangeAccount: self._change_account,
            c.ResetPassword: self._reset_password,
            c.SaveUnit: _save_unit,
            c.SaveArea: _save_area,
            SaveWorkingYear: save_working_year,
            SetCaseLimit: set_case_limit,
            **CATALOGUE_HANDLERS,
            **routing_admin.HANDLERS,
            **saved_views.HANDLERS,
            c.ReplayDeadLetter: _replay_dead_letter,
            c.DropDeadLetter: _drop_dead_letter,
            **device_credentials.HANDLERS,
            c.SaveFeed: self._save_feed,
            c.SwitchFeed: switch_feed,
        }

    def carry_out(
        self, cursor: Cursor, command: object, actor: Actor, now: datetime, place_of: PlaceOf
    ) -> dict[str, Any]:
        """Raises Rejected."""
        if type(command) in DEVICE_HANDLERS:
            return DEVICE_HANDLERS[type(command)](cursor, command, actor, now, place_of)
        return self._handlers[type(command)](cursor, command, actor, now)

    def _save_feed(self, cursor: Cursor, command: c.SaveFeed, actor: Actor, now: datetime) -> dict[str, Any]:
        return save_feed(cursor, command, actor, self._check_feed)

    def _create_account(
        self, cursor: Cursor, command: c.CreateAccount, actor: Actor, now: datetime
    ) -> dict[str, Any]:
        for area in command.areas:
            _require(actor, "account.manage", area)
        _require_unit(cursor, actor, command.unit)
        password = self._accounts.create(
            cursor,
            login=command.login,
            name=command.name,
            role=command.role,
            unit=command.unit,
            areas=command.areas,
            now=now,
        )
        bump(cursor)
        return {"login": command.login, "password": password}

    def _change_account(
        self, cursor: Cursor, command: c.ChangeAccount, actor: Actor, now: datetime
    ) -> dict[str, Any]:
        self._require_account(cursor, actor, command.login)
        for area in command.areas or ():
            _require(actor, "account.manage", area)
        _require_unit(cursor, actor, command.unit or "")
        if command.login == actor.login and (command.disabled or command.role is not None):
            raise Rejected(
                "rule", f"login={command.login!r}: nobody re-roles or disables himself", field="login"
            )
        changed = self._accounts.change(
            cursor,
            command.login,
            role=command.role,
            unit=command.unit,
            areas=command.areas,
            disabled=command.disabled,
            now=now,
        )
        bump(cursor)
        return {"login": command.login, **changed}

    def _reset_password(
        self, cursor: Cursor, command: c.ResetPassword, actor: Actor, now: datetime
    ) -> dict[str, Any]:
        self._require_account(cursor, actor, command.login)
        return {
            "login": command.login,
            "password": self._accounts.reset_password(cursor, command.login, now),
        }

    def _require_account(self, cursor: Cursor, actor: Actor, login: str) -> None:
        """May the actor manage this account: all of its areas, and its unit. Raises Rejected."""
        cursor.execute("SELECT areas, coalesce(unit, '') FROM accounts WHERE login = %s FOR UPDATE", (login,))
        row = cursor.fetchone()
        if row is None:
            raise Rejected("not_found", f"login={login!r}: there is no such account", field="login")
        for area in row[0] or [""]:
            _require(actor, "account.manage", area)
        _require_unit(cursor, actor, row[1])


def _require_unit(cursor: Cursor, actor: Actor, unit: str) -> None:
    """Field staff act on whatever their unit holds, wherever it lies: who makes one answers for the unit's area.

    A unit that does not exist is refused later, by name.
    """
    if not unit:
        return
    cursor.execute("SELECT area_path FROM units WHERE code = %s", (unit,))
    row = cursor.fetchone()
    if row is not None:
        _require(actor, "account.manage", row[0])


def _save_unit(cursor: Cursor, command: c.SaveUnit, actor: Actor, now: datetime) -> dict[str, Any]:
    """A disabled unit is routed and sent nothing and gets no new accounts; what it holds it may finish."""
    _require(actor, "unit.manage", command.area_path)
    if not command.code.strip() or not command.name.strip():
        raise Rejected("field", "code, name: must not be empty", field="code")
    cursor.execute("SELECT area_path, disabled FROM units WHERE code = %s FOR UPDATE", (command.code,))
    row = cursor.fetchone()
    if row is not None:
        _require(actor, "unit.manage", row[0])
    disabled = bool(row and row[1]) if command.disabled is None else command.disabled
    require_area(cursor, command.area_path, "area_path", enabled=not disabled)
    cursor.execute(
        "INSERT INTO units (code, name, kind, area_path, phone, disabled) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name, kind = EXCLUDED.kind,"
        " area_path = EXCLUDED.area_path, phone = EXCLUDED.phone, disabled = EXCLUDED.disabled",
        (command.code, command.name, command.kind, command.area_path, command.phone, disabled),
    )
    bump(cursor)
    return {"code": command.code, "disabled": disabled}


def _save_area(cursor: Cursor, command: c.SaveArea, actor: Actor, now: datetime) -> dict[str, Any]:
    """Disabling closes an area with all below it: no point is found in it, nobody and no unit is put there.

    So it is refused while somebody or something is still there, and says what. Devices stay where they are: what
    they still sense is filed as before, and seen by who answers for the areas above.
    """
    cursor.execute("SELECT path, level FROM areas WHERE code = %s", (command.parent,))
    parent = cursor.fetchone()
    if parent is None:
        raise Rejected("field", f"parent={command.parent!r}: there is no such area", field="parent")
    _require(actor, "area.manage", parent[0])
    if command.level not in LEVELS or LEVELS.index(command.level) <= LEVELS.index(parent[1]):
        raise Rejected("field", f"level={command.level!r}: must be below {parent[1]}", field="level")
    if not command.code or "/" in command.code or not command.name.strip():
        raise Rejected("field", f"code={command.code!r}: must not be empty nor contain '/'", field="code")
    path = f"{parent[0]}{command.code}/"
    cursor.execute("SELECT path, disabled FROM areas WHERE code = %s FOR UPDATE", (command.code,))
    row = cursor.fetchone()
    if row is not None and row[0] != path:
        raise Rejected(
            "rule", f"code={command.code!r}: lies at {row[0]}; moving an area is an import", field="parent"
        )
    disabled = bool(row and row[1]) if command.disabled is None else command.disabled
    require_area(cursor, parent[0], "parent", enabled=not disabled)
    if disabled and row is not None and not row[1]:
        _require_deserted(cursor, command.code, path)
    cursor.execute(
        "INSERT INTO areas (code, level, name, parent, path, disabled) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name, disabled = EXCLUDED.disabled",
        (command.code, command.level, command.name, command.parent, path, disabled),
    )
    bump(cursor)
    return {"code": command.code, "path": path, "disabled": disabled}


def _require_deserted(cursor: Cursor, code: str, path: str) -> None:
    """Nothing open and nobody active in the area or below. Raises Rejected(rule) with what is still there."""
    cursor.execute(
        "SELECT (SELECT count(*) FROM incidents WHERE starts_with(area_path, %(path)s)"
        " AND stage NOT IN ('closed', 'refused', 'void')),"
        " (SELECT count(*) FROM accounts WHERE NOT disabled"
        " AND EXISTS (SELECT 1 FROM unnest(areas) AS a WHERE starts_with(a, %(path)s))),"
        " (SELECT count(*) FROM units WHERE NOT disabled AND starts_with(area_path, %(path)s))",
        {"path": path},
    )
    incidents, accounts, units = cursor.fetchone() or (0, 0, 0)
    if incidents or accounts or units:
        raise Rejected(
            "rule",
            f"code={code!r}: cannot be disabled, still there: {incidents} open incidents, {accounts} active accounts,"
            f" {units} units",
            field="disabled",
            incidents=incidents,
            accounts=accounts,
            units=units,
        )


def _open_letter(cursor: Cursor, topic: str, partition: int, offset: int) -> tuple[str, bytes, str, str]:
    """(key, value, feed, reason) of an open dead letter, locked. Raises Rejected(not_found, stale)."""
    cursor.execute(
        'SELECT key, value, state, feed, reason FROM dead_letters WHERE topic = %s AND partition = %s AND "offset" = %s'
        " FOR UPDATE",
        (topic, partition, offset),
    )
    row = cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"{topic}/{partition}/{offset}: no such dead letter", field="offset")
    if row[2] != "open":
        raise Rejected("stale", f"state={row[2]!r}: this dead letter was settled already", field="state")
    return str(row[0]), bytes(row[1]), str(row[3]), str(row[4])


def _require_city(cursor: Cursor, actor: Actor) -> None:
    """Dead letters are the whole city's: who answers for a part of it may not settle them."""
    cursor.execute("SELECT value FROM city WHERE key = 'path'")
    row = cursor.fetchone()
    _require(actor, "deadletter.replay", str(row[0]) if row else "")


def _settle(
    cursor: Cursor, command: Any, state: str, actor: Actor, now: datetime, corrected: str = "", why: str = ""
) -> None:
    """What was refused stays as it came; beside it, what was sent instead or why nothing was."""
    cursor.execute(
        "UPDATE dead_letters SET state = %s, settled_at = %s, settled_by = %s, corrected = %s, settled_why = %s"
        ' WHERE topic = %s AND partition = %s AND "offset" = %s',
        (
            state, now, actor.login, corrected.encode() or None, why, command.topic, command.partition,
            command.offset,
        ),
    )  # fmt: skip


def _replay_dead_letter(
    cursor: Cursor, command: c.ReplayDeadLetter, actor: Actor, now: datetime
) -> dict[str, Any]:
    _require_city(cursor, actor)
    key, value, feed, reason = _open_letter(cursor, command.topic, command.partition, command.offset)
    if command.value:
        value = command.value.encode()
    elif reason == TOO_LARGE:
        raise Rejected(
            "rule",
            f"reason={reason!r}: {len(value)} bytes would be refused again; send it anew in smaller messages, then"
            " drop this one",
            field="value",
        )
    payload = replay_payload(command.topic, command.partition, command.offset, value, feed)
    cursor.execute(
        "INSERT INTO outbox (topic, key, payload, created_at) VALUES (%s, %s, %s, %s)",
        (REPLAY_TOPIC, key, json(payload), now),
    )
    cursor.execute("NOTIFY outbox")
    _settle(cursor, command, "replayed", actor, now, corrected=command.value)
    return {"topic": command.topic, "bytes": len(value)}


def _drop_dead_letter(
    cursor: Cursor, command: c.DropDeadLetter, actor: Actor, now: datetime
) -> dict[str, Any]:
    _require_city(cursor, actor)
    if not command.reason.strip():
        raise Rejected("field", "reason='': say why it is not wanted", field="reason")
    _open_letter(cursor, command.topic, command.partition, command.offset)
    _settle(cursor, command, "dropped", actor, now, why=command.reason.strip())
    return {"topic": command.topic}
