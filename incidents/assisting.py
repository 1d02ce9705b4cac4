"""协办: units that help the lead unit with one incident. Each accepts, arrives and answers by itself; the result goes to the
check only when all of them have answered or the dispatcher has let them go (S14).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from incidents.model import Rejected


@dataclass(frozen=True, slots=True)
class Assist:
    """One unit's help. `what`: asked of it; `answer`: what it did; `why`: for what reason it was let go."""

    unit: str
    what: str
    by: int
    asked_at: datetime
    taken_at: datetime | None = None
    arrived_at: datetime | None = None
    done_at: datetime | None = None
    answer: str = ""
    released_at: datetime | None = None
    why: str = ""

    @property
    def open(self) -> bool:
        """Whether somebody still waits for it."""
        return self.done_at is None and self.released_at is None


Assists = tuple[Assist, ...]


def waiting(assists: Sequence[Assist]) -> tuple[str, ...]:
    """The units that have not answered yet, in the order in which they were asked."""
    return tuple(one.unit for one in assists if one.open)


def concerned(assists: Sequence[Assist]) -> tuple[str, ...]:
    """The units that help or have helped: they see the incident. Who was let go does not."""
    return tuple(dict.fromkeys(one.unit for one in assists if one.released_at is None))


def changes(old: Sequence[Assist], new: Sequence[Assist]) -> tuple[tuple[str, str, str], ...]:
    """(issued | seen | ended, unit, how it ended) for each unit that a step asked, that accepted, or that is done with:
    handled, lead (it leads now), else let go."""
    before = {one.unit: one for one in old if one.open}
    after = {one.unit: one for one in new if one.open}
    last = {one.unit: one for one in new}
    found = [("ended", unit, _outcome(last.get(unit))) for unit in before if unit not in after]
    found += [("issued", unit, "") for unit in after if unit not in before]
    both = ((unit, before[unit]) for unit in after if unit in before)
    found += [
        ("seen", unit, "") for unit, was in both if was.taken_at is None and after[unit].taken_at is not None
    ]
    return tuple(found)


def _outcome(one: Assist | None) -> str:
    if one is not None and one.done_at is not None:
        return "handled"
    return "superseded" if one is not None and one.why == "lead" else "released"


def asked(assists: Assists, unit: str, lead: str, what: str, by: int, now: datetime) -> Assists:
    """One more unit. Raises Rejected: the lead itself, or one that is asked already."""
    if unit == lead:
        raise Rejected("rule", f"unit={unit!r}: leads already, it cannot assist as well", field="unit")
    if unit in waiting(assists):
        raise Rejected("rule", f"unit={unit!r}: is asked already and has not answered", field="unit")
    return (*assists, Assist(unit, what, by, now))


def taken(assists: Assists, unit: str, now: datetime) -> Assists:
    """The unit accepts. Raises Rejected(rule)."""
    one = _open(assists, unit)
    if one.taken_at is not None:
        raise Rejected("rule", f"unit={unit!r}: has accepted already", field="unit")
    return _with(assists, replace(one, taken_at=now))


def arrived(assists: Assists, unit: str, now: datetime) -> Assists:
    """The unit is there. Raises Rejected(rule)."""
    one = _open(assists, unit)
    if one.taken_at is None or one.arrived_at is not None:
        state = "has not accepted" if one.taken_at is None else "has arrived already"
        raise Rejected("rule", f"unit={unit!r}: {state}", field="unit")
    return _with(assists, replace(one, arrived_at=now))


def answered(assists: Assists, unit: str, answer: str, now: datetime) -> Assists:
    """The unit says what it did; who had nothing to go to has accepted with it. Raises Rejected(rule)."""
    one = _open(assists, unit)
    return _with(assists, replace(one, taken_at=one.taken_at or now, done_at=now, answer=answer))


def released(assists: Assists, unit: str, why: str, now: datetime) -> Assists:
    """The unit is not needed any more. Raises Rejected(rule)."""
    return _with(assists, replace(_open(assists, unit), released_at=now, why=why))


def all_released(assists: Assists, why: str, now: datetime) -> Assists:
    """The incident came to its end: nobody waits for anybody."""
    return tuple(replace(one, released_at=now, why=why) if one.open else one for one in assists)


def led_by(assists: Assists, unit: str, now: datetime) -> Assists:
    """Who leads now does not assist as well."""
    return released(assists, unit, "lead", now) if unit in waiting(assists) else assists


def _open(assists: Assists, unit: str) -> Assist:
    found = next((one for one in assists if one.unit == unit and one.open), None)
    if found is None:
        raise Rejected("rule", f"unit={unit!r}: does not assist here, or has answered already", field="unit")
    return found


def _with(assists: Assists, changed: Assist) -> Assists:
    return tuple(changed if one.unit == changed.unit and one.open else one for one in assists)
