"""Every command and every query of the product, as frozen dataclasses: the table of contents of its API.

Each has a REST route (`POST /api/v1/commands/<name>`, `GET /api/v1/queries/<name>`) and a right in
`incidents/access.py`, named by ACTION_OF. `version` is the incident version the user saw: when it is given and
another came first, the command is refused with code 'stale'. `key` is an idempotency key: the same key from the
same account answers the first answer again and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from incidents import (
    address_commands,
    catalogue_commands,
    cell_commands,
    desk_commands,
    enforcement_commands,
    evaluation_commands,
    evaluation_queries,
    handling_commands,
    map_queries,
    phone_commands,
    reply_commands,
    routing_commands,
    routing_queries,
    screen_commands,
)


@dataclass(frozen=True, slots=True)
class ReportIncident:
    """File a report by a person: desk intake, phone. Place: a point, an address, or neither (unresolved). `form_s`, `taps`
    (of this and other forms of the phone): how long it was open, for the burden of field work (incidents/burden.py)."""

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
    form_s: float | None = None
    taps: int | None = None


@dataclass(frozen=True, slots=True)
class AcceptIncident:
    """受理/立案: take it on, under a class (its own one when empty); freezes the policy. `standard`: the filing condition
    that holds, asked for where the city's catalogue has several with different limits for the class."""

    id: int
    class_code: str = ""
    level: int | None = None
    version: int | None = None
    key: str = ""
    standard: str = ""


@dataclass(frozen=True, slots=True)
class RefuseIncident:
    """不予受理, with a reason."""

    id: int
    reason: str
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class AnswerConsultation:
    """咨询办结: nothing happened, somebody asked something; `text` is the answer. No incident for evaluation (S109)."""

    id: int
    text: str
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
    """派遣 to a unit and perhaps a worker; from a unit that already has it: reassign, with a reason. `assisting`: units
    asked to help it (协办), see AskAssist."""

    id: int
    unit: str
    worker: str = ""
    reason: str = ""
    version: int | None = None
    key: str = ""
    assisting: list[str] = field(default_factory=list)


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
    form_s: float | None = None
    taps: int | None = None


@dataclass(frozen=True, slots=True)
class ReturnIncident:
    """退回 to the dispatcher; `wrong_field` is class, place, owner or scope."""

    id: int
    wrong_field: str
    reason: str
    version: int | None = None
    key: str = ""
    form_s: float | None = None
    taps: int | None = None


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
    """A remark in the timeline, with stored photos of the scene (SHA-256 names) if there are any."""

    id: int
    text: str
    key: str = ""
    photos: list[str] = field(default_factory=list)
    form_s: float | None = None
    taps: int | None = None


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


@dataclass(frozen=True, slots=True)
class IssueDeviceCredential:
    """The first credential of a device, or one after all were revoked; answers login and secret, this once.

    `days`: its life; None: until it is revoked.
    """

    device: str
    days: float | None = None


@dataclass(frozen=True, slots=True)
class RotateDeviceCredential:
    """A new credential beside the present one, which still works for `overlap_h` hours; answers it once."""

    device: str
    overlap_h: float = 24.0


@dataclass(frozen=True, slots=True)
class RevokeDeviceCredential:
    """End a credential of a device (`number`), or all of them, at once."""

    device: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class LimitDevice:
    """How many messages a second a device may send, and how many at once; None for both: as the setting says."""

    device: str
    per_s: float | None = None
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class SettleGatewayLoss:
    """A loss that the broker of the gateway has counted was looked into: close it in the ledger, with a reason."""

    mismatch: int
    reason: str


