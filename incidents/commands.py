"""Every command and every query of the product, as frozen dataclasses: the table of contents of its API.

Each has a REST route (`POST /api/v1/commands/<name>`, `GET /api/v1/queries/<name>`) and a right in
`incidents/access.py`, named by ACTION_OF. `version` is the incident version the user saw: when it is given and
another came first, the command is refused with code 'stale'. `key` is an idempotency key: the same key from the
same account answers the first answer again and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class ReportIncident:
    """File a report by a person: desk intake, phone. Place: a point, an address, or neither (unresolved)."""

    text: str
    channel: str = "desk"
    class_code: str = ""
    title: str = ""
    lon: float | None = None
    lat: float | None = None
    address: str = ""
    level: int | None = None
    reporter_name: str = ""
    reporter_phone: str = ""
    photos: list[str] = field(default_factory=list)
    key: str = ""


@dataclass(frozen=True, slots=True)
class AcceptIncident:
    """受理/立案: take it on, under a class (its own one when empty); freezes the policy."""

    id: int
    class_code: str = ""
    level: int | None = None
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class RefuseIncident:
    """不予受理, with a reason."""

    id: int
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class VoidIncident:
    """作废, with a reason."""

    id: int
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class DispatchIncident:
    """派遣 to a unit and perhaps a worker; from a unit that already has it: reassign, with a reason."""

    id: int
    unit: str
    worker: str = ""
    reason: str = ""
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class TakeIncident:
    """接单."""

    id: int
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class ArriveIncident:
    """到场; the position is kept in the timeline."""

    id: int
    lon: float | None = None
    lat: float | None = None
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class FinishIncident:
    """处置 done and 反馈 given: what was done, with photos where the class asks for them."""

    id: int
    text: str
    photos: list[str] = field(default_factory=list)
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class ReturnIncident:
    """退回 to the dispatcher; `wrong_field` is class, place, owner or scope."""

    id: int
    wrong_field: str
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class CheckIncident:
    """核查 by another account than the handler's; not passed: a reason, back to the unit."""

    id: int
    passed: bool
    reason: str = ""
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class CloseIncident:
    """结案."""

    id: int
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class AcknowledgeIncident:
    """Stops the bell on every screen."""

    id: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class NoteIncident:
    """A remark in the timeline."""

    id: int
    text: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class CreateAccount:
    """A new account with a first password that must be changed; answers the password once."""

    login: str
    name: str
    role: str
    unit: str = ""
    areas: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ChangeAccount:
    """Re-role, move, disable or enable an account; its open sessions end at once."""

    login: str
    role: str | None = None
    unit: str | None = None
    areas: list[str] | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class ResetPassword:
    """A new first password for an account; its sessions end."""

    login: str


@dataclass(frozen=True, slots=True)
class SaveUnit:
    """Create or change a responsible unit; disabled units get no new orders. `disabled` None leaves it as it is."""

    code: str
    name: str
    kind: str
    area_path: str
    phone: str = ""
    disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class SaveArea:
    """Create an area below `parent`, rename it or disable it (None leaves it as it is). Geometry comes by import.

    An area is disabled with all below it, and only when no open incident, active account or unit is left there.
    """

    code: str
    name: str
    parent: str
    level: str
    disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class ReplayDeadLetter:
    """Put a dead letter back on its topic, as it is or with a corrected value (JSON text)."""

    topic: str
    partition: int
    offset: int
    value: str = ""


@dataclass(frozen=True, slots=True)
class DropDeadLetter:
    """Settle a dead letter as not wanted, with a reason."""

    topic: str
    partition: int
    offset: int
    reason: str


Command = object

