"""Rights: role × area (× unit). `may` is asked at the entry of every command and every query.

Everything that is not listed in RIGHTS is refused. Source: ARCHITECTURE §9.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from incidents.model import Actor

ROLES: Final = (
    "operator",
    "dispatcher",
    "duty_leader",
    "unit_handler",
    "grid_worker",
    "evaluator",
    "theme_owner",
    "administrator",
    "auditor",
    "wall",
)
"""坐席 派遣员 值班领导 处置单位 网格员 考评员 专题负责人 管理员 审计员 大屏."""

_SEE: Final = frozenset(
    {
        "live.see",
        "map.see",
        "incident.see",
        "incident.list",
        "indicator.see",
        "device.see",
        "camera.see",
        "catalogue.see",
        "status.see",
        "photo.see",
    }
)
_DESK: Final = frozenset(
    {
        "replay.see",
        "incident.merge",
        "incident.export",
        "incident.similar",
        "incident.search",
        "worker.see",
        "feed.see",
        "ledger.see",
        "vital.see",
        "view.keep",
    }
)
_FIELD: Final = frozenset(
    {
        "incident.take",
        "incident.arrive",
        "incident.handle",
        "incident.return",
        "incident.note",
        "order.receipt",
        "photo.add",
    }
)
_ASSIST: Final = "incident.assist"
_UNIT: Final = frozenset({"incident.ask", "incident.answer", "incident.appeal"})
"""What a unit's office does for its incidents, and nobody in the field."""
_SCREENS: Final = frozenset({"screen.see", "screen.drive", "mark.draw"})
"""Who works at a desk that faces the wall."""

RIGHTS: Final[dict[str, frozenset[str]]] = {
    "operator": _SEE
    | _DESK
    | {
        "incident.report",
        "incident.accept",
        "incident.refuse",
        "incident.correct",
        "incident.acknowledge",
        "incident.check",
        "incident.close",
        "incident.note",
        "photo.add",
        "person.unmask",
        "camera.shelve",
        "camera.ask",
        "incident.call_back",
        "incident.reopen",
        *_SCREENS,
    },
    "dispatcher": _SEE
    | _DESK
    | {
        "incident.report",
        "incident.accept",
        "incident.refuse",
        "incident.correct",
        "incident.dispatch",
        "incident.reassign",
        "incident.void",
        "incident.acknowledge",
        "incident.note",
        "incident.rank_workers",
        "incident.grant",
        "case.see",
        "routing.see",
        "photo.add",
        "person.unmask",
        "camera.shelve",
        "camera.ask",
        *_SCREENS,
    },
    "duty_leader": _SEE
    | _DESK
    | {
        "incident.acknowledge",
        "incident.dispatch",
        "incident.reassign",
        "incident.void",
        "incident.note",
        "incident.escalate",
        "incident.rank_workers",
        "incident.grant",
        "incident.supervise",
        "case.see",
        "evaluation.see",
        "routing.see",
        "routing.approve",
        "routing.publish",
        "unit.capacity",
        "formula.see",
        "incident.reopen",
        "deadletter.see",
        "person.unmask",
        "camera.shelve",
        "camera.ask",
        "camera.answer",
        *_SCREENS,
        "screen.pair",
    },
    "unit_handler": _SEE
    | _FIELD
    | _UNIT
    | {
        _ASSIST,
        "incident.rank_workers",
        "incident.search",
        "worker.see",
        "camera.ask",
        "mark.draw",
        "view.keep",
    },
    "grid_worker": (_SEE | _FIELD | {"incident.report", "position.report", "mark.draw"}) - {"indicator.see"},
    "evaluator": _SEE
    | {
        "replay.see",
        "incident.export",
        "incident.search",
        "ledger.see",
        "incident.decide_appeal",
        "case.see",
        "evaluation.see",
        "routing.see",
        "routing.approve",
        "formula.see",
        "formula.save",
        "vital.see",
        "view.keep",
    },
    "theme_owner": _SEE
    | {
        "incident.search",
        "feed.see",
        "ledger.see",
        "evaluation.see",
        "formula.see",
        "vital.see",
        "view.keep",
    },
    "administrator": frozenset(
        {
            "status.see",
            "map.see",
            "live.see",
            "catalogue.see",
            "feed.see",
            "ledger.see",
            "deadletter.see",
            "deadletter.replay",
            "account.see",
            "account.manage",
            "unit.manage",
            "unit.capacity",
            "area.manage",
            "calendar.manage",
            "case.limit",
            "catalogue.manage",
            "routing.see",
            "routing.publish",
            "formula.see",
            "formula.save",
            "device.manage",
            "device_type.manage",
            "feed.manage",
            "indicator.see",
            "device.see",
            "device.credential",
            "camera.see",
            "camera.manage",
            "camera.answer",
            "screen.see",
            "screen.pair",
        }
    ),
    "auditor": frozenset(
        {
            "audit.see",
            "account.see",
            "ledger.see",
            "deadletter.see",
            "status.see",
            "incident.see",
            "incident.list",
        }
    ),
    "wall": (_SEE | {"worker.see", "screen.see"}) - {"photo.see"},
    "system": frozenset({"incident.report", "incident.join", "incident.escalate", "incident.dispatch"}),
}