@dataclass(frozen=True, slots=True)
class SaveDevice:
    """Add a device to the registry, or change it. What is None stays as it is (a new one takes the default).

    The point (EPSG:4326) gives cell and area; days are ISO 8601; `status` in_service | maintenance | retired.
    """

    id: str
    type: str | None = None
    name: str | None = None
    unit: str | None = None
    owner: str | None = None
    address: str | None = None
    lon: float | None = None
    lat: float | None = None
    expected_period_s: float | None = None
    critical: bool | None = None
    installed_on: str | None = None
    calibration_due: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class RetireDevice:
    """Take a device out of service, with a reason: its messages are held from now on, its readings stay."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class SavePole:
    """Put a smart lamp pole together from registered devices and cameras, or change it: `members` are all it has then,
    each "function=ID" (lighting=ID of a lamp, which it must have; traffic=a camera's 20 digits). A thing is a part of one
    pole at most."""

    id: str
    name: str
    members: list[str]


@dataclass(frozen=True, slots=True)
class RemovePole:
    """Take a pole apart, with a reason: its devices and cameras stay, each by itself."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class SaveDeviceType:
    """Add a device type or change it; `period_s` is what its devices report by, unless they say otherwise."""

    id: str
    name: str
    name_en: str = ""
    icon: str = ""
    period_s: float = 60.0


@dataclass(frozen=True, slots=True)
class SaveMetric:
    """Declare what a device type measures, or change it: unit, what a sound device can report (low, high), and after
    how many periods with the very same value it is stuck (None: it may stand still)."""

    id: str
    device_type: str
    name: str
    unit: str
    name_en: str = ""
    low: float | None = None
    high: float | None = None
    stuck_periods: int | None = None


@dataclass(frozen=True, slots=True)
class ImportDevices:
    """Add and change devices by a table (CSV or XLSX, as base64). Without `confirm` nothing is stored: the answer says
    what would be, and every fault with row, column, value and rule. With it, all rows are stored or none."""

    content: str = field(metadata={"longest": 12_000_000})
    filename: str = ""
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class ImportCameras:
    """As ImportDevices, of cameras (一机一档): a row is the whole file of a camera. A camera that was unknown gets its
    held alarms back on the bus."""

    content: str = field(metadata={"longest": 12_000_000})
    filename: str = ""
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class ImportBoundaries:
    """Areas of one level with their outlines, out of GeoJSON or a zipped Shapefile (as base64). `crs`: wgs84, cgcs2000 or
    gcj02; the `…_field`s name the file's columns ('': the usual names). Without `confirm` nothing is stored: the answer
    says what would be, every fault, and the gaps and overlaps between the areas. With it, all are stored or none."""

    content: str = field(metadata={"longest": 90_000_000})
    level: str
    crs: str
    filename: str = ""
    code_field: str = ""
    name_field: str = ""
    parent_field: str = ""
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class AdoptDevice:
    """Register an unknown device and put its held messages back on the bus, in one step.

    `rejected`: also those that were set aside before.
    """

    id: str
    type: str
    name: str = ""
    unit: str = ""
    owner: str = ""
    lon: float | None = None
    lat: float | None = None
    expected_period_s: float | None = None
    critical: bool = False
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseHeld:
    """Put the held messages of a device or camera that is registered by now back on the bus."""

    thing: str
    kind: str = "device"


@dataclass(frozen=True, slots=True)
class RejectHeld:
    """Set the held messages of an unknown device or camera aside, with a reason; they are kept."""

    thing: str
    reason: str
    kind: str = "device"


@dataclass(frozen=True, slots=True)
class SaveFeed:
    """Add or change a feed that is fetched or taken by an adapter of ours (docs/feeds.md).

    `secrets`: only those that change; '' takes one away. `restart`: read the source anew from its beginning (another
    kind always does). `version`: as it was seen; another one is refused as stale.
    """

    id: str
    name: str
    kind: str
    config: dict[str, Any]
    mapping: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)
    owner: str = ""
    expected_period_s: float = 300.0
    note: str = ""
    restart: bool = False
    version: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class SwitchFeed:
    """Disable or enable a feed, with a reason; a disabled one is not fetched and what it sends is refused."""

    id: str
    disabled: bool
    reason: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class SaveCamera:
    """Create or change the file of a camera (一机一档), whole. An unknown one is adopted with its held alarms.

    `share_range`: '' | public_security | district | government; besides it `share_units` and `share_areas` (area
    paths) may view. `direction_deg` clockwise from north, `view_deg` 360 = all around. `hls_url`, `webrtc_url`: at the
    city's media server. `picture_state`: unknown | good | blurred | blocked | displaced | lost; `status`: in_use |
    repair | retired.
    """

    code: str
    name: str
    lon: float
    lat: float
    scene: str = ""
    sector: str = ""
    unit: str = ""
    share_range: str = ""
    share_units: list[str] = field(default_factory=list)
    share_areas: list[str] = field(default_factory=list)
    direction_deg: float | None = None
    view_deg: float | None = None
    range_m: float | None = None
    platform: str = ""
    gb_channel: str = ""
    hls_url: str = ""
    webrtc_url: str = ""
    picture_state: str = "unknown"
    status: str = "in_use"


