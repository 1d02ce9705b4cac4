"""The paired screens of the wall in the store: who may drive one is asked here, for all of its areas.

A screen's account has role wall, its areas, and a password that fits nothing: its session comes from the pairing alone
(data/screen_pairing.py) and ends when the account is disabled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from data.accounts import require_area
from data.database import Cursor, Database, dicts, json
from data.device_registry import Handler, PlaceOf
from data.live_outbox import show
from data.locks import Lock
from incidents.access import Thing, may, topmost
from incidents.model import Actor, Rejected
from incidents.screen_commands import (
    MuteScreen,
    PairScreen,
    PinScene,
    SendToScreen,
    SetRotation,
    UnpairScreen,
)
from incidents.screens import Shown, known_size, pinned, returned, rotating, sent

LOGIN: Final = "screen-"
NO_PASSWORD: Final = "!"  # noqa: S105 - no hash: nothing fits it
GUESS_WINDOW: Final = timedelta(minutes=10)
MOST_GUESSES: Final = 10
"""Wrong codes of one account within the window."""
MOST_GUESSES_OF_ALL: Final = 40

GUESSED: Final = "INSERT INTO pairing_guesses (at, login) VALUES (%s, %s)"
"""Kept although the command was refused (data/uow.py)."""

_COLUMNS: Final = (
    "s.id, s.name, s.size, s.columns, s.rows, s.seam_px, s.areas, s.shows, s.before, s.version, a.login"
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM screens s JOIN accounts a ON a.id = s.account"


def shown_from(stored: Any) -> Shown:
    """What was stored of it."""
    return msgspec.convert(stored, Shown, strict=False)


def stored_of(shown: Shown) -> dict[str, Any]:
    """What is stored of it, JSON-ready."""
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(shown))
    return told


def live_item(row: Mapping[str, Any]) -> dict[str, Any]:
    """A screen as a live item: {key, name, login, size, columns, rows, seam_px, version} and what `Shown` says."""
    return {
        "kind": "screen",
        "key": str(row["id"]),
        "area": row["areas"][0],
        **{name: row[name] for name in ("name", "login", "size", "columns", "rows", "seam_px", "version")},
        "can_go_back": row["before"] is not None,
        **stored_of(shown_from(row["shows"])),
    }


def screen_items(database: Database) -> Iterator[dict[str, Any]]:
    """Every paired screen, for a rebuild of the live state."""
    for row in database.dicts(f"{_SELECT} WHERE s.revoked_at IS NULL ORDER BY s.id"):
        yield live_item(row)


def _pair(
    cursor: Cursor, command: PairScreen, actor: Actor, now: datetime, _place_of: PlaceOf
) -> dict[str, Any]:
    columns, rows = known_size(command.size, command.columns, command.rows)
    name = command.name.strip()
    if not name or len(name) > 40 or not name.isprintable():
        raise Rejected("field", f"name={name[:50]!r}: must be 1 to 40 characters", field="name")
    if not 0 <= command.seam_px <= 200:
        raise Rejected("field", f"seam_px={command.seam_px}: must be from 0 to 200", field="seam_px")
    areas = topmost(command.areas)
    if not areas:
        raise Rejected("field", "areas=[]: say what it shows", field="areas")
    for area in areas:
        require_area(cursor, area, "areas", enabled=True)
        _require(actor, "screen.pair", area)
    pairing, address = _waiting(cursor, command.code, actor, now)
    cursor.execute("SELECT nextval(pg_get_serial_sequence('screens', 'id'))")
    (number,) = cursor.fetchone() or (0,)
    cursor.execute(
        "INSERT INTO accounts (login, name, role, areas, password_hash, must_change, created_at)"
        " VALUES (%s, %s, 'wall', %s, %s, false, %s) RETURNING id",
        (f"{LOGIN}{number}", name, list(areas), NO_PASSWORD, now),
    )
    (account,) = cursor.fetchone() or (0,)
    cursor.execute(
        "INSERT INTO screens (id, account, name, size, columns, rows, seam_px, areas, address, paired_by, paired_at, shows)"
        " OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            number, account, name, command.size, columns, rows, command.seam_px, list(areas), address, actor.login,
            now, json(stored_of(Shown())),
        ),
    )  # fmt: skip
    cursor.execute("UPDATE screen_pairings SET screen = %s WHERE id = %s", (number, pairing))
    show(cursor, now, [live_item(_screen(cursor, number))])
    return {"screen": number, "name": name, "login": f"{LOGIN}{number}", "address": address}


def _waiting(cursor: Cursor, code: str, actor: Actor, now: datetime) -> tuple[int, str]:
    """(pairing, address) of a code that waits. Raises Rejected(field code); wrong ones are counted and come to an end."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (Lock.PAIRING,))
    cursor.execute(
        "SELECT count(*) FILTER (WHERE login = %s), count(*) FROM pairing_guesses WHERE at > %s",
        (actor.login, now - GUESS_WINDOW),
    )
    mine, all_of_them = cursor.fetchone() or (0, 0)
    if mine >= MOST_GUESSES or all_of_them >= MOST_GUESSES_OF_ALL:
        minutes = int(GUESS_WINDOW.total_seconds() // 60)
        raise Rejected("rule", f"code: too many wrong codes; try again in {minutes} minutes", field="guesses")
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    cursor.execute(
        "SELECT id, address FROM screen_pairings WHERE code = %s AND screen IS NULL AND expires_at > %s FOR UPDATE",
        (plain, now),
    )
    row = cursor.fetchone()
    if row is None:
        raise Rejected("field", "code: no screen shows this code now", field="code")
    return row


def _unpair(
    cursor: Cursor, command: UnpairScreen, actor: Actor, now: datetime, _place_of: PlaceOf
) -> dict[str, Any]:
    row = _screen(cursor, command.screen)
    for area in row["areas"]:
        _require(actor, "screen.pair", area)
    cursor.execute(
        "UPDATE screens SET revoked_at = %s, revoked_by = %s WHERE id = %s",
        (now, actor.login, command.screen),
    )
    cursor.execute(
        "UPDATE accounts SET disabled = true, rights_version = rights_version + 1 WHERE login = %s",
        (row["login"],),
    )
    show(cursor, now, gone=[("screen", str(command.screen))])
    return {"screen": command.screen, "name": row["name"]}


def _send(
    cursor: Cursor, command: SendToScreen, actor: Actor, now: datetime, _place_of: PlaceOf
) -> dict[str, Any]:
    row = _driven(cursor, command.screen, actor)
    shown = shown_from(row["shows"])
    if command.back:
        return _keep(cursor, row, returned(shown, _before(row), actor.name, now), None, now)
    if command.incident is not None:
        _see(cursor, actor, "incident.see", "incident", "incidents", "id", command.incident)
    if command.camera:
        _see(cursor, actor, "camera.see", "camera", "cameras", "code", command.camera)
    # Back from the second thing that was sent leads to the scene, not to the first thing.
    before = shown if not shown.sent_ms or row["before"] is None else _before(row)
    return _keep(cursor, row, sent(shown, command, actor.name, now), before, now)


def _see(
    cursor: Cursor, actor: Actor, action: str, field: str, table: str, column: str, value: object
) -> None:
    """There is such a thing and the actor may see it. Raises Rejected."""
    cursor.execute(f"SELECT area_path FROM {table} WHERE {column} = %s", (value,))
    found = cursor.fetchone()
    if found is None:
        raise Rejected("not_found", f"{field}={value!r}: there is no such {field}", field=field)
    _require(actor, action, found[0])


def _rotate(
    cursor: Cursor, command: SetRotation, actor: Actor, now: datetime, _place_of: PlaceOf
) -> dict[str, Any]:
    row = _driven(cursor, command.screen, actor)
    return _keep(cursor, row, rotating(shown_from(row["shows"]), command, now), None, now)


def _pin(
    cursor: Cursor, command: PinScene, actor: Actor, now: datetime, _place_of: PlaceOf
) -> dict[str, Any]:
    row = _driven(cursor, command.screen, actor)
    return _keep(cursor, row, pinned(shown_from(row["shows"]), command.pinned, now), _before(row), now)


def _mute(
    cursor: Cursor, command: MuteScreen, actor: Actor, now: datetime, _place_of: PlaceOf
) -> dict[str, Any]:
    row = _driven(cursor, command.screen, actor)
    return _keep(cursor, row, replace(shown_from(row["shows"]), muted=command.muted), _before(row), now)


def _before(row: Mapping[str, Any]) -> Shown | None:
    return shown_from(row["before"]) if row["before"] is not None else None


def _driven(cursor: Cursor, number: int, actor: Actor) -> dict[str, Any]:
    """A screen that this actor may drive: all of its areas are his. Raises Rejected."""
    row = _screen(cursor, number)
    for area in row["areas"]:
        _require(actor, "screen.drive", area)
    return row


def _screen(cursor: Cursor, number: int) -> dict[str, Any]:
    if not 0 <= number < 2**63:
        raise Rejected("not_found", f"screen={number}: there is no such screen", field="screen")
    cursor.execute(f"{_SELECT} WHERE s.id = %s AND s.revoked_at IS NULL FOR UPDATE OF s", (number,))
    rows: Sequence[dict[str, Any]] = dicts(cursor)
    if not rows:
        raise Rejected("not_found", f"screen={number}: there is no such screen", field="screen")
    return rows[0]


def _keep(
    cursor: Cursor, row: dict[str, Any], shown: Shown, before: Shown | None, now: datetime
) -> dict[str, Any]:
    row |= {
        "shows": stored_of(shown),
        "before": None if before is None else stored_of(before),
        "version": row["version"] + 1,
    }
    cursor.execute(
        "UPDATE screens SET shows = %s, before = %s, version = %s WHERE id = %s",
        (
            json(row["shows"]),
            None if before is None else json(row["before"]),
            row["version"],
            row["id"],
        ),
    )
    show(cursor, now, [live_item(row)])
    return {"screen": row["id"], "version": row["version"], "scene": shown.scene}


def _require(actor: Actor, action: str, area: str) -> None:
    decision = may(actor, action, Thing(area))
    if not decision:
        raise Rejected("forbidden", f"{action}: {decision.reason}", field="actor")


HANDLERS: Final[dict[type, Handler]] = {
    PairScreen: _pair,
    UnpairScreen: _unpair,
    SendToScreen: _send,
    SetRotation: _rotate,
    PinScene: _pin,
    MuteScreen: _mute,
}
