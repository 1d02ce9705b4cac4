"""Advice of routing where incidents are opened, filed and returned: asked, kept with the incident, followed by itself where
the router may act, and taken from the rules whose dispatch came back (S13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from incidents.dispatch_model import Decision
from incidents.lifecycle import Step
from incidents.model import Actor, Incident
from incidents.storeports import UnitOfWork

OPENED, FILED, RETURNED = "opened", "filed", "returned"
"""When a router is asked: as the report comes in, as it is filed under a class, as its unit has sent it back."""

MOMENTS: Final = (OPENED, FILED, RETURNED)


@dataclass(frozen=True, slots=True)
class Blamed:
    """A rule that named the unit of a dispatch that came back. `said`: its reason in plain words; `version`: of the
    router that gave the advice; `automatic`: nobody had looked at it."""

    rule: str
    unit: str
    said: str
    said_en: str
    version: str
    automatic: bool


def advise(uow: UnitOfWork, incident: Incident, moment: str, now: datetime) -> Decision:
    """Ask the router in force about an incident and keep what it said, by which version and why."""
    router = uow.router()
    looked = router.look(uow.asked(incident))
    decision = router.decided(looked, uow.duties(looked.units), uow.trust())
    uow.keep_advice(incident, moment, decision, now)
    return decision


def step_of(decision: Decision, channel: str) -> Step:
    """The dispatch that a decision makes by itself; the timeline tells by which version and how sure it was."""
    detail: tuple[tuple[str, object], ...] = (
        ("automatic", True),
        ("confidence", round(decision.confidence, 4)),
        ("threshold", round(decision.threshold, 4)),
        ("version", decision.version),
        ("rule", decision.rule),
    )
    return Step("dispatch", channel, unit=decision.unit, reason=decision.why, detail=detail)


def rule_of(decision: Decision, unit: str) -> Blamed | None:
    """The rule by which a decision named a unit; None: it did not name it, or by no rule."""
    for ranked in decision.ranked:
        if ranked.unit == unit and ranked.rule:
            first = ranked.reasons[0] if ranked.reasons else None
            automatic = decision.automatic and unit == decision.unit
            said, said_en = (first.zh, first.en) if first else ("", "")
            return Blamed(ranked.rule, unit, said, said_en, decision.version, automatic)
    return None


def returned(
    uow: UnitOfWork, incident: Incident, unit: str, wrong_field: str, why: str, actor: Actor, now: datetime
) -> Decision:
    """A unit has sent an incident back: the rule behind its dispatch leaves automatic until somebody approves it again.
    Returns the advice on where it goes now."""
    behind = uow.advice_behind(incident.id)
    blamed = rule_of(behind, unit) if behind is not None else None
    if blamed is not None:
        uow.withdraw_rule(blamed, incident.id, wrong_field, why, actor, now)
    return advise(uow, incident, RETURNED, now)