@dataclass(frozen=True, slots=True)
class ShelveCamera:
    """Set a camera aside for some minutes, with a reason: its alarms are stored and counted and make no incident."""

    camera: str
    minutes: int
    reason: str


@dataclass(frozen=True, slots=True)
class UnshelveCamera:
    """Take a camera back before its time."""

    camera: str


@dataclass(frozen=True, slots=True)
class SaveAlarmWindow:
    """For how many seconds after its last alarm a scene (camera × kind; camera '' = all) is one occurrence; 0: as long
    as the incident is open."""

    kind: str
    window_s: int
    camera: str = ""


@dataclass(frozen=True, slots=True)
class SaveAlarmKind:
    """Create or change a kind of camera alarm: its event class ('' = whoever files it chooses), its level, and whether
    it files an incident at all or is only observed (stored and counted)."""

    kind: str
    name: str
    class_code: str = ""
    level: int = 4
    files: bool = True
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class SaveAlarmMap:
    """What a type of alarm of a video system (gb28181 | frigate | hikvision | dahua) is in this city: a kind of camera
    alarm, '-' for nothing; '' takes the city's own line away. Goes over the table as shipped."""

    source: str
    code: str
    kind: str


@dataclass(frozen=True, slots=True)
class SaveCameraChannel:
    """The camera behind a channel of a feed (its name or number there); '' takes the line away."""

    feed: str
    channel: str
    camera: str


@dataclass(frozen=True, slots=True)
class RequestView:
    """Ask to view a camera, with a reason; refused outside of its share range."""

    camera: str
    reason: str
    incident: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class AnswerView:
    """Approve a request to view for some minutes, or refuse it with an answer. Nobody answers his own."""

    request: int
    approve: bool
    minutes: int = 30
    answer: str = ""


@dataclass(frozen=True, slots=True)
class OpenView:
    """A link to an approved view, for the asker alone, until the approval ends."""

    request: int


Command = object

