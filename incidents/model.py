"""The domain's nouns: incident 事件, its policy, its timeline, the actor. Plain frozen data, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from incidents.appeals import Appeal
    from incidents.assisting import Assists
    from incidents.clocks import Clock
    from incidents.concessions import Request
    from incidents.supervision import Supervision


class Stage(StrEnum):
    """Stages of the life-cycle (ARCHITECTURE §6). The words shown are data: `layouts/text`."""

    REPORTED = "reported"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    TAKEN = "taken"
    ON_SITE = "on_site"
    HANDLED = "handled"
    RETURNED_RESULT = "returned_result"
    CHECKED = "checked"
    CLOSED = "closed"
    REFUSED = "refused"
    VOID = "void"


FINAL_STAGES = frozenset({Stage.CLOSED, Stage.REFUSED, Stage.VOID})


class ClockKind(StrEnum):
    """How a limit runs (FIELD E2): 紧急工作时 and 自然日 day and night, 工作时 and 工作日 while the city works."""

    URGENT_HOUR = "urgent_hour"
    WORK_HOUR = "work_hour"
    WORK_DAY = "work_day"
    NATURAL_DAY = "natural_day"


REPORT_CHANNELS: Final = ("grid", "hotline", "phone", "desk", "citizen", "patrol", "department")
"""How a person's report reaches us (S10)."""


class SourceKind(StrEnum):
    """What told us of an incident."""

    WARNING = "warning"
    ALARM = "alarm"
    REPORT = "report"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class Place:
    """Where: EPSG:4326 degrees; all parts may be unknown. `cell` and `area_path` come from the grid."""

    lon: float | None = None
    lat: float | None = None
    address: str = ""
    cell: str = ""
    area_path: str = ""

    @property
    def resolved(self) -> bool:
        """True when the place is known to a grid cell."""
        return bool(self.cell)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules an incident was filed under, frozen into it (a later catalogue never changes it).

    `limit_min`: from dispatch to the unit's result, as `limits.limit_of` reads it; `stage_limits_min`: stage → minutes,
    day and night.
    """

    class_code: str
    class_version: int
    limit_min: int
    clock_kind: ClockKind
    needs_photo: bool
    stage_limits_min: Mapping[str, int]
    standard: str = ""
    """Filing standard of the catalogue; '' = the class's own limit."""
    condition: str = ""
    """立案条件 of that standard, as it stood when this was filed."""
    closing: str = ""
    """结案条件 of it."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts or asks. `areas` are area paths with a trailing slash; system processes have role 'system'."""

    id: int
    login: str
    name: str
    role: str
    unit: str = ""
    areas: tuple[str, ...] = ()
    session: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """事件: one occurrence and all that is known of it. `version` rises by one with every change.

    `clock` is the handling clock, which stands while a returned incident waits at the dispatcher or a result is checked;
    `handle_due_at` is when it is over, None while it stands and where the working days it reaches into are not published.
    `overdue`: handling was late, told for good; whether the incident is overdue now says `lifecycle.is_overdue`.
    """

    id: int
    number: str
    class_code: str
    class_name: str
    title: str
    text: str
    stage: Stage
    level: int
    place: Place
    reported_at: datetime
    version: int = 0
    policy: Policy | None = None
    unit: str = ""
    worker: str = ""
    first_unit: str = ""
    merge_key: str = ""
    stage_since: datetime | None = None
    stage_due_at: datetime | None = None
    handle_due_at: datetime | None = None
    clock: Clock | None = None
    asked: Request | None = None
    """What the unit asked for and nobody has answered yet."""
    supervision: Supervision | None = None
    appeal: Appeal | None = None
    assists: Assists = ()
    """协办: units asked to help, in order, those that have answered or were let go too."""
    merged_into: int | None = None
    """The incident that has its sources now; it is void until they come back."""
    said_again_at: datetime | None = None
    """When a source came to it after its result was handed in: somebody says that it is not done. None: nobody has since."""
    satisfaction: int | None = None
    """1 … 5, as the reporter said when called back; None: nobody has asked."""
    dispatched_at: datetime | None = None
    delivered_at: datetime | None = None
    """When a phone of the unit had the present order; None: none has said so."""
    opened_at: datetime | None = None
    """When somebody there opened it; None: unread."""
    returned_result_at: datetime | None = None
    closed_at: datetime | None = None
    handled_by: int | None = None
    checked_by: int | None = None
    acknowledged_by: int | None = None
    acknowledged_at: datetime | None = None
    rings_since: datetime | None = None
    """When a further source raised it to level I or II and the bell rang anew; None = since it was reported."""
    escalated_stage: str = ""
    escalated_at: datetime | None = None
    overdue: bool = False
    returns: int = 0
    reworks: int = 0
    sources: int = 1
    last_action: str = "report"
    last_actor: str = ""
    correlation_id: str = ""

    @property
    def open(self) -> bool:
        """True until closed, refused or void."""
        return self.stage not in FINAL_STAGES


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of the append-only timeline: who did what, when, through which channel, why, caused by what."""

    at: datetime
    action: str
    from_stage: str
    to_stage: str
    actor_id: int
    actor_name: str
    role: str
    channel: str
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    cause_id: str = ""


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """A fact that others may want to hear of; leaves through the outbox."""

    name: str
    incident_id: int
    payload: Mapping[str, Any] = field(default_factory=dict)


class Rejected(Exception):
    """A command or query that the domain refuses. The text names field, value and rule; shown to the user.

    `code` is stable for tests and screens: forbidden, stale, stage, field, not_found, rule.
    """

    def __init__(self, code: str, message: str, *, field: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.facts = facts
