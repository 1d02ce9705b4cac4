"""Merging where reports come in and where a person decides: a report joins the incident it tells of, incidents become one
and come apart again (S10, S11). What `merging` and `splitting` decide is carried out here, each as a step of the life-cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from incidents import orders
from incidents.lifecycle import Step, advance
from incidents.merge_policy import MergePolicy
from incidents.merging import Band, Decision
from incidents.model import Actor, Incident, Rejected, SourceKind
from incidents.occurrence import Fact, Likeness, Occurrence, level_of
from incidents.occurrence_index import find
from incidents.splitting import BadSplit, emptied, merged, restored, split
from incidents.storeports import Intake, UnitOfWork

POLICY: Final = MergePolicy()
"""The product's own; a city's own comes with its catalogue."""


def told(found: Likeness) -> list[dict[str, Any]]:
    """Reasons as data for timeline and store."""
    return [{"code": reason.code, **reason.values} for reason in found.reasons]


def decided(uow: UnitOfWork, intake: Intake, intake_id: int) -> Decision:
    """What becomes of a report by a person. Who files meanwhile waits: two reports at once must see one another."""
    if intake.kind != SourceKind.REPORT or intake.history:
        return Decision(Band.NEW)
    uow.filing(intake.class_code)
    return find(uow.report(intake_id), uow.occurrences(), POLICY)


def joined_by(
    uow: UnitOfWork,
    incident: Incident,
    intake: Intake,
    intake_id: int,
    decision: Decision,
    actor: Actor,
    now: datetime,
) -> Incident:
    """A report joins the incident that was decided on; voices raise its level. Attaches the source, the caller publishes."""
    assert decision.likeness is not None
    uow.attach(intake_id, incident.id)
    whole = uow.occurrences().whole([incident.id])[incident.id]
    level = min(intake.level or incident.level, level_of(whole, POLICY))
    detail: tuple[tuple[str, object], ...] = (
        ("kind", intake.kind),
        ("level", level),
        ("voices", whole.voices),
        ("score", round(decision.likeness.score, 3)),
        ("reasons", told(decision.likeness)),
        ("text", intake.text[:200]),
    )
    step = Step(
        "join", intake.channel, detail=detail, cause_id=intake.correlation_id or f"intake-{intake_id}"
    )
    changed, entry, _ = advance(incident, step, actor, now, uow.working())
    uow.save(changed, incident.version)
    uow.append(changed.id, entry)
    suggest(uow, changed, decision, now)
    return changed


def suggest(uow: UnitOfWork, incident: Incident, decision: Decision, now: datetime) -> None:
    """Keep what a person should look at: this incident and others may be one."""
    for other, found in decision.suggested:
        if other != incident.id:
            uow.suggest_merge(incident.id, other, found.score, told(found), now)


def merge(
    uow: UnitOfWork,
    incident: Incident,
    into: Incident,
    reason: str,
    actor: Actor,
    channel: str,
    now: datetime,
) -> Incident:
    """All sources of `incident` go to `into`; it ends as void, with where it went. Returns `into`. Raises Rejected."""
    _require_open(into)
    if incident.id == into.id:
        raise Rejected("field", f"into={into.id}: must be another incident", field="into")
    found = uow.occurrences().whole([incident.id, into.id])
    try:
        whole, _ = merged(found[into.id], found[incident.id], actor.login, now, reason)
    except (BadSplit, KeyError) as error:
        raise Rejected("rule", f"sources: {error}", field="sources") from None
    moved = [source.id for source in found[incident.id].sources]
    gone = Step("merge", channel, reason=reason, into=into.id, detail=(("number", into.number),))
    _step(uow, incident, gone, actor, now)
    for id in moved:
        uow.move_source(id, into.id, whole.homes.get(id, ()))
    uow.move_photos(moved, incident.id, into.id)
    uow.keep_apart(into.id, whole.apart)
    level = min(into.level, level_of(whole, POLICY))
    taken = Step(
        "absorb", channel, reason=reason, count=len(moved),
        detail=(("number", incident.number), ("sources", moved), ("level", level), ("voices", whole.voices)),
    )  # fmt: skip
    uow.answer_suggestion(incident.id, into.id, "merged", actor.login, now)
    whole_one = uow.incident(into.id)
    if incident.merge_key and not whole_one.merge_key:
        # What the thing senses next is of the same occurrence.
        whole_one = replace(whole_one, merge_key=incident.merge_key)
    return _step(uow, whole_one, taken, actor, now)


def take_apart(
    uow: UnitOfWork, incident: Incident, sources: Sequence[int], target: Incident, reason: str, actor: Actor,
    channel: str, now: datetime,
) -> Incident:  # fmt: skip
    """Sources leave `incident` for `target`: the one they were merged from, or a new one made for them. What a person
    separates is not merged by itself again. Returns `target`. Raises Rejected.
    """
    found = uow.occurrences().whole([incident.id, target.id])
    former = found.get(target.id) or _as_it_was(target)
    try:
        if sources:
            rest, out = split(found[incident.id], sources, former, actor.login, now, reason)
        else:
            rest, out = restored(found[incident.id], former, actor.login, now, reason)
    except (BadSplit, KeyError) as error:
        raise Rejected("rule", f"sources: {error}", field="sources") from None
    moved = [s.id for s in out.sources if s.id not in {x.id for x in former.sources}]
    homes = found[incident.id].homes
    if not target.open and not (
        target.merged_into is not None and all(target.id in homes.get(id, ()) for id in moved)
    ):
        rule = "must be open, or be where all of these sources came from"
        raise Rejected("rule", f"back_to={target.number}: {rule}", field="back_to")
    for id in moved:
        uow.move_source(id, target.id, out.homes.get(id, ()))
    uow.move_photos(moved, incident.id, target.id)
    uow.withdraw_replies(incident.id, now, moved)
    uow.keep_apart(incident.id, rest.apart)
    uow.keep_apart(target.id, out.apart)
    detail: tuple[tuple[str, object], ...] = (("number", target.number), ("sources", moved))
    detail += _milder(incident, found[incident.id], rest)
    _step(
        uow,
        uow.incident(incident.id),
        Step("release", channel, reason=reason, count=len(moved), detail=detail),
        actor,
        now,
    )
    back = uow.incident(target.id)
    if back.merged_into is not None:
        step = Step(
            "restore", channel, reason=reason, count=len(out.sources), detail=(("number", incident.number),)
        )
        back = _step(uow, back, step, actor, now)
    elif len(out.sources) > back.sources:
        step = Step(
            "absorb", channel, reason=reason, count=len(out.sources) - back.sources,
            detail=(("number", incident.number), ("sources", moved), ("level", level_of(out, POLICY))),
        )  # fmt: skip
        back = _step(uow, back, step, actor, now)
    uow.answer_suggestion(incident.id, target.id, "apart", actor.login, now)
    return back


def _milder(incident: Incident, whole: Occurrence, rest: Occurrence) -> tuple[tuple[str, object], ...]:
    """The level that is left when the sources that raised it are gone; nothing where a person has set another."""
    if not rest.sources or incident.level != level_of(whole, POLICY):
        return ()
    return (("level", level_of(rest, POLICY)),)


def keep_separate(uow: UnitOfWork, incident: Incident, other: Incident, actor: Actor, now: datetime) -> None:
    """A person says that two incidents are not one: neither merged by itself nor suggested again."""
    found = uow.occurrences().whole([incident.id, other.id])
    for one, two in ((incident.id, other.id), (other.id, incident.id)):
        if one in found and two in found:
            uow.keep_apart(one, found[one].apart | {source.id for source in found[two].sources})
    uow.answer_suggestion(incident.id, other.id, "apart", actor.login, now)


def _as_it_was(target: Incident) -> Occurrence:
    """An incident without sources: one that was merged away has had some, one just made has not."""
    empty = emptied(target.id, target.class_code)
    if target.merged_into is None:
        return empty
    return replace(empty, facts=(Fact(target.reported_at, "opened", (), 0, target.id, ""),))


def _step(uow: UnitOfWork, incident: Incident, step: Step, actor: Actor, now: datetime) -> Incident:
    changed, entry, events = advance(incident, step, actor, now, uow.working())
    uow.save(changed, incident.version)
    uow.append(changed.id, entry)
    orders.carry_out(uow, changed, events, actor, now)
    uow.incident_changed(changed, now)
    return changed


def _require_open(incident: Incident) -> None:
    if not incident.open:
        raise Rejected("rule", f"into={incident.number}: is {incident.stage}, must be open", field="into")