COMMANDS: Final[dict[str, type]] = {
    "report_incident": ReportIncident,
    "accept_incident": AcceptIncident,
    "refuse_incident": RefuseIncident,
    "answer_consultation": AnswerConsultation,
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
    "issue_device_credential": IssueDeviceCredential,
    "rotate_device_credential": RotateDeviceCredential,
    "revoke_device_credential": RevokeDeviceCredential,
    "limit_device": LimitDevice,
    "settle_gateway_loss": SettleGatewayLoss,
    "save_device": SaveDevice,
    "retire_device": RetireDevice,
    "save_pole": SavePole,
    "remove_pole": RemovePole,
    "save_device_type": SaveDeviceType,
    "save_metric": SaveMetric,
    "import_devices": ImportDevices,
    "import_cameras": ImportCameras,
    "import_boundaries": ImportBoundaries,
    "adopt_device": AdoptDevice,
    "release_held": ReleaseHeld,
    "reject_held": RejectHeld,
    "save_feed": SaveFeed,
    "switch_feed": SwitchFeed,
    "save_camera": SaveCamera,
    "shelve_camera": ShelveCamera,
    "unshelve_camera": UnshelveCamera,
    "save_alarm_window": SaveAlarmWindow,
    "save_alarm_kind": SaveAlarmKind,
    "save_alarm_map": SaveAlarmMap,
    "save_camera_channel": SaveCameraChannel,
    "request_view": RequestView,
    "answer_view": AnswerView,
    "open_view": OpenView,
    **handling_commands.COMMANDS,
    **catalogue_commands.COMMANDS,
    **routing_commands.COMMANDS,
    **evaluation_commands.COMMANDS,
    **address_commands.COMMANDS,
    **reply_commands.COMMANDS,
    **phone_commands.COMMANDS,
    **enforcement_commands.COMMANDS,
    **screen_commands.COMMANDS,
    **desk_commands.COMMANDS,
}


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """One incident: fields, policy, timeline, sources, photos, orders, what this actor may press now. People are masked
    in it: see UnmaskIncident."""

    id: int


@dataclass(frozen=True, slots=True)
class IncidentList:
    """Incidents of the actor's areas. Filters are joined by AND; '' and None do not filter.

    `stages` and `levels`: comma-separated; `scope`: open | closed | all; `of`: an indicator id whose records
    are wanted (part = numerator | denominator). `text`: words, each of which must occur in number, title, class,
    address, unit or worker. `bbox`: "west,south,east,north" in degrees; who has no point is in no box.
    `order`: newest | due (the least time left first). `after`: the `next` of the page before; `offset`: at
    most 10 000 rows, for what lies deeper ask with `after`. `total` is counted up to `most`, and of words that are common
    no further than was read: `capped` says that there may be more. `since`, `until` (itself left out): when reported.
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
    order: str = "newest"
    after: str = ""
    most: int = 1000
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class MyTasks:
    """Open incidents held by the asking worker (or, for a unit handler, by the unit, and those it assists with)."""


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
    """Values of one metric of a device over `hours` until `until` (default: now), at most about `points` of them.

    {t: [ms], v: [value], low, high, level, bucket_s}: `level` says what they were made of. From raw readings (level
    raw) points are chosen so that the chart looks the same; else each is a bucket: v its mean, low and high its extremes.
    """

    device: str
    metric: str
    hours: float = 24.0
    until: datetime | None = None
    points: int = 1500


@dataclass(frozen=True, slots=True)
class DeviceStatistics:
    """Number, mean, lowest, highest and 95th percentile of one metric of a device over `hours` until `until`.

    Small windows are counted from raw readings; of larger ones, widened to whole buckets of `level`, `p95` is that of
    the buckets' means, and `p95_exact` says so.
    """

    device: str
    metric: str
    hours: float = 24.0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeviceGaps:
    """Times without a reading of one metric of a device, of more than three expected periods, oldest first."""

    device: str
    metric: str
    hours: float = 24.0
    until: datetime | None = None
    limit: int = 500


@dataclass(frozen=True, slots=True)
class LatestReadings:
    """The newest reading (of the last 31 days) of a metric of each device in service of the actor's areas."""

    metric: str
    area: str = ""
    limit: int = 5000


@dataclass(frozen=True, slots=True)
class MetricHistory:
    """The mean of all readings of a metric per hour (windows beyond 200 days: per day) over the devices of the actor's
    areas: {t: [ms], v: [mean], n: [readings], level}. `area`: an area path, '' does not filter."""

    metric: str
    hours: float = 720.0
    until: datetime | None = None
    area: str = ""


