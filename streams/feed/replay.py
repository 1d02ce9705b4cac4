"""Replaying a recording: each row becomes a message, sent at the recorded pace × speed, or at full speed.

Times: a message's `time` is the moment of sending, the recorded time stays in `data.source_time`; with
`keep_time` the recorded time is kept and `data.history` set (an import of history, exempt from the age rule).
Times of one device strictly increase, in steps of at least one microsecond, so that rows sent in the same
instant stay distinct readings. A message's id is file name + ":" + line number, so a row has the same id in
every replay and every retry. Places move by one offset that puts the file's median point on the city's centre;
nothing is filtered here, the product judges.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from statistics import median
from typing import IO, Any

import msgspec

from incidents.ports import Outgoing
from streams import topics
from streams.feed.city import FeedRegistration, MetricRegistration, Registrar, Registration
from streams.feed.columns import COMPASS, GRID_REPORT, HOTLINE, SENSOR, Columns, find_columns, number
from streams.feed.recording import (
    MISSING,
    BadRow,
    Format,
    RecordingError,
    Row,
    detect,
    parse_time,
    rows,
)
from streams.feed.sending import RecordedMessage, Say, Sender, Sink, Stop

DEVICE_TYPE = "replay"
DEVICE_TYPE_NAME = "回放序列"
DEVICE_TYPE_NAME_EN = "Replayed series"

_SAMPLE = 20_000
_NAMED = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to replay and how. `speed` None = as fast as the bus takes; `centre` is (lon, lat)."""

    path: Path
    kind: str
    centre: tuple[float, float]
    speed: float | None = 1.0
    keep_time: bool = False
    zone: tzinfo = UTC
    columns: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""
    channel: str = ""
    feed: str = ""
    batch: int = 500

    @property
    def stem(self) -> str:
        """The file's name without `.csv` and `.gz`, as one word."""
        name = self.path.name
        for end in (".gz", ".csv", ".tsv", ".txt"):
            name = name[: -len(end)] if name.lower().endswith(end) and len(name) > len(end) else name
        return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)

    @property
    def feed_id(self) -> str:
        """The feed of this replay: `replay-<stem>` unless the plan names one."""
        return self.feed or f"replay-{self.stem}"


