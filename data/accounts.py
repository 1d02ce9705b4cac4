"""Accounts: passwords (argon2id), lockout, rights. A changed right ends the account's sessions at once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from data.database import Cursor, Database, dicts
from incidents.access import ROLES
from incidents.model import Rejected

MIN_PASSWORD = 10
MAX_PASSWORD = 200
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no 0/o, 1/l/i: first passwords are read out and typed
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")
_AT_ONCE = 4
"""Password checks at a time: each takes 64 MiB."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a login gives."""

    id: int
    login: str
    name: str
    role: str
    must_change: bool


def first_password() -> str:
    """A first password: 59 bits, easy to read out."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))


class Accounts:
    """Checks and changes accounts. `attempts` wrong passwords in a row lock one for `lock_min` minutes."""

    def __init__(
        self, db: Database, *, attempts: int, lock_min: float, hasher: PasswordHasher | None = None
    ) -> None:
        self._db = db
        self._attempts = attempts
        self._lock = timedelta(minutes=lock_min)
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        self._busy = BoundedSemaphore(_AT_ONCE)

    # -- logging in ------------------------------------------------------------------------------------------

    def check(self, login: str, password: str, now: datetime) -> Account | None:
        """The account when login and password fit; None when not, locked, disabled or unknown — which of
        these is not told, and takes the same work to find out.

        An attempt is counted before the password is looked at, so guessing in parallel gains nothing.
        """
        rows = self._db.query(
            "UPDATE accounts SET failed = CASE WHEN locked_until IS NULL THEN failed + 1 ELSE 1 END,"
            " locked_until = NULL WHERE login = %s AND NOT disabled"
            " AND (locked_until IS NULL OR locked_until <= %s)"
            " RETURNING id, login, name, role, must_change, password_hash, failed",
            (_storable(login), now),
        )
        fits = self._verify(rows[0][5] if rows else self._nobody, password)
        if not rows:
            return None
        number, found, name, role, must_change, old_hash, failed = rows[0]
        if failed > self._attempts or not fits:
            if failed >= self._attempts:
                self._db.query(
                    "UPDATE accounts SET locked_until = %s WHERE id = %s AND locked_until IS NULL",
                    (now + self._lock, number),
                )
            return None
        renewed = self._hasher.check_needs_rehash(old_hash)
        self._db.query(
            "UPDATE accounts SET failed = 0, password_hash = CASE WHEN password_hash = %s THEN %s"
            " ELSE password_hash END WHERE id = %s",
            (old_hash, self.hash(password) if renewed else old_hash, number),
        )
        return Account(number, found, name, role, must_change)

    def change_password(
        self, account: int, old: str, new: str, *, keep_session: bytes, now: datetime
    ) -> None:
        """Set a new password; the account's other sessions end. Wrong old passwords count towards the lock.

        Raises Rejected: field `old` or `new`.
        """
        rows = self._db.query("SELECT login FROM accounts WHERE id = %s", (account,))
        if not rows or self.check(rows[0][0], old, now) is None:
            raise Rejected("field", "old password: does not fit, or the account is locked", field="old")
        check_password(rows[0][0], old, new)
        fresh = self.hash(new)
        with self._db.transaction() as cursor:
            cursor.execute(
                "UPDATE accounts SET password_hash = %s, must_change = false WHERE id = %s", (fresh, account)
            )
            cursor.execute(
                "UPDATE sessions SET ended_at = %s WHERE account = %s AND token_hash <> %s AND ended_at IS NULL",
                (now, account, keep_session),
            )

    def hash(self, password: str) -> str:
        """argon2id hash of a password."""
        with self._busy:
            return self._hasher.hash(password)

    def _verify(self, stored: str, password: str) -> bool:
        if len(password) > MAX_PASSWORD:
            password = ""
        with self._busy:
            try:
                return self._hasher.verify(stored, password)
            except (VerificationError, InvalidHashError):
                return False

    def never_entered(self) -> int:
        """How many active accounts still have the first password that they were made with."""
        return int(self._db.query("SELECT count(*) FROM accounts WHERE must_change AND NOT disabled")[0][0])

    # -- administration (inside the caller's transaction) ----------------------------------------------------

    def create(
        self,
        cursor: Cursor,
        *,
        login: str,
        name: str,
        role: str,
        unit: str,
        areas: Sequence[str],
        now: datetime,
        password: str = "",
    ) -> str:
        """A new account; answers its first password, which must be changed at the first login.

        Raises Rejected: field login, name, role, unit or areas.
        """
        if not _LOGIN.fullmatch(login):
            rule = "2 to 64 of a-z, 0-9, '.', '_', '-', beginning with a letter or digit"
            raise Rejected("field", f"login={login[:80]!r}: must be {rule}", field="login")
        if not name.strip() or len(name) > 100:
            raise Rejected("field", f"name={name[:110]!r}: must be 1 to 100 characters", field="name")
        _check_rights(cursor, role, unit, areas)
        _check_open(cursor, unit, areas)
        password = password or first_password()
        cursor.execute(
            "INSERT INTO accounts (login, name, role, unit, areas, password_hash, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (login) DO NOTHING RETURNING id",
            (login, name.strip(), role, unit or None, list(areas), self.hash(password), now),
        )
        if cursor.fetchone() is None:
            raise Rejected("field", f"login={login!r}: there is already such an account", field="login")
        if role == "grid_worker":
            cursor.execute("INSERT INTO workers (login, unit) VALUES (%s, %s)", (login, unit))
        return password

    def change(
        self,
        cursor: Cursor,
        login: str,
        *,
        role: str | None,
        unit: str | None,
        areas: Sequence[str] | None,
        disabled: bool | None,
        now: datetime,
    ) -> dict[str, Any]:
        """Re-role, move, disable or enable an account; None leaves a part as it is. Its sessions end.

        Answers {"before": {...}, "after": {...}} (role, unit, areas, disabled) for the audit log.
        Raises Rejected: not_found, field.
        """
        before = _rights(cursor, login)
        after: dict[str, Any] = {
            "role": before["role"] if role is None else role,
            "unit": before["unit"] if unit is None else unit,
            "areas": before["areas"] if areas is None else list(areas),
            "disabled": before["disabled"] if disabled is None else disabled,
        }
        _check_rights(cursor, after["role"], after["unit"], after["areas"])
        if not after["disabled"]:
            # People of a unit that was disabled finish what they hold; only new ones are refused.
            same = after["unit"] == before["unit"] and not before["disabled"]
            _check_open(cursor, "" if same else after["unit"], after["areas"])
        cursor.execute(
            "UPDATE accounts SET role = %s, unit = %s, areas = %s, disabled = %s,"
            " rights_version = rights_version + 1, failed = 0, locked_until = NULL WHERE login = %s",
            (after["role"], after["unit"] or None, after["areas"], after["disabled"], login),
        )
        if after["role"] == "grid_worker":
            cursor.execute(
                "INSERT INTO workers (login, unit) VALUES (%s, %s)"
                " ON CONFLICT (login) DO UPDATE SET unit = EXCLUDED.unit",
                (login, after["unit"]),
            )
        _end_sessions(cursor, login, now)
        return {"before": before, "after": after}

    def reset_password(self, cursor: Cursor, login: str, now: datetime) -> str:
        """A new first password, to be changed at the next login; unlocks; sessions end. Raises not_found."""
        _rights(cursor, login)
        password = first_password()
        cursor.execute(
            "UPDATE accounts SET password_hash = %s, must_change = true, failed = 0, locked_until = NULL,"
            " rights_version = rights_version + 1 WHERE login = %s",
            (self.hash(password), login),
        )
        _end_sessions(cursor, login, now)
        return password


def check_password(login: str, old: str, new: str) -> None:
    """The rules of a password. Raises Rejected: field `new`."""
    rule = ""
    if len(new) < MIN_PASSWORD:
        rule = f"at least {MIN_PASSWORD} characters"
    elif len(new) > MAX_PASSWORD:
        rule = f"at most {MAX_PASSWORD} characters"
    elif new.casefold() == login.casefold():
        rule = "must not be the login"
    elif new == old:
        rule = "must not be the old one"
    elif len(set(new)) < 4:
        rule = "at least 4 different characters"
    if rule:
        # The value itself is a secret: its length is all that is told of it.
        raise Rejected("field", f"new password ({len(new)} characters): {rule}", field="new", rule=rule)


def _check_rights(cursor: Cursor, role: str, unit: str, areas: Sequence[str]) -> None:
    if role not in ROLES:
        raise Rejected("field", f"role={role!r}: must be one of {', '.join(ROLES)}", field="role")
    if unit:
        cursor.execute("SELECT 1 FROM units WHERE code = %s", (_storable(unit),))
        if cursor.fetchone() is None:
            raise Rejected("field", f"unit={unit!r}: there is no such unit", field="unit")
    elif role in ("unit_handler", "grid_worker"):
        raise Rejected("field", f"unit='': a {role} belongs to a unit", field="unit")
    for area in areas:
        require_area(cursor, area, "areas", enabled=False)
    if not areas:
        raise Rejected("field", "areas=[]: an account without an area may see nothing", field="areas")


def _check_open(cursor: Cursor, unit: str, areas: Sequence[str]) -> None:
    """An active account is not put into a disabled unit or area. Raises Rejected(field)."""
    for area in areas:
        require_area(cursor, area, "areas", enabled=True)
    cursor.execute("SELECT 1 FROM units WHERE code = %s AND disabled FOR SHARE", (unit,))
    if unit and cursor.fetchone() is not None:
        raise Rejected("field", f"unit={unit!r}: is disabled", field="unit")


def require_area(cursor: Cursor, path: str, field: str, *, enabled: bool) -> None:
    """There is an area with this path; with `enabled` neither it nor one above it is disabled.

    Held until the transaction ends, so that nobody disables it meanwhile. Raises Rejected(field).
    """
    parts = _storable(path).rstrip("/").split("/")
    above = ["/".join(parts[: n + 1]) + "/" for n in range(len(parts))]
    cursor.execute("SELECT path, disabled FROM areas WHERE path = ANY(%s) ORDER BY path FOR SHARE", (above,))
    found = dict(cursor.fetchall())
    if path not in found:
        raise Rejected("field", f"{field}={path!r}: there is no area with this path", field=field)
    closed = [p for p, disabled in found.items() if disabled]
    if enabled and closed:
        raise Rejected("field", f"{field}={path!r}: {closed[0]} is disabled", field=field)


def _rights(cursor: Cursor, login: str) -> dict[str, Any]:
    cursor.execute(
        "SELECT role, coalesce(unit, '') AS unit, areas, disabled FROM accounts WHERE login = %s FOR UPDATE",
        (_storable(login),),
    )
    rows = dicts(cursor)
    if not rows:
        raise Rejected("not_found", f"login={login!r}: there is no such account", field="login")
    return rows[0]


def _end_sessions(cursor: Cursor, login: str, now: datetime) -> None:
    cursor.execute(
        "UPDATE sessions SET ended_at = %s FROM accounts a WHERE a.id = sessions.account AND a.login = %s"
        " AND sessions.ended_at IS NULL",
        (now, login),
    )


def _storable(text: str) -> str:
    """PostgreSQL text holds no NUL; a login with one fits nothing."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
