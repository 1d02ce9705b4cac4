"""Which steps make sense now, beside what TRANSITIONS allows: for buttons. `advance` refuses the others with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from incidents.assisting import Assist, waiting
from incidents.clocks import MOST_EXTENSIONS
from incidents.model import Actor, Incident

Condition = Callable[[Incident, Actor], bool]


def _may_ask(i: Incident, a: Actor) -> bool:
    return i.asked is None and i.clock is not None and i.clock.parked_until is None


def _may_answer(i: Incident, a: Actor) -> bool:
    return i.asked is not None and i.asked.by != a.id


def _supervised(i: Incident, a: Actor) -> bool:
    return i.supervision is not None and i.supervision.open


def _may_decide(i: Incident, a: Actor) -> bool:
    return i.appeal is not None and i.appeal.granted is None and i.appeal.by != a.id


def _assist_of(i: Incident, a: Actor) -> Assist | None:
    return next((one for one in i.assists if one.open and one.unit == a.unit), None)


_WHEN: Final[Mapping[str, Condition]] = {
    "acknowledge": lambda i, a: i.acknowledged_by is None,
    "pass_check": lambda i, a: i.handled_by != a.id,
    "fail_check": lambda i, a: i.handled_by != a.id,
    "ask_extension": lambda i, a: (
        _may_ask(i, a) and i.clock is not None and i.clock.extensions < MOST_EXTENSIONS
    ),
    "ask_parking": lambda i, a: _may_ask(i, a) and i.clock is not None and not i.clock.was_parked,
    "grant_request": _may_answer,
    "refuse_request": _may_answer,
    "unpark": lambda i, a: i.clock is not None and i.clock.parked_until is not None,
    "supervise": lambda i, a: not _supervised(i, a),
    "sign_supervision": lambda i, a: (
        _supervised(i, a) and i.supervision is not None and i.supervision.signed_at is None
    ),
    "answer_supervision": lambda i, a: (
        _supervised(i, a) and i.supervision is not None and i.supervision.answered_at is None
    ),
    "end_supervision": _supervised,
    "appeal": lambda i, a: i.appeal is None and (i.overdue or i.reworks > 0 or i.returns > 0),
    "grant_appeal": _may_decide,
    "refuse_appeal": _may_decide,
    "handle": lambda i, a: not waiting(i.assists),
    "take_assist": lambda i, a: (one := _assist_of(i, a)) is not None and one.taken_at is None,
    "arrive_assist": lambda i, a: (
        (one := _assist_of(i, a)) is not None and one.taken_at is not None and one.arrived_at is None
    ),
    "answer_assist": lambda i, a: (one := _assist_of(i, a)) is not None and one.taken_at is not None,
    "release_assist": lambda i, a: bool(waiting(i.assists)),
    "call_back": lambda i, a: i.satisfaction is None,
}


def is_possible(incident: Incident, action: str, actor: Actor) -> bool:
    """Whether a step that TRANSITIONS allows from here has something to act on, for this actor."""
    condition = _WHEN.get(action)
    return condition is None or condition(incident, actor)