COMMANDS: Final[dict[str, type]] = {
    "report_incident": ReportIncident,
    "accept_incident": AcceptIncident,
    "refuse_incident": RefuseIncident,
    "void_incident": VoidIncident,
    "dispatch_incident": DispatchIncident,
    "take_incident": TakeIncident,
    "arrive_incident": ArriveIncident,
    "finish_incident": FinishIncident,
    "return_incident": ReturnIncident,
    "check_incident": CheckIncident,
    "close_incident": CloseIncident,
    "acknowledge_incident": AcknowledgeIncident,
    "note_incident": NoteIncident,
    "create_account": CreateAccount,
    "change_account": ChangeAccount,
    "reset_password": ResetPassword,
    "save_unit": SaveUnit,
    "save_area": SaveArea,
    "replay_dead_letter": ReplayDeadLetter,
    "drop_dead_letter": DropDeadLetter,
}


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """One incident: fields, policy, timeline, sources, photos, orders, what this actor may press now.

    `unmask`: show the reporter's name and phone in full (needs the right; written to the audit log).
    """

    id: int
    unmask: bool = False


@dataclass(frozen=True, slots=True)
class IncidentList:
    """Incidents of the actor's areas, newest first. Filters are joined by AND; '' and None do not filter.

    `stages` and `levels`: comma-separated; `scope`: open | closed | all; `of`: an indicator id whose records
    are wanted (part = numerator | denominator). `text`: words, each of which must occur in number, title, class,
    address, unit or worker. `bbox`: "west,south,east,north" in degrees; who has no point is in no box.
    """

    scope: str = "open"
    stages: str = ""
    levels: str = ""
    class_code: str = ""
    unit: str = ""
    area: str = ""
    text: str = ""
    bbox: str = ""
    overdue: bool | None = None
    of: str = ""
    part: str = "denominator"
    limit: int = 200
    offset: int = 0


@dataclass(frozen=True, slots=True)
class MyTasks:
    """Open incidents held by the asking worker (or, for a unit handler, by the unit)."""


@dataclass(frozen=True, slots=True)
class MyReports:
    """What the asking account has reported, newest first, with its stage."""

    limit: int = 50


@dataclass(frozen=True, slots=True)
class SearchIncident:
    """Incidents whose human number contains `number`."""

    number: str


@dataclass(frozen=True, slots=True)
class SimilarIncidents:
    """Possible duplicates of a report being taken: near in place and time, same class or words."""

    text: str = ""
    class_code: str = ""
    lon: float | None = None
    lat: float | None = None


@dataclass(frozen=True, slots=True)
class RouteIncident:
    """Responsible unit of an incident by class × grid, with the reason, and workers ranked with reasons."""

    id: int


@dataclass(frozen=True, slots=True)
class Classes:
    """The event-class catalogue."""


@dataclass(frozen=True, slots=True)
class SuggestClass:
    """Classes whose keywords occur in a text, best first (intake helps the operator choose)."""

    text: str


@dataclass(frozen=True, slots=True)
class Locate:
    """Cell, area names and paths of a point (EPSG:4326 degrees)."""

    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class FindPlace:
    """Places, areas and units by name."""

    text: str
    limit: int = 10


@dataclass(frozen=True, slots=True)
class LayerCounts:
    """Features per map layer the actor may see."""


@dataclass(frozen=True, slots=True)
class Devices:
    """Devices in service of the actor's areas: newest reading, and what was received of what was expected.

    `of`: an indicator id whose records are wanted; it says the order. Without one, and for `devices_online`, the
    silent ones come first; for `completeness` those of which most is missing, and only those of which something
    is expected; for `newest_age` the one heard last. `area`: an area path, '' does not filter.
    """

    of: str = ""
    area: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class DeviceDetail:
    """A device with metrics, latest values and warnings."""

    device: str


@dataclass(frozen=True, slots=True)
class DeviceSeries:
    """Values of one metric of a device: {t: [ms], v: [value]} over the last `hours`."""

    device: str
    metric: str
    hours: float = 24.0


@dataclass(frozen=True, slots=True)
class CameraDetail:
    """A camera of the registry."""

    camera: str


@dataclass(frozen=True, slots=True)
class Indicators:
    """The indicator panels of an area (default: the actor's own), with formula, as-of and age limit."""

    area: str = ""


@dataclass(frozen=True, slots=True)
class LeaderBoard:
    """What is wrong, late, unknown, waiting for me; of what is unknown only the parts that the actor may see."""


