"""Ports of the service: the unit of work (one transaction), the questions (reads), accounts' administration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from incidents.access import Thing
from incidents.address_reading import Resolution
from incidents.burden import Effort
from incidents.dispatch_model import Asked, Decision, Duty, Trust
from incidents.dispatching import Router
from incidents.feeds import FeedFacts
from incidents.model import Actor, ClockKind, Incident, Place, Policy, TimelineEntry
from incidents.occurrence import Occurrence, Report
from incidents.occurrence_index import Occurrences
from incidents.reply_commands import TellReporter
from incidents.working_time import WorkingTime

if TYPE_CHECKING:
    from incidents.routing_advice import Blamed


@dataclass(frozen=True, slots=True)
class EventClass:
    """小类 of the catalogue, as the service needs it."""

    code: str
    name: str
    level: int
    policy: Policy


@dataclass(frozen=True, slots=True)
class Intake:
    """A source waiting for triage, or attached to an incident. `level` None = the class decides; `history` = of an
    import of the past (`time` is when it happened)."""

    id: int
    kind: str
    channel: str
    class_code: str
    level: int | None
    device: str
    camera: str
    title: str
    text: str
    place: Place
    time: datetime
    received_at: datetime
    correlation_id: str
    source: str
    message_id: str
    photos: tuple[str, ...] = ()
    history: bool = False
    alarm_kind: str = ""
    roughly: Place | None = None
    """Where its address says it is, not well enough for merging to measure from."""


@dataclass(frozen=True, slots=True)
class StandingMismatch:
    """A mismatch of the loss ledger that nobody has been told of. `minute` None: of the whole partition."""

    id: int
    found_at: datetime
    kind: str
    topic: str
    partition: int
    feed: str
    minute: datetime | None
    expected: int
    found: int


@dataclass(frozen=True, slots=True)
class WatchedFeed:
    """A feed as the watch over it needs it. `reason`: of its adapter's last failure; `outage`: the source that its
    present outage was filed as."""

    id: str
    name: str
    owner: str
    protocol: str
    facts: FeedFacts
    success_at: datetime | None = None
    reason: str = ""
    outage: int | None = None


@dataclass(frozen=True, slots=True)
class FilingStandard:
    """A row of the published catalogue: under which condition a class is filed, who may handle it, within which limit."""

    code: str
    condition: str
    units: tuple[str, ...]
    limit_min: int
    clock_kind: ClockKind
    assumed: bool
    closing: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class SentPoints:
    """Where the reports of a feed say that things are: degrees EPSG:4326 as stored, that is after what the feed tells as
    its system."""

    feed: str
    name: str
    owner: str
    lon: Sequence[float]
    lat: Sequence[float]


T = TypeVar("T")


class Undone(RuntimeError):
    """A part of a transaction failed and was undone by itself; the text says why."""


class StoredOccurrences(Occurrences, Protocol):
    """`Occurrences` of a store: also by id."""

    def whole(self, ids: Iterable[int]) -> Mapping[int, Occurrence]:
        """Id → occurrence, whatever its stage; without sources it is not there."""


class UnitOfWork(Protocol):
    """One transaction. Leaving the `with` block normally commits; an exception undoes everything."""

    def working(self) -> WorkingTime:
        """The city's working time, as it is known now."""

    def router(self) -> Router:
        """The router in force: the published one, or the responsibility table alone."""

    def asked(self, incident: Incident) -> Asked:
        """An incident as routing sees it, with what the component at its place tells."""

    def duties(self, units: Sequence[str]) -> Mapping[str, Duty]:
        """Whether each of these units takes work now, and how much it has; one that takes no orders is off duty."""

    def trust(self) -> Trust:
        """The rules that came back and nobody has approved again."""

    def keep_advice(self, incident: Incident, moment: str, decision: Decision, now: datetime) -> None:
        """What routing said of this version of an incident."""

    def advice_behind(self, incident_id: int) -> Decision | None:
        """The newest advice on an incident; None: routing was never asked."""

    def withdraw_rule(
        self, blamed: Blamed, incident_id: int, wrong_field: str, why: str, actor: Actor, now: datetime
    ) -> None:
        """This rule is not automatic until somebody approves it again."""

    def incident(self, number: int) -> Incident:
        """The incident, locked until the end. Raises Rejected(not_found)."""

    def add_incident(self, incident: Incident) -> Incident:
        """Insert; the result carries its id."""

    def save(self, incident: Incident, old_version: int) -> None:
        """Update if the stored version is `old_version`. Raises Rejected(stale)."""

    def append(self, incident_id: int, entry: TimelineEntry) -> None:
        """Add a line to the append-only timeline."""

    def open_by_merge_key(self, merge_key: str) -> Incident | None:
        """The open incident of this key, locked; the key is locked too, so that only one is ever made."""

    def pending_intake(self, limit: int) -> list[Intake]:
        """Sources waiting for triage, oldest first, locked; those that another process holds are left out."""

    def shelf_of(self, camera: str, at: datetime) -> int | None:
        """The shelf a camera lay on when it sensed something; None: it was in use."""

    def filing(self, class_code: str) -> None:
        """Whoever files a report of this class as well waits until the end: two at once must see one another."""

    def intake(self, intake_id: int, incident_id: int) -> Intake:
        """A source of an incident. Raises Rejected(field) when it is none of it."""

    def report(self, intake_id: int) -> Report:
        """A source as merging sees it."""

    def occurrences(self) -> StoredOccurrences:
        """The open incidents as merging sees them."""

    def move_source(self, intake_id: int, incident_id: int, homes: Sequence[int]) -> None:
        """A source belongs to another incident now; `homes`: where it was before."""

    def move_photos(self, sources: Sequence[int], incident_id: int, target: int) -> None:
        """The photos of these reports go with them, but for those that a report still there carries too. Called after
        the sources have moved."""

    def alone(self, work: Callable[[], T]) -> T:
        """Do `work` so that its failure undoes nothing else. Raises Undone with the reason; when the store itself is
        away or gave up, that goes through, and undoes everything."""

    def set_failed(self, intake_id: int, why: str) -> None:
        """This source cannot be triaged: kept with the reason, and not tried again."""

    def people_of(self, incident_id: int, reply: int | None = None) -> list[dict[str, str]]:
        """Who reported, unmasked: {name, phone, channel, text} of every source, in order."""

    def names_of(self, intake_id: int) -> tuple[str, ...]:
        """What the reporter of a source is called, if anything."""

    def keep_apart(self, incident_id: int, sources: frozenset[int]) -> None:
        """Sources that a person has separated from an incident."""

    def suggest_merge(
        self, incident_id: int, other: int, score: float, reasons: Sequence[Mapping[str, Any]], now: datetime
    ) -> None:
        """The two may be one; a pair that was answered stays answered."""

    def answer_suggestion(self, incident_id: int, other: int, answer: str, login: str, now: datetime) -> None:
        """What a person said of the two, whichever of them it was suggested for."""

    def set_aside(self, intake_id: int, shelf: int) -> None:
        """This source was sensed by a shelved camera: kept and counted, never triaged."""

    def alarm_window_s(self, kind: str, camera: str) -> int | None:
        """For how long after its last alarm a scene is one occurrence; None: as long as the incident is open."""

    def last_alarm(self, incident_id: int) -> datetime | None:
        """When the newest alarm of an incident was sensed."""

    def add_intake(self, intake: Intake, reporter: Mapping[str, str], digest: bytes) -> int:
        """Insert a source made at a desk or phone; returns its id."""

    def standing_mismatches(self, before: datetime, limit: int) -> list[StandingMismatch]:
        """Open mismatches of the ledger found before this moment and not filed, oldest first, locked."""

    def mismatch_filed(self, mismatch_id: int, intake_id: int) -> None:
        """This mismatch was filed as this source."""

    def watched_feeds(self) -> list[WatchedFeed]:
        """Every feed; whoever else asks for them waits until the end."""

    def outage_filed(self, feed: str, intake_id: int | None) -> None:
        """The feed's outage was filed as this source; None: it is over."""

    def sent_points(self, since: datetime) -> list[SentPoints]:
        """The points of every feed's reports that came in since then, of each feed the newest ten thousand."""

    def filed(self, source: str, message_id: str) -> bool:
        """Was a source of this name and message filed before?"""

    def incident_of(self, intake_id: int) -> int | None:
        """The incident a source belongs to; None: triage has not come to it yet."""

    def attach(self, intake_id: int, incident_id: int) -> None:
        """This source belongs to this incident."""

    def attach_photos(
        self, incident_id: int, photos: Sequence[str], purpose: str, now: datetime, login: str
    ) -> tuple[str, ...]:
        """Attach stored photos (SHA-256 names); returns those that are not stored."""

    def event_class(self, code: str) -> EventClass:
        """Newest version of a class. Raises Rejected(field)."""

    def standards(self, class_code: str) -> list[FilingStandard]:
        """The filing standards of a class in the published catalogue, in its order; none where it has no catalogue."""

    def next_serial(self) -> int:
        """Serial of the next incident number."""

    def place_of(self, lon: float, lat: float) -> Place:
        """Cell and area of a point. Raises Rejected(field) outside of the city's reach."""

    def read_address(self, text: str) -> Resolution:
        """What a free text says of a place, by the city's address book."""

    def keep_reading(self, intake_id: int, place: Place, read: Mapping[str, Any]) -> None:
        """Keep what was read of where a source is, and the place (without a point where none is sure)."""

    def answer_reporters(self, incident: Incident, outcome: str, now: datetime) -> None:
        """Everybody who spoke of it is told what became of it: kept, and put out on `city.reply.v1`."""

    def withdraw_replies(self, incident_id: int, now: datetime, sources: Sequence[int] | None = None) -> None:
        """What waits to be told of it (of these sources) is not true any more."""

    def incident_of_reply(self, reply: int) -> int:
        """Whose reply it is. Raises Rejected(unknown)."""

    def tell_reporter(self, command: TellReporter, actor: Actor, now: datetime) -> None:
        """A person told it, or could not. Raises Rejected."""

    def unit_exists(self, code: str) -> bool:
        """True for a unit that takes orders."""

    def worker_unit(self, login: str) -> str:
        """Unit of an active worker account, '' when there is none."""

    def keep_effort(self, effort: Effort, class_code: str, area_path: str, day: date, person: str) -> None:
        """How long a form was open; `person` is a mark that names nobody (incidents/burden.py)."""

    def issue_order(self, incident: Incident, actor: Actor, now: datetime) -> None:
        """An order to the incident's unit and worker; the former one ends, superseded, and its unit is told."""

    def order_seen(self, incident: Incident, now: datetime) -> None:
        """The unit has taken the incident's order: it was seen by now."""

    def keep_receipt(self, incident: Incident, state: str, login: str, at: datetime, now: datetime) -> None:
        """Of the incident's order: `login` has it or has seen it since `at`; kept once. `incident`: as `receipts.noted`."""

    def end_order(self, incident: Incident, outcome: str, now: datetime) -> None:
        """The incident's order ends (handled | returned | void | superseded), and its unit is told on the bus."""

    def issue_assist(self, incident: Incident, unit: str, actor: Actor, now: datetime) -> None:
        """An order to a unit that is asked to assist, and its unit is told on the bus; without a deadline of its own."""

    def assist_seen(self, incident: Incident, unit: str, now: datetime) -> None:
        """A unit that assists has accepted."""

    def end_assist(self, incident: Incident, unit: str, outcome: str, now: datetime) -> None:
        """Its order ends (handled | released | void | superseded), once, and its unit is told on the bus."""

    def publish(self, topic: str, key: str, payload: Mapping[str, Any], now: datetime) -> None:
        """Put a message into the outbox."""

    def incident_changed(self, incident: Incident, now: datetime) -> None:
        """Put the incident's new state into the outbox (bus and live state)."""

    def answered(self, source: str, key: str) -> dict[str, Any] | None:
        """The answer given earlier to this idempotency key."""

    def remember(self, source: str, key: str, answer: Mapping[str, Any], now: datetime) -> None:
        """Keep the answer of an idempotency key."""

    def due_for_escalation(self, now: datetime, limit: int) -> list[Incident]:
        """Open incidents that may be due, locked; `lifecycle.escalation_due` decides."""

    def without_deadline(self, after: tuple[datetime | None, int] | None, limit: int) -> list[Incident]:
        """Incidents whose handling clock runs and that have no deadline, locked, by (`stage_due_at`, which is what was known
        before, None last; id), beyond `after`; those that another process holds are left out."""

    def late_supervisions(self, now: datetime, limit: int) -> list[Incident]:
        """Open incidents whose 督办 was not answered in time, locked; those that another process holds are left out."""

    def audit(
        self, actor: Actor, action: str, thing: str, allowed: bool, detail: Mapping[str, Any], now: datetime
    ) -> None:
        """Append to the audit log."""

    def administer(self, command: object, actor: Actor, now: datetime) -> dict[str, Any]:
        """Accounts, units, areas, dead letters: commands that change registries. Raises Rejected."""


UnitOfWorkFactory = Callable[[], AbstractContextManager[UnitOfWork]]


class Questions(Protocol):
    """The read side: answers queries with rows the actor may see."""

    def thing(self, query: object) -> Thing | None:
        """The one thing a query names, for `may`; None when it names none. Raises Rejected(not_found)."""

    def answer(self, query: object, actor: Actor, now: datetime) -> Any:
        """JSON-ready answer, limited to the actor's areas, unit or tasks."""