@dataclass(frozen=True, slots=True)
class DeviceRegistry:
    """The registry of devices of the actor's areas, with status and health. Filters are joined by AND, '' does not
    filter; `text` must occur in id, name, address, owner or the pole's id; `health`: a state, or `due` (calibration overdue)."""

    text: str = ""
    type: str = ""
    status: str = ""
    health: str = ""
    unit: str = ""
    area: str = ""
    limit: int = 5000


@dataclass(frozen=True, slots=True)
class DeviceTypes:
    """Device types, each with the metrics that it declares."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Unknown devices and cameras whose messages are held: how many, since when, what they measure, which device
    types measure just that. `state` waiting | rejected."""

    state: str = "waiting"


@dataclass(frozen=True, slots=True)
class CameraDetail:
    """The file of a camera: code by its parts, place, scene, sector, share range, view, addresses, picture, status,
    shelf."""

    camera: str


@dataclass(frozen=True, slots=True)
class Cameras:
    """Cameras of the actor's areas. `text`: in code, name or scene; `status`, `picture_state`, `platform`: equal."""

    text: str = ""
    status: str = ""
    picture_state: str = ""
    platform: str = ""
    limit: int = 200
    offset: int = 0


@dataclass(frozen=True, slots=True)
class CamerasSeeing:
    """Cameras in use that can see a point (direction, field, range), the nearest first; `near`: the nearest others."""

    lon: float
    lat: float
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Shelves:
    """Cameras set aside now (`past`: also those that came back), with how many alarms each has kept."""

    past: bool = False


@dataclass(frozen=True, slots=True)
class AlarmPrecision:
    """Per camera × algorithm of the last `days`: alarms, incidents confirmed and false, precision = confirmed /
    (confirmed + false). Confirmed: accepted as an incident. False: refused or void."""

    days: int = 30
    camera: str = ""
    limit: int = 200


@dataclass(frozen=True, slots=True)
class ViewRequests:
    """Requests to view: one's own, and those of one's areas for who may answer them. `state`: asked | approved |
    refused | all."""

    state: str = "all"
    camera: str = ""
    limit: int = 100


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
class TestFeed:
    """Ten records of a feed as its mapping makes them, or what is wrong with them; nothing is stored or published.

    `sample`: text of a record to take instead of asking the source (a webhook has nothing to be asked). `draft`: the
    feed as it stands in a form, instead of the saved one; only from our own pages, as a URL is no place for secrets.
    """

    feed: str
    sample: str = ""
    draft: SaveFeed | None = field(default=None, metadata={"inside": True})


@dataclass(frozen=True, slots=True)
class Ledger:
    """Loss ledger: rows per feed and minute of the last `minutes`, totals per partition, open mismatches."""

    minutes: int = 60


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Dead letters, newest first; `state` open | replayed | dropped | all; topic, partition and offset name one;
    `ledger`: those of one row (feed and minute) of the ledger."""

    state: str = "open"
    topic: str = ""
    reason: str = ""
    limit: int = 100
    partition: int | None = None
    offset: int | None = None
    ledger: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Quarantined messages of unknown devices and cameras, grouped by key; `ledger` as in DeadLetters."""

    ledger: int | None = None


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


@dataclass(frozen=True, slots=True)
class DeviceCredentials:
    """Credentials of the devices of the actor's areas (never a secret), their connection, limit and refusals.

    `device`: a part of its id; `standing`: only those that work now.
    """

    device: str = ""
    standing: bool = False
    limit: int = 200


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
    "device_registry": DeviceRegistry,
    "device_types": DeviceTypes,
    "quarantine": Quarantine,
    "device_statistics": DeviceStatistics,
    "device_gaps": DeviceGaps,
    "latest_readings": LatestReadings,
    "metric_history": MetricHistory,
    "camera": CameraDetail,
    "cameras": Cameras,
    "cameras_seeing": CamerasSeeing,
    "shelves": Shelves,
    "alarm_precision": AlarmPrecision,
    "view_requests": ViewRequests,
    "indicators": Indicators,
    "leader_board": LeaderBoard,
    "feeds": Feeds,
    "test_feed": TestFeed,
    "ledger": Ledger,
    "dead_letters": DeadLetters,
    "held": Held,
    "accounts": Accounts,
    "units": Units,
    "areas": Areas,
    "workers": Workers,
    "audit_log": AuditLog,
    "status": Status,
    "device_credentials": DeviceCredentials,
    **evaluation_queries.QUERIES,
    **catalogue_commands.QUERIES,
    **routing_queries.QUERIES,
    **address_commands.QUERIES,
    **map_queries.QUERIES,
    **reply_commands.QUERIES,
    **phone_commands.QUERIES,
    **enforcement_commands.QUERIES,
    **cell_commands.QUERIES,
    **screen_commands.QUERIES,
    **desk_commands.QUERIES,
}

