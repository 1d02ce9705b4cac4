"""Versions of formulas and of the score: what ships with the product, and after it what the city has saved (S17)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final

from data.database import Cursor, json
from incidents.evaluation_commands import SaveFormula, SaveScore
from incidents.formulas import SCORE, SHIPPED, BadFormula, Formula, Score, in_force
from incidents.model import Actor, Rejected

_ID: Final = re.compile(r"[a-z][a-z0-9_]{2,39}")
LONGEST_NAME: Final = 40


def formulas(cursor: Cursor) -> list[Formula]:
    """Every version of every formula, by formula, the oldest first."""
    cursor.execute(
        "SELECT id, version, name, numerator, denominator, exclude, direction, author, since, until, reason, saved_at"
        " FROM formula_versions ORDER BY id, version"
    )
    saved = [
        Formula(id, version, name, tuple(above), tuple(below), tuple(without), *rest)
        for id, version, name, above, below, without, *rest in cursor.fetchall()
    ]
    order = {formula.id: place for place, formula in reversed([*enumerate((*SHIPPED, *saved))])}
    return sorted((*SHIPPED, *saved), key=lambda formula: (order[formula.id], formula.version))


def scores(cursor: Cursor) -> list[Score]:
    """Every version of the score, the oldest first."""
    cursor.execute(
        "SELECT weights, version, author, since, reason, saved_at FROM score_versions ORDER BY version"
    )
    return [SCORE, *(Score(*row) for row in cursor.fetchall())]


def _day(field: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Rejected("field", f"{field}={text!r}: must be a date, YYYY-MM-DD", field=field) from None


def _since(text: str, today: date, last: date | None) -> date:
    since = _day("since", text)
    if since < today:
        rule = f"must be {today} or later: what was told of the past stays"
        raise Rejected("field", f"since={text!r}: {rule}", field="since")
    if last is not None and since < last:
        rule = f"must not be before {last}, from when the version before it is in force"
        raise Rejected("field", f"since={text!r}: {rule}", field="since")
    return since


def _why(reason: str) -> str:
    if not reason.strip():
        raise Rejected("field", "reason='': say why", field="reason")
    return reason.strip()


def save_formula(
    cursor: Cursor, command: SaveFormula, actor: Actor, now: datetime, today: date
) -> dict[str, Any]:
    """See SaveFormula. `today`: in the city. Raises Rejected."""
    cursor.execute("LOCK TABLE formula_versions IN SHARE ROW EXCLUSIVE MODE")
    if not _ID.fullmatch(command.id):
        rule = "must be 3 to 40 small letters, digits and _, a letter first"
        raise Rejected("field", f"id={command.id!r}: {rule}", field="id")
    name = command.name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Rejected("field", f"name={name!r}: must be 1 to {LONGEST_NAME} characters", field="name")
    older = [formula for formula in formulas(cursor) if formula.id == command.id]
    since = _since(command.since, today, older[-1].since if older else None)
    try:
        made = Formula(
            command.id, len(older) + 1, name, tuple(command.numerator), tuple(command.denominator),
            tuple(command.exclude), command.direction, actor.name, since,
            _day("until", command.until) if command.until else None, _why(command.reason), now,
        )  # fmt: skip
    except BadFormula as bad:
        raise Rejected("field", str(bad), field=bad.field) from None
    cursor.execute(
        "INSERT INTO formula_versions (id, version, name, numerator, denominator, exclude, direction, author, since,"
        " until, reason, saved_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            made.id, made.version, made.name, list(made.numerator), list(made.denominator), list(made.exclude),
            made.direction, made.author, made.since, made.until, made.reason, now,
        ),
    )  # fmt: skip
    return {"id": made.id, "version": made.version, "since": made.since.isoformat()}


def save_score(
    cursor: Cursor, command: SaveScore, actor: Actor, now: datetime, today: date
) -> dict[str, Any]:
    """See SaveScore. Raises Rejected."""
    cursor.execute("LOCK TABLE score_versions IN SHARE ROW EXCLUSIVE MODE")
    older = scores(cursor)
    since = _since(command.since, today, older[-1].since)
    known = in_force(formulas(cursor), since)
    for name, weight in command.weights.items():
        if name not in known:
            rule = f"must be one of {', '.join(known)}, which are in force on {since}"
            raise Rejected("field", f"weights.{name}: {rule}", field="weights")
        if not 0 < weight <= 100:
            raise Rejected("field", f"weights.{name}={weight:g}: must be above 0, up to 100", field="weights")
    total = sum(command.weights.values())
    if abs(total - 100) > 1e-6:
        raise Rejected("field", f"weights: are {total:g} together, must be 100", field="weights")
    why = _why(command.reason)
    cursor.execute(
        "INSERT INTO score_versions (version, weights, author, since, reason, saved_at) VALUES (%s, %s, %s, %s, %s, %s)",
        (len(older) + 1, json(dict(command.weights)), actor.name, since, why, now),
    )
    return {"version": len(older) + 1, "since": since.isoformat()}


Handler = Callable[[Cursor, Any, Actor, datetime, date], dict[str, Any]]
HANDLERS: Final[dict[type, Handler]] = {SaveFormula: save_formula, SaveScore: save_score}