@dataclass(frozen=True, slots=True)
class Feeds:
    """The feed registry with live status and counts."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Loss ledger: rows per feed and minute of the last `minutes`, totals per partition, open mismatches."""

    minutes: int = 60


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Dead letters, newest first; `state` open | replayed | dropped | all; topic, partition and offset name one."""

    state: str = "open"
    topic: str = ""
    reason: str = ""
    limit: int = 100
    partition: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Quarantined messages of unknown devices and cameras, grouped by key."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts with role, unit, areas, state."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Units:
    """Responsible units of the actor's areas."""


@dataclass(frozen=True, slots=True)
class Areas:
    """Children of an area ('' = the roots of the actor's areas); with `text` instead: at most 50 enabled areas above
    the cells whose name or code contains it, each with `trail`, the names from its district down."""

    parent: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Workers:
    """Grid workers with position, its age, duty state and open tasks."""


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The audit log, newest first, with the state of its hash chain."""

    actor: str = ""
    limit: int = 200


@dataclass(frozen=True, slots=True)
class Status:
    """What the product runs on and how it is: store edition, bus, live state, processes, lags."""


Query = object

QUERIES: Final[dict[str, type]] = {
    "incident": IncidentDetail,
    "incidents": IncidentList,
    "my_tasks": MyTasks,
    "my_reports": MyReports,
    "search_incident": SearchIncident,
    "similar_incidents": SimilarIncidents,
    "route_incident": RouteIncident,
    "classes": Classes,
    "suggest_class": SuggestClass,
    "locate": Locate,
    "find_place": FindPlace,
    "layer_counts": LayerCounts,
    "devices": Devices,
    "device": DeviceDetail,
    "device_series": DeviceSeries,
    "camera": CameraDetail,
    "indicators": Indicators,
    "leader_board": LeaderBoard,
    "feeds": Feeds,
    "ledger": Ledger,
    "dead_letters": DeadLetters,
    "held": Held,
    "accounts": Accounts,
    "units": Units,
    "areas": Areas,
    "workers": Workers,
    "audit_log": AuditLog,
    "status": Status,
}

ACTION_OF: Final[dict[str, str]] = {
    "report_incident": "incident.report",
    "accept_incident": "incident.accept",
    "refuse_incident": "incident.refuse",
    "void_incident": "incident.void",
    "dispatch_incident": "incident.dispatch",
    "take_incident": "incident.take",
    "arrive_incident": "incident.arrive",
    "finish_incident": "incident.handle",
    "return_incident": "incident.return",
    "check_incident": "incident.check",
    "close_incident": "incident.close",
    "acknowledge_incident": "incident.acknowledge",
    "note_incident": "incident.note",
    "create_account": "account.manage",
    "change_account": "account.manage",
    "reset_password": "account.manage",
    "save_unit": "unit.manage",
    "save_area": "area.manage",
    "replay_dead_letter": "deadletter.replay",
    "drop_dead_letter": "deadletter.replay",
    "incident": "incident.see",
    "incidents": "incident.list",
    "my_tasks": "incident.list",
    "my_reports": "incident.list",
    "search_incident": "incident.search",
    "similar_incidents": "incident.similar",
    "route_incident": "incident.rank_workers",
    "classes": "catalogue.see",
    "suggest_class": "catalogue.see",
    "locate": "map.see",
    "find_place": "map.see",
    "layer_counts": "map.see",
    "devices": "device.see",
    "device": "device.see",
    "device_series": "device.see",
    "camera": "camera.see",
    "indicators": "indicator.see",
    "leader_board": "incident.list",
    "feeds": "feed.see",
    "ledger": "ledger.see",
    "dead_letters": "deadletter.see",
    "held": "deadletter.see",
    "accounts": "account.see",
    "units": "catalogue.see",
    "areas": "map.see",
    "workers": "worker.see",
    "audit_log": "audit.see",
    "status": "status.see",
}
"""Command or query → the right it asks for (incidents/access.py). A name missing here is refused for all."""
