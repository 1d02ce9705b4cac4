"""Triage: a source (warning, alarm, report) joins the open incident it belongs to, or opens one.

Merging (S10): of things, the same device or camera and the same class while that incident is open; alarms of a
camera without a class by their kind, and where a rule says so only within a window after the last of them. Of people by
`intake_merging`: by itself above its policy's threshold, suggested below. What a camera sensed while it was
shelved opens and joins nothing, whenever it arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from incidents.intake_merging import decided, joined_by, suggest
from incidents.lifecycle import Step, advance, escalation_due, file_report
from incidents.locating import located
from incidents.merging import Band
from incidents.model import Actor, Incident, Rejected, SourceKind, Stage, TimelineEntry
from incidents.numbering import incident_number
from incidents.privacy import mask_text
from incidents.routing_advice import OPENED, advise
from incidents.selfcheck import LEDGER_CLASS, check_source, file_check
from incidents.storeports import EventClass, Intake, Undone, UnitOfWork

SYSTEM: Final = Actor(id=0, login="system", name="系统", role="system")

DEFAULT_LEVEL: Final = 3


def merge_key(intake: Intake) -> str:
    """What makes two machine sources the same occurrence while it is open; '' = never merged."""
    if intake.kind == SourceKind.CHECK:
        return f"{intake.source}|{intake.class_code}"
    if intake.kind == SourceKind.REPORT or not (intake.device or intake.camera):
        return ""
    return f"{intake.device or intake.camera}|{intake.class_code or intake.alarm_kind}"


def same_occurrence(last: datetime | None, time: datetime, window_s: int | None) -> bool:
    """Is an alarm at `time` still the occurrence whose newest alarm was at `last`? Without a window it always is."""
    return window_s is None or last is None or time - last <= timedelta(seconds=window_s)


@dataclass(frozen=True, slots=True)
class Taken:
    """A source that triage has given to an incident: opened for it, or joined by it."""

    incident: int
    number: str
    joined: bool
    kind: str
    level: int
    correlation_id: str


def triage(
    uow: UnitOfWork, now: datetime, pattern: str, timezone: str, limit: int = 200, city_path: str = ""
) -> list[Taken]:
    """Take up to `limit` waiting sources, oldest first, in one transaction; returns what became of each.

    One that cannot be taken is set aside with the reason and told as a check's incident; it holds up none behind it.
    """
    taken: list[Taken] = []
    for intake in uow.pending_intake(limit):
        try:
            found = uow.alone(lambda one=intake: _taken(uow, one, now, pattern, timezone))  # type: ignore[misc]
        except Undone as failure:
            uow.set_failed(intake.id, str(failure))
            if intake.source != FAILED_SOURCE:  # else telling would itself have to be told
                file_check(uow, _failed(intake, str(failure), city_path, now))
            continue
        if found is not None:
            taken.append(found)
    return taken


FAILED_SOURCE: Final = "triage/failed"


def _failed(intake: Intake, why: str, city_path: str, now: datetime) -> Intake:
    """A source that could not be triaged, for whoever runs the platform: what it was, and what went wrong."""
    return check_source(
        city_path,
        now,
        class_code=LEDGER_CLASS,
        title="有来源无法分拣",
        text=f"来源 {intake.source}，消息 {intake.message_id}（{intake.kind}，{intake.channel}）无法分拣，已搁置：{why[:400]}",
        time=now,
        correlation_id=intake.correlation_id,
        source=FAILED_SOURCE,
        message_id=f"{intake.id}",
    )


def _taken(uow: UnitOfWork, intake: Intake, now: datetime, pattern: str, timezone: str) -> Taken | None:
    """One source given to its incident; None: sensed by a shelved camera, and set aside."""
    shelf = uow.shelf_of(intake.camera, intake.time) if intake.camera else None
    if shelf is not None:
        uow.set_aside(intake.id, shelf)
        return None
    intake, read = located(uow, intake)
    if read is not None:
        uow.keep_reading(intake.id, intake.place, read)
    incident, joined = _incident_of(uow, intake, now, pattern, timezone)
    unknown = uow.attach_photos(incident.id, intake.photos, "report", now, intake.source)
    if unknown:
        step = Step("note", intake.channel, reason=f"照片未收到 photos not stored: {', '.join(unknown)}")
        changed, entry, _ = advance(incident, step, SYSTEM, now, uow.working())
        uow.save(changed, incident.version)
        uow.append(changed.id, entry)
        incident = changed
    uow.incident_changed(incident, now)
    cause = intake.correlation_id
    return Taken(incident.id, incident.number, joined, intake.kind, incident.level, cause)


def _incident_of(
    uow: UnitOfWork, intake: Intake, now: datetime, pattern: str, timezone: str
) -> tuple[Incident, bool]:
    """The incident of a source, and whether it was there before; the source is attached."""
    key = merge_key(intake)
    incident = uow.open_by_merge_key(key) if key else None
    if incident is not None and intake.alarm_kind and not _still(uow, incident, intake):
        # Whoever works on the old one keeps it; it only takes no more sources.
        uow.save(replace(incident, merge_key=""), incident.version)
        incident = None
    if incident is not None:
        incident = join(uow, incident, intake, now)
        uow.attach(intake.id, incident.id)
        return incident, True
    return filed_or_joined(uow, intake, intake.id, SYSTEM, now, pattern, timezone)


def filed_or_joined(
    uow: UnitOfWork, intake: Intake, intake_id: int, actor: Actor, now: datetime, pattern: str, timezone: str
) -> tuple[Incident, bool]:
    """A source without a key of its own: it joins what it tells of, or opens an incident, which then knows what it
    resembles. (Incident, whether it was there before); the source is attached."""
    decision = decided(uow, intake, intake_id)
    if decision.band is Band.AUTOMATIC and decision.occurrence is not None:
        incident = uow.incident(decision.occurrence)
        if incident.open:  # somebody may have closed it since it was looked for
            return joined_by(uow, incident, intake, intake_id, decision, actor, now), True
    names = uow.names_of(intake_id) if intake.kind == SourceKind.REPORT else ()
    incident = open_incident(uow, intake, actor, now, pattern, timezone, names=names)
    uow.attach(intake_id, incident.id)
    suggest(uow, incident, decision, now)
    return incident, False


def _still(uow: UnitOfWork, incident: Incident, intake: Intake) -> bool:
    window_s = uow.alarm_window_s(intake.alarm_kind, intake.camera)
    return window_s is None or same_occurrence(uow.last_alarm(incident.id), intake.time, window_s)


def join(uow: UnitOfWork, incident: Incident, intake: Intake, now: datetime) -> Incident:
    """One more source of an open incident; the worse level wins."""
    level = intake.level or incident.level
    detail: tuple[tuple[str, object], ...] = (
        ("kind", intake.kind),
        ("device", intake.device),
        ("camera", intake.camera),
        ("level", level),
        ("text", intake.text[:200]),
    )
    step = Step("join", intake.channel, detail=detail, cause_id=intake.correlation_id)
    changed, entry, _ = advance(incident, step, SYSTEM, now, uow.working())
    uow.save(changed, incident.version)
    uow.append(changed.id, entry)
    return changed


def _class_of(uow: UnitOfWork, intake: Intake, actor: Actor) -> EventClass | None:
    """The class of a source; a person's must be in the catalogue, a machine's may be ahead of it (then: none).

    One rule or alarm kind that names an unknown class must not hold up every source behind it.
    """
    if not intake.class_code:
        return None
    try:
        return uow.event_class(intake.class_code)
    except Rejected:
        if actor is SYSTEM:
            return None
        raise


def open_incident(
    uow: UnitOfWork,
    intake: Intake,
    actor: Actor,
    now: datetime,
    pattern: str,
    timezone: str,
    *,
    keyed: bool = True,
    names: Sequence[str] = (),
) -> Incident:
    """File a new incident from its first source. The caller attaches the source and publishes. `keyed`: what the same
    thing senses next joins it; false where another open one has that key. `names`: of who reports it.

    A report of the past keeps its own time; nobody could have answered it in time, so it starts without a due time
    and as acknowledged: nothing escalates and no bell rings until somebody takes it up.
    """
    known = _class_of(uow, intake, actor)
    # A title goes everywhere, also where no text does: it never tells who reported.
    title = mask_text((intake.title or intake.text).strip().replace("\n", " "), names)[:60]
    incident = Incident(
        id=0,
        number=incident_number(pattern, now, uow.next_serial(), timezone),
        class_code=known.code if known else "",
        class_name=known.name if known else "",
        title=title,
        text=intake.text,
        stage=Stage.REPORTED,
        level=intake.level or (known.level if known else DEFAULT_LEVEL),
        place=intake.roughly or intake.place,
        reported_at=intake.time if intake.history else now,
        version=1,
        merge_key=merge_key(intake) if keyed else "",
        last_actor=actor.name,
        correlation_id=intake.correlation_id,
    )
    if intake.history:
        filed = replace(incident, stage_since=now, acknowledged_by=actor.id, acknowledged_at=now)
    else:
        filed = file_report(incident, now)
    incident = uow.add_incident(filed)
    uow.append(
        incident.id,
        TimelineEntry(
            at=now,
            action="report",
            from_stage="",
            to_stage=str(Stage.REPORTED),
            actor_id=actor.id,
            actor_name=actor.name,
            role=actor.role,
            channel=intake.channel,
            reason="",
            detail={
                "kind": intake.kind,
                "device": intake.device,
                "camera": intake.camera,
                "sensed_at": intake.time.isoformat(),
                "received_at": intake.received_at.isoformat(),
            },
            cause_id=intake.correlation_id,
        ),
    )
    if not intake.history:  # of the past nobody asks any more
        advise(uow, incident, OPENED, now)
    return incident


def raise_supervisions(uow: UnitOfWork, now: datetime, limit: int = 200) -> int:
    """A 督办 that is not answered in time rises by one level and asks again; returns how many."""
    done = 0
    for incident in uow.late_supervisions(now, limit):
        step = Step("raise_supervision", "timer", reason="督办超时未回复 not answered in time")
        try:
            changed, entry, _ = advance(incident, step, SYSTEM, now, uow.working())
        except Rejected:
            continue
        uow.save(changed, incident.version)
        uow.append(changed.id, entry)
        uow.incident_changed(changed, now)
        done += 1
    return done


def escalate_due(uow: UnitOfWork, now: datetime, limit: int = 200) -> int:
    """Escalate what is past its stage limit, or level I/II unacknowledged for 60 s; returns how many."""
    done = 0
    for incident in uow.due_for_escalation(now, limit):
        reason = escalation_due(incident, now)
        if not reason:
            continue
        try:
            changed, entry, _ = advance(
                incident, Step("escalate", "timer", reason=reason), SYSTEM, now, uow.working()
            )
        except Rejected:
            continue
        uow.save(changed, incident.version)
        uow.append(changed.id, entry)
        uow.incident_changed(changed, now)
        done += 1
    return done