ACTION_OF: Final[dict[str, str]] = {
    "report_incident": "incident.report",
    "accept_incident": "incident.accept",
    "refuse_incident": "incident.refuse",
    "answer_consultation": "incident.refuse",
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
    "issue_device_credential": "device.credential",
    "rotate_device_credential": "device.credential",
    "revoke_device_credential": "device.credential",
    "limit_device": "device.credential",
    "settle_gateway_loss": "deadletter.replay",
    "save_device": "device.manage",
    "retire_device": "device.manage",
    "save_pole": "device.manage",
    "remove_pole": "device.manage",
    "save_device_type": "device_type.manage",
    "save_metric": "device_type.manage",
    "import_devices": "device.manage",
    "import_cameras": "camera.manage",
    "import_boundaries": "area.manage",
    "adopt_device": "device.manage",
    "release_held": "deadletter.replay",
    "reject_held": "deadletter.replay",
    "save_feed": "feed.manage",
    "switch_feed": "feed.manage",
    "save_camera": "camera.manage",
    "shelve_camera": "camera.shelve",
    "unshelve_camera": "camera.shelve",
    "save_alarm_window": "camera.manage",
    "save_alarm_kind": "camera.manage",
    "save_alarm_map": "camera.manage",
    "save_camera_channel": "camera.manage",
    "request_view": "camera.ask",
    "answer_view": "camera.answer",
    "open_view": "camera.ask",
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
    "device_registry": "device.see",
    "device_types": "device.see",
    "quarantine": "deadletter.see",
    "device_statistics": "device.see",
    "device_gaps": "device.see",
    "latest_readings": "device.see",
    "metric_history": "device.see",
    "camera": "camera.see",
    "cameras": "camera.see",
    "cameras_seeing": "camera.see",
    "shelves": "camera.see",
    "alarm_precision": "camera.see",
    "view_requests": "camera.see",
    "indicators": "indicator.see",
    "leader_board": "incident.list",
    "feeds": "feed.see",
    "test_feed": "feed.manage",
    "ledger": "ledger.see",
    "dead_letters": "deadletter.see",
    "held": "deadletter.see",
    "accounts": "account.see",
    "units": "catalogue.see",
    "areas": "map.see",
    "workers": "worker.see",
    "audit_log": "audit.see",
    "status": "status.see",
    "device_credentials": "device.credential",
    **handling_commands.ACTION_OF,
    **catalogue_commands.ACTION_OF,
    **evaluation_commands.ACTION_OF,
    **evaluation_queries.ACTION_OF,
    **routing_commands.ACTION_OF,
    **routing_queries.ACTION_OF,
    **address_commands.ACTION_OF,
    **map_queries.ACTION_OF,
    **reply_commands.ACTION_OF,
    **phone_commands.ACTION_OF,
    **enforcement_commands.ACTION_OF,
    **cell_commands.ACTION_OF,
    **screen_commands.ACTION_OF,
    **desk_commands.ACTION_OF,
}
"""Command or query → the right it asks for (incidents/access.py). A name missing here is refused for all."""