@dataclass(slots=True)
class Count:
    """What became of the rows: rows = messages + empty + unreadable."""

    rows: int = 0
    messages: int = 0
    records: int = 0
    missing: int = 0
    empty: int = 0
    unreadable: int = 0
    unreadable_cells: int = 0
    without_point: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """A message to be: recorded time (µs since 1970), line, bus key, number of records, data."""

    recorded_us: int
    line: int
    key: str
    n: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first reading of the whole file found."""

    form: Format
    columns: Columns
    offset: tuple[float, float]
    in_order: bool
    devices: Mapping[str, float]
    """Expected period in seconds (median recorded gap) per device id; empty for reports."""


class Maker:
    """Makes items from the rows of one recording and counts what it could not make.

    Every trouble goes to `report(line, why, cells)`: `cells` is False when the whole row was given up.
    """

    def __init__(self, plan: Plan, columns: Columns, report: Callable[[int, str, bool], None]) -> None:
        self._plan = plan
        self._columns = columns
        self._report = report
        self.count = Count()

    def time_of(self, row: Row) -> datetime:
        """The recorded time of a row. Raises ValueError."""
        columns = self._columns
        if not columns.parts:
            return parse_time(row.cells[columns.roles["time"]], self._plan.zone)
        text = [row.cells[i].strip() for i in columns.parts]
        try:
            return datetime(*map(int, text), tzinfo=self._plan.zone).astimezone(UTC)  # type: ignore[misc,arg-type]
        except (ValueError, OverflowError):
            raise ValueError(f"{'-'.join(text)!r} is not a time") from None

    def device_of(self, row: Row) -> str:
        """The device a sensor's row belongs to: its device column's word, else the file."""
        index = self._columns.roles.get("device")
        return f"replay-{self._plan.stem if index is None else row.cells[index].strip()}"

    def point_of(self, row: Row) -> tuple[float, float] | None:
        """The recorded (lon, lat); None when the row has none. Raises ValueError for what is no number."""
        roles = self._columns.roles
        if "lon" not in roles:
            return None
        lon, lat = row.cells[roles["lon"]].strip(), row.cells[roles["lat"]].strip()
        if lon.lower() in MISSING or lat.lower() in MISSING:
            return None
        return number(lon), number(lat)

    def items(self, found: Iterator[Row | BadRow], offset: tuple[float, float]) -> Iterator[Item]:
        """The items of the rows, in file order."""
        make = self._sensor if self._plan.kind == SENSOR else self._report_item
        for row in found:
            self.count.rows += 1
            if isinstance(row, BadRow):
                self._unreadable(row.line, row.why)
                continue
            try:
                item = make(row, offset)
            except ValueError as error:
                self._unreadable(row.line, str(error))
                continue
            if item is not None:
                self.count.messages += 1
                self.count.records += item.n
                yield item

    def _unreadable(self, line: int, why: str) -> None:
        self.count.unreadable += 1
        self._report(line, why, False)

    def _sensor(self, row: Row, offset: tuple[float, float]) -> Item | None:
        time = self.time_of(row)
        device = self.device_of(row)
        if device == "replay-":
            raise ValueError("the device column is empty")
        readings: list[dict[str, Any]] = []
        missing = unreadable = 0
        for metric in self._columns.metrics:
            cell = row.cells[metric.index].strip()
            if cell.lower() in MISSING:
                missing += 1
                continue
            try:
                value = COMPASS[cell] if metric.compass else number(cell)
            except (ValueError, KeyError):
                unreadable += 1
                self._report(row.line, f"{metric.column}={cell[:60]!r} is not a finite number", True)
                continue
            readings.append({"metric": metric.id, "value": value})
        self.count.missing += missing
        self.count.unreadable_cells += unreadable
        if not readings:
            if unreadable:
                raise ValueError("no cell holds a number")
            self.count.empty += 1
            return None
        data: dict[str, Any] = {"device": device, "readings": readings}
        if missing:
            data["missing"] = missing
        return self._item(row.line, time, device, len(readings), data)

    def _report_item(self, row: Row, offset: tuple[float, float]) -> Item | None:
        roles, cells = self._columns.roles, row.cells
        time = self.time_of(row)
        words = {
            role: cells[i].strip()
            for role, i in roles.items()
            if role not in ("time", "lon", "lat") and cells[i].strip()
        }
        text = words.get("text") or "：".join(
            words[role] for role in ("title", "category", "address") if role in words
        )
        if not text:
            raise ValueError("no text, title or category")
        hotline = self._plan.kind == HOTLINE
        channel = self._plan.channel or ("hotline" if hotline else "grid")
        data: dict[str, Any] = {"channel": channel, "text": text}
        for role in ("title", "address", "category"):
            if role in words:
                data[role] = words[role]
        reporter = {role: words[role] for role in ("name", "phone") if role in words}
        if reporter:
            data["reporter"] = reporter
        point = self.point_of(row)
        if point is not None:
            lon, lat = point[0] + offset[0], point[1] + offset[1]
            data["point"] = {"lon": round(lon, 7), "lat": round(lat, 7)}
        else:
            self.count.without_point += 1
        return self._item(row.line, time, f"{self._plan.path.name}:{row.line}", 1, data)

    def _item(self, line: int, time: datetime, key: str, n: int, data: dict[str, Any]) -> Item:
        data["source_time"] = time.astimezone(self._plan.zone).isoformat()
        if self._plan.keep_time:
            data["history"] = True
        return Item(_us(time), line, key, n, data)


def survey(plan: Plan) -> Survey:
    """Read the whole file once: format, columns, devices with their periods, median point, order of time.

    Raises RecordingError when the file cannot be replayed as this kind.
    """
    form = detect(plan.path, plan.encoding)
    columns = find_columns(plan.kind, form.header, islice(rows(plan.path, form), _SAMPLE), plan.columns)
    maker = Maker(plan, columns, lambda line, why, cells: None)
    lons: list[float] = []
    lats: list[float] = []
    last: datetime | None = None
    in_order = True
    last_of: dict[str, datetime] = {}
    gaps: dict[str, list[float]] = {}
    for row in rows(plan.path, form):
        if isinstance(row, BadRow):
            continue
        try:
            time = maker.time_of(row)
            point = maker.point_of(row)
        except ValueError:
            continue
        if last is not None and time < last:
            in_order = False
        last = time
        if point is not None:
            lons.append(point[0])
            lats.append(point[1])
        if plan.kind == SENSOR:
            device = maker.device_of(row)
            found = gaps.setdefault(device, [])
            if device in last_of and len(found) < 1000:
                found.append((time - last_of[device]).total_seconds())
            last_of[device] = time
    if last is None:
        raise RecordingError(f"{plan.path.name}: no row with a time that can be read")
    offset = (plan.centre[0] - median(lons), plan.centre[1] - median(lats)) if lons else (0.0, 0.0)
    periods = {
        device: max(1.0, median(g for g in found if g > 0) if any(g > 0 for g in found) else 60.0)
        for device, found in gaps.items()
        if device != "replay-"
    }
    return Survey(form, columns, offset, in_order, periods)


def registrations(plan: Plan, found: Survey) -> tuple[FeedRegistration, list[Registration]]:
    """The feed and the devices of a replay, to be registered before its first message."""
    periods = found.devices.values()
    topic = topics.READING if plan.kind == SENSOR else topics.GRID_REPORT
    feed = FeedRegistration(
        plan.feed_id,
        f"回放 {plan.path.name}",
        (topic,),
        min(periods, default=None),
        f"app.py feed replay --as {plan.kind}",
    )
    metrics = tuple(MetricRegistration(m.id, m.column) for m in found.columns.metrics)
    return feed, [
        Registration(
            device,
            DEVICE_TYPE,
            DEVICE_TYPE_NAME,
            DEVICE_TYPE_NAME_EN,
            device.removeprefix("replay-"),
            metrics,
            plan.feed_id,
            *plan.centre,
            period,
        )
        for device, period in found.devices.items()
    ]


class Stamper:
    """Gives each message its `time`: never before the previous one of its key, and never the same."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._second = -1
        self._text = ""

    def sent(self, key: str, now_us: int) -> str:
        """RFC 3339 with microseconds: `now_us`, or one microsecond after the key's last one."""
        stamp = max(now_us, self._last.get(key, -1) + 1)
        self._last[key] = stamp
        return self.text(stamp)

    def text(self, stamp: int) -> str:
        """RFC 3339, UTC, of microseconds since 1970."""
        second, micro = divmod(stamp, 1_000_000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._text}{micro:06d}Z"


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Encoder:
    """Encodes items into messages of the bus and lines of the record."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._topic = topics.READING if plan.kind == SENSOR else topics.GRID_REPORT
        self._source = f"urn:feed:{plan.feed_id}"
        self._json = msgspec.json.Encoder()
        self._stamps = Stamper()

    def message(self, item: Item, now_us: int) -> tuple[Outgoing, RecordedMessage]:
        """The message of an item sent at `now_us` (µs since 1970)."""
        id = f"{self._plan.path.name}:{item.line}"
        if self._plan.keep_time:
            time = self._stamps.text(item.recorded_us)
        else:
            time = self._stamps.sent(item.key if self._topic == topics.READING else "", now_us)
        data = self._json.encode(item.data)
        value = self._json.encode(
            {
                "specversion": "1.0",
                "id": id,
                "source": self._source,
                "type": self._topic,
                "time": time,
                "subject": item.key,
                "datacontenttype": "application/json",
                "data": msgspec.Raw(data),
            }
        )
        line = RecordedMessage(
            id, self._topic, item.key, item.n, "good", time, hashlib.sha256(data).hexdigest()
        )
        return Outgoing(self._topic, item.key, value), line


def _paced(
    items: Iterator[Item], plan: Plan, clock: Callable[[], datetime], stop: Stop
) -> Iterator[list[Item]]:
    """Batches of items, each when it is due; ends early when stopped."""
    if plan.speed is None:
        while not stop.is_set() and (batch := list(islice(items, plan.batch))):
            yield batch
        return
    first = next(items, None)
    if first is None:
        return
    begin = _us(clock())
    batch = [first]
    for item in items:
        due = begin + (item.recorded_us - first.recorded_us) / plan.speed
        wait = (due - _us(clock())) / 1_000_000
        if (wait > 0.1 and batch) or len(batch) >= plan.batch:
            yield batch
            batch = []
            wait = (due - _us(clock())) / 1_000_000
        if wait > 0 and stop.wait(wait):
            return
        if stop.is_set():
            return
        batch.append(item)
    if batch:
        yield batch


def replay(
    plan: Plan,
    sink: Sink,
    registrar: Registrar,
    clock: Callable[[], datetime],
    stop: Stop,
    say: Say,
    record: IO[bytes] | None = None,
) -> Count:
    """Replay `plan.path` and return what became of its rows; `record` gets the producer's own truth.

    Record lines are RecordedMessage, {"kind": "unreadable", line, why}, {"kind": "unreadable_cell", line, why}
    and at the end {"kind": "summary", "complete": bool, …counts}. `say` gets progress lines.
    Raises RecordingError before anything is sent; FeedStopped and FeedRefused from the sender.
    """
    found = survey(plan)
    sender = Sender(sink, stop, say, record)
    _describe(plan, found, say)
    feed, devices = registrations(plan, found)
    registrar.register(feed, devices)
    named = 0

    def report(line: int, why: str, cell: bool) -> None:
        nonlocal named
        named += 1
        sender.note({"kind": "unreadable_cell" if cell else "unreadable", "line": line, "why": why})
        if named <= _NAMED:
            say(f"{plan.path.name}:{line}: {why}" + ("" if cell else " — no message"))
        elif named == _NAMED + 1:
            say("further rows that cannot be read are counted" + (", see the record" if record else ""))

    maker = Maker(plan, found.columns, report)
    items = maker.items(rows(plan.path, found.form), found.offset)
    if not found.in_order:
        say("the rows are not in order of time: sorted by it")
        items = iter(sorted(items, key=lambda item: item.recorded_us))
    encoder = Encoder(plan)
    begin = shown = clock()
    complete = False
    try:
        for batch in _paced(items, plan, clock, stop):
            now = clock()
            now_us = _us(now)
            made = [encoder.message(item, now_us) for item in batch]
            sender.send([m for m, _ in made], [line for _, line in made])
            if (now - shown).total_seconds() >= 2:
                shown = now
                rate = sender.sent.messages / max((now - begin).total_seconds(), 1e-9)
                say(f"{plan.path.name}: {sender.sent.messages} messages sent, {rate:.0f}/s")
        complete = not stop.is_set()
    finally:
        count = maker.count
        sender.note(
            {
                "kind": "summary",
                "file": plan.path.name,
                "feed": plan.feed_id,
                "complete": complete,
                "sent": sender.sent.messages,
                "sent_records": sender.sent.records,
                "retries": sender.sent.retries,
                **{name: getattr(count, name) for name in Count.__slots__},
            }
        )
        sender.flush()
    seconds = (clock() - begin).total_seconds()
    say(
        f"{plan.path.name}: {count.rows} rows = {count.messages} messages ({count.records} records) + "
        f"{count.empty} empty + {count.unreadable} unreadable; {count.missing} cells missing, "
        f"{count.unreadable_cells} cells unreadable; {seconds:.1f} s"
    )
    return count


def _describe(plan: Plan, found: Survey, say: Say) -> None:
    form, columns = found.form, found.columns
    metrics = ", ".join(m.id if m.id == m.column else f"{m.id}={m.column}" for m in columns.metrics)
    roles = ", ".join(f"{role}={form.header[i]}" for role, i in columns.roles.items())
    parts = "-".join(form.header[i] for i in columns.parts)
    taken = ", ".join(filter(None, (roles, parts and f"time={parts}", metrics)))
    say(f"{plan.path.name}: {form.encoding}, {taken}")
    if columns.ignored:
        say(f"columns not taken: {', '.join(columns.ignored)}")
    say(f"times without a zone are taken as {plan.zone}")
    if any(found.offset) and all(map(math.isfinite, found.offset)):
        say(f"offset lon {found.offset[0]:.6f}, lat {found.offset[1]:.6f}")


__all__ = [
    "GRID_REPORT",
    "HOTLINE",
    "SENSOR",
    "Count",
    "Maker",
    "Plan",
    "registrations",
    "replay",
    "survey",
]