ACTIONS: Final = frozenset().union(*RIGHTS.values())
"""Every action some role may do; a command or query whose action is not here is refused for all."""

_BY_UNIT: Final = frozenset(_FIELD - {"photo.add"}) | _UNIT
"""Actions on an incident that only the unit holding it may do."""

_OF_WHOM: Final = frozenset({"unit_handler", "grid_worker"})


@dataclass(frozen=True, slots=True)
class Thing:
    """What is acted on. `area_path` '' means a thing of the whole city (only city-wide actors may act)."""

    area_path: str = ""
    unit: str = ""
    worker: str = ""
    assisting: tuple[str, ...] = ()
    anywhere: bool = False


ANYWHERE: Final = Thing(anywhere=True)
"""A thing without a place (a catalogue, one's own session): the role alone decides."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of `may`; false in a condition when refused; `reason` is for the log and the user."""

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


def covers(areas: tuple[str, ...], area_path: str) -> bool:
    """True when `area_path` is one of `areas` or below it. '' (unresolved place) belongs to the city only."""
    if not area_path:
        return any(a.count("/") == 1 for a in areas)
    return any(area_path.startswith(a) for a in areas)


def topmost(areas: Iterable[str]) -> tuple[str, ...]:
    """The areas that lie in no other of them, in order: together they hold every place of the account once."""
    known = sorted(set(areas))
    return tuple(a for a in known if not any(a != b and a.startswith(b) for b in known))


def may(actor: Actor, action: str, thing: Thing) -> Decision:
    """May `actor` do `action` to `thing`? Unlisted = refused. Pure; never raises."""
    if action not in RIGHTS.get(actor.role, frozenset()):
        return Decision(False, f"role {actor.role!r} has no right {action!r}")
    if actor.role == "system" or thing.anywhere:
        return Decision(True, "role")
    if actor.role in _OF_WHOM and action in _BY_UNIT:
        # Field staff act by assignment, not by area: the order names the unit and perhaps the person.
        if thing.unit != actor.unit or not actor.unit:
            return Decision(False, f"held by unit {thing.unit or '-'}, not by {actor.unit or '-'}")
        if actor.role == "grid_worker" and thing.worker not in ("", actor.login):
            return Decision(False, f"assigned to {thing.worker}")
        return Decision(True, "assigned")
    helps = actor.role == "unit_handler" and actor.unit != "" and actor.unit in thing.assisting
    if action == _ASSIST:
        return Decision(helps, "assists" if helps else f"unit {actor.unit or '-'} does not assist here")
    if covers(actor.areas, thing.area_path):
        return Decision(True, "area")
    if helps and action in _SEE:
        return Decision(True, "assists")
    assigned = thing.unit == actor.unit and (actor.role == "unit_handler" or thing.worker == actor.login)
    if actor.role in _OF_WHOM and thing.unit and assigned and action in _SEE:
        return Decision(True, "assigned")
    return Decision(
        False, f"area {thing.area_path or 'unresolved'} is outside of {', '.join(actor.areas) or '-'}"
    )
