"""Feeds: replay of recordings (own files and the real ones), the simulated day, and how both are sent."""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gis.cells import haversine_m
from incidents.ports import BusRefused, BusUnavailable, Outgoing
from incidents.warning import NEUTRAL, Rule, RuleState, judge
from streams import topics
from streams.envelope import decode
from streams.feed import cli
from streams.feed.city import CityView, FeedRegistration, Registration
from streams.feed.columns import parse_overrides
from streams.feed.http_sink import HttpSink
from streams.feed.recording import RecordingError, detect_encoding, parse_time
from streams.feed.replay import Count, Plan, replay
from streams.feed.sending import FeedRefused, FeedStopped, Sender
from streams.feed.sentences import Sentences
from streams.feed.simulate import Limits, simulate
from streams.feed.simulation import Made, Simulation
from tests.services import not_run
from tests.streams.pure_steps import MAX_BYTES, judge_messages, registry_of
from tests.streams.sample_view import FILES, sample_view

ZONE = ZoneInfo("Asia/Shanghai")
CENTRE = (113.9, 21.9)
SHARED = Path(__file__).parents[2].parent / "shared" / "data"
START = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)


class FakeTime:
    """A clock that only moves when somebody waits; as `stop` it never stops by itself."""

    def __init__(self) -> None:
        self.now = START
        self.waits: list[float] = []
        self.stopped = False
        self.tick = timedelta(0)

    def __call__(self) -> datetime:
        self.now += self.tick
        return self.now

    def is_set(self) -> bool:
        return self.stopped

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.now += timedelta(seconds=timeout)
        return self.stopped


class FakeBus:
    """Takes messages; raises the given errors first, one per call (after having kept the batch if `kept`)."""

    def __init__(self, errors: Sequence[Exception] = (), kept: bool = False) -> None:
        self.errors = list(errors)
        self.kept = kept
        self.got: list[Outgoing] = []
        self.sizes: list[int] = []

    def publish(self, messages: Sequence[Outgoing]) -> None:
        if self.errors:
            if self.kept:
                self.got += messages
            raise self.errors.pop(0)
        self.sizes.append(len(messages))
        self.got += messages

    def close(self) -> None:
        pass


class FakeRegistrar:
    """Remembers what was registered and how much was on the bus by then."""

    def __init__(self, bus: FakeBus | None = None) -> None:
        self.bus = bus
        self.feeds: list[FeedRegistration] = []
        self.devices: list[Registration] = []
        self.sent_before = 0

    def register(self, feed: FeedRegistration, devices: Sequence[Registration]) -> None:
        self.feeds.append(feed)
        self.devices += devices
        self.sent_before = len(self.bus.got) if self.bus is not None else 0


class Run:
    """One replay of a file and everything that came out of it."""

    def __init__(self, path: Path, kind: str, bus: FakeBus | None = None, **plan: Any) -> None:
        self.time = FakeTime()
        self.bus = bus or FakeBus()
        self.registrar = FakeRegistrar(self.bus)
        self.said: list[str] = []
        record = io.BytesIO()
        plan.setdefault("speed", None)
        plan.setdefault("zone", ZONE)
        self.count: Count = replay(
            Plan(path, kind, CENTRE, **plan),
            self.bus,
            self.registrar,
            self.time,
            self.time,
            self.said.append,
            record,
        )
        self.lines = [json.loads(line) for line in record.getvalue().splitlines()]
        self.sent = [line for line in self.lines if "sha256" in line]
        self.summary = self.lines[-1]

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """What is on the bus, decoded."""
        return [json.loads(m.value) for m in self.bus.got]


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


# -- recordings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_replay_reads_every_encoding(tmp_path: Path, encoding: str, ending: str) -> None:
    text = '编号,主题,时间,详情\n7,路灯不亮,2019/2/28 9:05:07,"整条街，都黑了\n走路看不见""完全"""\n8,井盖,2019/3/1 10:00,松动\n'
    path = write(tmp_path / f"tickets{ending}", text, encoding)
    run = Run(path, "hotline")
    assert run.count == Count(rows=2, messages=2, records=2, without_point=2)
    first, second = run.messages
    assert first["data"] == {
        "channel": "hotline",
        "title": "路灯不亮",
        "text": '整条街，都黑了\n走路看不见"完全"',
        "source_time": "2019-02-28T09:05:07+08:00",
    }
    assert first["id"] == f"{path.name}:2"
    assert second["id"] == f"{path.name}:4", "a cell of two lines moves the next row's line"
    assert first["source"] == "urn:feed:replay-tickets"
    for message in run.bus.got:
        assert decode(topics.GRID_REPORT, message.value, MAX_BYTES).data.point is None


def test_damaged_utf8_is_not_taken_for_gb18030(tmp_path: Path) -> None:
    good = "".join(f"2020-01-01 00:0{i}:00,第{i}条：路面有积水，行人难走\n" for i in range(9)).encode()
    path = tmp_path / "damaged.csv"
    path.write_bytes(b"time,text\n" + good + "2020-01-01 00:09:00,坏".encode() + b"\xff\xfe\n")
    assert detect_encoding(path) == "utf-8"
    run = Run(path, "hotline")
    assert (run.count.messages, run.count.unreadable) == (9, 1)
    assert [line for line in run.lines if line["kind"] == "unreadable"] == [
        {"kind": "unreadable", "line": 11, "why": "bytes that are not utf-8"}
    ]


def test_sensor_rows_gaps_and_bad_rows(tmp_path: Path) -> None:
    path = write(
        tmp_path / "series.csv",
        "timestamp,value,NOx,wind,note\n"
        "2015-07-10 14:24:00,564,1.5,NNE,ok\n"  # 2
        "2015-07-10 14:38:00,NA,2.5,S,ok\n"  # 3
        "2015-07-10 14:48:00,NA,,NA,gap\n"  # 4: nothing measured
        "yesterday,1,2,N,x\n"  # 5: no time
        "2015-07-10 15:00:00,1,2\n"  # 6: too few cells
        "\n"
        "2015-07-10 15:10:00,inf,3,E,x\n"  # 8: one cell unreadable
        "2015-07-10 15:20:00,9,abc,NW,x\n"  # 9
        "2015-07-10 15:20:00,?,abc,NA,x\n",  # 10: no number at all
    )
    run = Run(path, "sensor")
    assert run.count == Count(
        rows=8, messages=4, records=9, missing=1 + 3 + 1, empty=1, unreadable=3, unreadable_cells=1 + 1 + 2
    )
    assert run.count.rows == run.count.messages + run.count.empty + run.count.unreadable
    assert [line["line"] for line in run.lines if line["kind"] == "unreadable"] == [5, 6, 10]
    assert [line["line"] for line in run.lines if line["kind"] == "unreadable_cell"] == [8, 9, 10, 10]
    assert run.messages[1]["data"]["missing"] == 1
    assert run.messages[0]["data"]["readings"] == [
        {"metric": "value", "value": 564.0},
        {"metric": "nox", "value": 1.5},
        {"metric": "wind_deg", "value": 22.5},
    ]
    assert "columns not taken: note" in run.said
    assert any(line.startswith("series.csv:5:") for line in run.said)


def test_the_feed_and_its_devices_are_registered_before_the_first_message(tmp_path: Path) -> None:
    path = write(
        tmp_path / "air.csv.gz",
        '"No","year","month","day","hour","PM2.5","station"\n'
        + "".join(f'{h},2013,3,1,{h},{h + 4},"Dongsi"\n' for h in range(5))
        + "".join(f'{h},2013,3,1,{h},{h + 9},"Wanliu"\n' for h in range(0, 5, 2)),
    )
    run = Run(path, "sensor")
    assert run.registrar.sent_before == 0
    assert [f.id for f in run.registrar.feeds] == ["replay-air"]
    assert [(d.device, d.expected_period_s, d.feed) for d in run.registrar.devices] == [
        ("replay-Dongsi", 3600.0, "replay-air"),
        ("replay-Wanliu", 7200.0, "replay-air"),
    ]
    assert [m.id for m in run.registrar.devices[0].metrics] == ["pm25"]
    assert {m["data"]["device"] for m in run.messages} == {"replay-Dongsi", "replay-Wanliu"}
    recorded = [m["data"]["source_time"] for m in run.messages]
    assert recorded == sorted(recorded), "two blocks of one file are sent in order of time"
    assert "the rows are not in order of time: sorted by it" in run.said


def test_times_are_the_moment_of_sending_and_strictly_increase_per_device(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.csv", "time,v\n" + "".join(f"2015-01-01T00:{i:02d}:00Z,{i}\n" for i in range(60))
    )
    run = Run(path, "sensor")
    times = [datetime.fromisoformat(m["time"]) for m in run.messages]
    assert times[0] == START
    assert all(a < b for a, b in zip(times, times[1:], strict=False))
    assert times[-1] - START < timedelta(milliseconds=1)
    assert run.messages[5]["data"]["source_time"] == "2015-01-01T08:05:00+08:00"


def test_keep_time_is_an_import_of_history(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", "time,v\n2015-01-01T00:00:00,1\n2015-01-01T00:01:00.5,2\n")
    run = Run(path, "sensor", keep_time=True)
    assert [m["time"] for m in run.messages] == ["2014-12-31T16:00:00.000000Z", "2014-12-31T16:01:00.500000Z"]
    assert all(m["data"]["history"] is True for m in run.messages)


def test_speed_keeps_the_recorded_pace(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.csv", "time,v\n2015-01-01T00:00:00,1\n2015-01-01T00:10:00,2\n2015-01-01T00:30:00,3\n"
    )
    run = Run(path, "sensor", speed=60.0)
    times = [datetime.fromisoformat(m["time"]) for m in run.messages]
    assert [round((t - START).total_seconds(), 3) for t in times] == [0.0, 10.0, 30.0]
    assert sum(run.time.waits) == pytest.approx(30.0)


def test_places_move_by_one_offset_and_nothing_is_filtered(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.csv",
        "first_seen_at_timestamp;category;location;lat;lon\n"
        "2021-01-01T12:18:10;Müll;Weg 1;48.70;9.10\n"
        "2021-01-01T12:19:10;Müll;Weg 2;48.80;9.20\n"
        "2021-01-01T12:20:10;Licht;;40.00;9.90\n"
        "2021-01-01T12:21:10;Licht;Weg 4;NA;NA\n"
        "2021-01-01T12:22:10;Licht;Weg 5;north;9.1\n",
    )
    run = Run(path, "grid-report")
    assert run.count == Count(rows=5, messages=4, records=4, unreadable=1, without_point=1)
    assert "offset lon 104.700000, lat -26.800000" in run.said
    points = [m["data"].get("point") for m in run.messages]
    assert points == [
        {"lon": 113.8, "lat": 21.9},
        {"lon": 113.9, "lat": 22.0},
        {"lon": 114.6, "lat": 13.2},
        None,
    ]
    assert run.messages[0]["data"] == {
        "channel": "grid",
        "text": "Müll：Weg 1",
        "category": "Müll",
        "address": "Weg 1",
        "source_time": "2021-01-01T12:18:10+08:00",
        "point": {"lon": 113.8, "lat": 21.9},
    }
    assert run.messages[2]["data"]["text"] == "Licht"
    assert run.bus.got[0].key == run.messages[0]["id"] == "r.csv:2"


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "wann,A,B\n2015-01-01,1,2\n2015-01-02,3,4\n")
    with pytest.raises(RecordingError, match="no column for the time among wann, A, B"):
        Run(path, "sensor")
    run = Run(path, "sensor", columns=parse_overrides("time=wann, speed_kmh=B"))
    assert run.messages[1]["data"]["readings"] == [{"metric": "speed_kmh", "value": 4.0}]
    assert "columns not taken: A" in run.said
    with pytest.raises(RecordingError, match=r"--columns speed=C: no such column; the file has wann, A, B"):
        Run(path, "sensor", columns={"time": "wann", "speed": "C"})
    with pytest.raises(RecordingError, match="grid-report knows time, category"):
        Run(path, "grid-report", columns={"time": "wann", "colour": "A"})
    with pytest.raises(RecordingError, match="must be name=column"):
        parse_overrides("time")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the first line is empty"),
        ("value\n1\n", "one column"),
        ("time,value\nnever,1\n", "no row with a time"),
        ("time,name\n2015-01-01,x\n", "no column of numbers"),
    ],
)
def test_a_file_that_cannot_be_replayed_says_why(tmp_path: Path, content: str, why: str) -> None:
    with pytest.raises(RecordingError, match=why):
        Run(write(tmp_path / "f.csv", content), "sensor")


def test_an_absent_or_cut_file_says_why(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no\.csv: cannot be read"):
        Run(tmp_path / "no.csv", "sensor")
    whole = gzip.compress(
        (
            "time,v\n"
            + "".join(f"2015-01-01T{i // 60 % 24:02d}:{i % 60:02d}:00,{i * 7919}\n" for i in range(4000))
        ).encode()
    )
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match="cannot be read"):
        Run(cut, "sensor")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2015-07-10 14:24:00", "2015-07-10T06:24:00+00:00"),
        ("2015-07-10T14:24:00Z", "2015-07-10T14:24:00+00:00"),
        ("2015-07-10T14:24:00+02:00", "2015-07-10T12:24:00+00:00"),
        ("2019/2/8 9:05:07", "2019-02-08T01:05:07+00:00"),
        ("2019/2/8", "2019-02-07T16:00:00+00:00"),
        ("2019年2月8日 9时5分", "2019-02-08T01:05:00+00:00"),
        ("1436538240", "2015-07-10T14:24:00+00:00"),
        ("1436538240250", "2015-07-10T14:24:00.250000+00:00"),
    ],
)
def test_times_of_recordings(text: str, utc: str) -> None:
    assert parse_time(text, ZONE).isoformat() == utc


@pytest.mark.parametrize("text", ["", "NA", "12", "2019-13-01", "2019/2/30 10:00", "0001-01-01 00:00:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text, ZONE)


def test_the_record_is_what_was_sent(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.csv", "time,v,w\n" + "".join(f"2015-01-01T00:{i:02d}:00,{i},NA\n" for i in range(60))
    )
    text = path.read_text().replace("00:30:00,30,NA", "00:30:00,30,1.5")
    run = Run(write(path, text), "sensor", batch=7)
    assert max(run.bus.sizes) == 7
    assert [(line["id"], line["key"], line["n"], line["time"]) for line in run.sent] == [
        (m["id"], m["subject"], len(m["data"]["readings"]), m["time"]) for m in run.messages
    ]
    for line, message in zip(run.sent, run.bus.got, strict=True):
        data = re.search(rb'"data":(\{.*\})\}$', message.value)
        assert data is not None
        assert line["sha256"] == hashlib.sha256(data[1]).hexdigest()
    assert run.summary["complete"] is True
    assert (run.summary["sent"], run.summary["sent_records"], run.summary["missing"]) == (60, 61, 59)


def test_a_bus_that_was_away_gets_the_same_messages_again(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.csv", "time,v\n" + "".join(f"2015-01-01T00:{i:02d}:00,{i}\n" for i in range(60))
    )
    bus = FakeBus([BusUnavailable("gone"), BusUnavailable("gone"), BusRefused("full")], kept=True)
    run = Run(path, "sensor", bus, batch=50)
    assert (
        [m.value for m in bus.got[:50]]
        == [m.value for m in bus.got[50:100]]
        == [m.value for m in bus.got[150:200]]
    )
    assert len({m["id"] for m in run.messages}) == 60
    assert run.summary["retries"] == 3
    assert len(run.sent) == 60, "the record counts what was taken, once"
    assert any("the bus takes messages again" in line for line in run.said)


def test_stopping_while_the_bus_is_away() -> None:
    time, bus = FakeTime(), FakeBus([BusUnavailable("gone")] * 5)
    time.stopped = True
    with pytest.raises(FeedStopped, match="1 messages still waited for the bus: gone"):
        Sender(bus, time, print).send([Outgoing("t", "k", b"v")], [])


def test_a_bus_that_refuses_for_good_ends_the_feed() -> None:
    with pytest.raises(FeedRefused, match="too large"):
        Sender(FakeBus([BusRefused("too large")] * 1000), FakeTime(), print, patience_s=5).send(
            [Outgoing("t", "k", b"v")], []
        )


# -- the real recordings ---------------------------------------------------------------------------------------

REAL = [
    *((f"nab/realTraffic/{name}.csv", "sensor") for name in (
        "TravelTime_387", "TravelTime_451", "occupancy_6005", "occupancy_t4013", "speed_6005", "speed_7578",
        "speed_t4013",
    )),
    ("air_quality/Aotizhongxin.csv.gz", "sensor"),
    ("requests/stuttgart_2021_2023.csv.gz", "grid-report"),
    ("hotline/messages_unlabelled.csv.gz", "hotline"),
]  # fmt: skip


def _plain_rows(path: Path) -> list[list[str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    return [row for row in csv.reader(io.StringIO(text, newline="")) if row][1:]


@pytest.mark.parametrize(("name", "kind"), REAL)
def test_real_recordings(name: str, kind: str) -> None:
    """Every row of the real files becomes one message that the product can decode; every NA is counted."""
    path = SHARED / name
    if not path.exists():
        not_run(f"real recording {name} (../shared/data absent)")
    run = Run(path, kind)
    plain = _plain_rows(path)
    missing = sum(cell == "NA" for row in plain for cell in row) if kind == "sensor" else 0
    assert run.count.rows == run.count.messages == len(plain)
    assert run.count.missing == missing
    assert (run.count.unreadable, run.count.unreadable_cells, run.count.empty) == (0, 0, 0)
    assert len({line["id"] for line in run.sent}) == len(run.bus.got) == len(plain)
    topic = topics.READING if kind == "sensor" else topics.GRID_REPORT
    decoded = [decode(topic, m.value, MAX_BYTES) for m in run.bus.got]
    if kind == "sensor":
        cells = 12 if "air" in name else 1
        assert run.count.records == cells * len(plain) - missing == sum(len(d.data.readings) for d in decoded)
        assert len({(d.data.device, d.time) for d in decoded}) == len(plain), "no two rows share a time"
    elif kind == "grid-report":
        assert run.count.without_point == 0
        assert {d.data.category for d in decoded} == {row[4] for row in plain}
        middle = sorted(d.data.point.lon for d in decoded)[len(plain) // 2]
        assert middle == pytest.approx(CENTRE[0], abs=1e-5)
        places = [(d.data.point.lon, d.data.point.lat) for d in decoded]
        assert sum(float(haversine_m(*place, *CENTRE)) > 25_000 for place in places) == 58
    else:
        assert all(d.data.channel == "hotline" and d.data.point is None for d in decoded)
        assert {d.data.title for d in decoded} == {row[1].strip() for row in plain}


# -- the simulated day -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def city() -> CityView:
    """The sample city."""
    return sample_view()


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


@pytest.fixture(scope="module")
def hour(city: CityView) -> list[Made]:
    """The messages of one hour from 9:00 local time."""
    return Simulation(city, 7, START, zone=ZONE).until(_us(START + timedelta(hours=1)))


def _small(city: CityView, devices: int = 400) -> CityView:
    step = len(city.devices) // devices
    return CityView(
        city.lon, city.lat, city.devices[::step], city.cameras, city.alarm_kinds, city.workers[::20], city.places,
        city.classes, city.roads,
    )  # fmt: skip


def test_a_seed_and_a_start_make_the_same_day_in_whatever_steps(city: CityView) -> None:
    small, end = _small(city), START + timedelta(minutes=20)
    whole = Simulation(small, 3, START, zone=ZONE).until(_us(end))
    stepped: list[Made] = []
    other = Simulation(small, 3, START, zone=ZONE)
    at = START
    while at < end:
        at = min(end, at + timedelta(seconds=0.7))
        stepped += other.until(_us(at))
    assert [m.message for m in stepped] == [m.message for m in whole]
    assert [m.line for m in stepped] == [m.line for m in whole]
    assert len(whole) > 3000
    different = Simulation(small, 4, START, zone=ZONE).until(_us(end))
    assert [m.message.value for m in different] != [m.message.value for m in whole]


def test_shares_of_late_double_and_wrong_messages(hour: list[Made]) -> None:
    kinds = Counter(m.line.kind for m in hour)
    total = len(hour)
    assert total > 150_000
    assert 0.010 < kinds["late"] / total < 0.020
    assert 0.003 < kinds["duplicate"] / total < 0.007
    assert 0.0005 < kinds["bad"] / total < 0.0015
    assert [m.due_us for m in hour] == sorted(m.due_us for m in hour)


def test_messages_are_told_apart_by_their_ids(hour: list[Made]) -> None:
    first = [m for m in hour if m.line.kind != "duplicate"]
    assert len({m.line.id for m in first}) == len(first)
    by_id = {m.line.id: m.message.value for m in first}
    for made in hour:
        if made.line.kind == "duplicate" and made.line.id in by_id:
            assert made.message.value == by_id[made.line.id]


def test_late_messages_keep_the_time_they_were_measured(hour: list[Made]) -> None:
    for made in hour:
        gap = made.due_us / 1e6 - datetime.fromisoformat(made.line.time).timestamp()
        if made.line.kind == "late":
            assert 19 < gap < 901
        elif made.line.kind == "good":
            assert 0 <= gap < 0.002


def test_the_product_takes_good_messages_and_names_what_is_wrong_with_the_bad(
    city: CityView, hour: list[Made]
) -> None:
    registry = registry_of(city)
    chosen = [
        m
        for i, m in enumerate(hour)
        if m.line.kind == "bad" or "reading" not in m.message.topic or i % 20 == 0
    ]
    arrivals = [datetime.fromtimestamp(m.due_us / 1e6, UTC) for m in chosen]
    found = judge_messages(registry, [m.message for m in chosen], arrivals)
    for made, entry in zip(chosen, found, strict=True):
        if made.line.kind == "bad":
            assert (entry.outcome, entry.reason) == ("rejected", made.line.reason), made.message.value
        else:
            assert (entry.outcome, entry.reason) == ("stored", ""), made.message.value
        assert entry.feed == "simulation"
    reasons = {m.line.reason for m in chosen if m.line.kind == "bad"}
    assert len(reasons) >= 12, reasons


def test_the_whole_city_speaks(city: CityView, hour: list[Made]) -> None:
    speaking = {m.message.key for m in hour if m.line.kind == "good"}
    devices = {d.id for d in city.devices}
    assert 0.97 < len(devices & speaking) / len(devices) < 1.0, "a few are silent"
    assert {json.loads(m.message.value)["type"] for m in hour if m.line.kind == "good"} == {
        t for t in topics.INPUT_TOPICS if t != topics.ENFORCEMENT_CASE
    }, "all but what only an enforcement platform says"
    readings = sum(m.line.n for m in hour if "reading" in m.message.topic)
    assert 80 < readings / 3600 < 200
    walking = {m.message.key for m in hour if m.message.topic == topics.POSITION and m.line.kind == "good"}
    assert 250 < len(walking) <= len(city.workers)


def test_workers_walk_along_roads_near_their_grid(city: CityView, hour: list[Made]) -> None:
    homes = {w.login: w for w in city.workers}
    far = moved = 0
    away_km: list[float] = []
    first: dict[str, tuple[float, float]] = {}
    for made in hour:
        if made.message.topic != topics.POSITION or made.line.kind != "good":
            continue
        data = json.loads(made.message.value)["data"]
        home, point = homes[data["worker"]], data["point"]
        away = max(abs(point["lon"] - home.lon) * 103, abs(point["lat"] - home.lat) * 111)
        far += away > 5.0
        away_km.append(away)
        at = first.setdefault(data["worker"], (point["lon"], point["lat"]))
        moved = max(moved, abs(point["lon"] - at[0]) * 103 > 0.3)
        assert 0 <= data["speed_kmh"] < 17
    assert far == 0
    assert median(away_km) < 1.0
    assert moved


def _values(made: Sequence[Made], metric: str) -> list[float]:
    return [
        r["value"]
        for m in made
        if m.line.kind == "good" and metric.encode() in m.message.value
        for r in json.loads(m.message.value)["data"]["readings"]
        if r["metric"] == metric
    ]


def _mean(values: Sequence[float]) -> float:
    assert len(values) > 100
    return sum(values) / len(values)


def _local(day: int, hour: int) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=ZONE)


def test_a_day_has_rush_hours_night_and_tides(city: CityView) -> None:
    """Monday 23 November: 8:00 against 3:00, and the sea at high against low water."""
    small = _small(city, 1200)

    def half_hour(hour: int) -> list[Made]:
        start = _local(23, hour)
        return Simulation(small, 5, start, zone=ZONE).until(_us(start + timedelta(minutes=30)))

    night, rush = half_hour(3), half_hour(8)
    assert _mean(_values(rush, "flow_veh_h")) > 4 * _mean(_values(night, "flow_veh_h"))
    assert _mean(_values(rush, "mean_speed_kmh")) < 0.8 * _mean(_values(night, "mean_speed_kmh"))
    assert _mean(_values(rush, "noise_db")) > 8 + _mean(_values(night, "noise_db"))
    assert _mean(_values(night, "lamp_power_w")) > 40 > 5 > _mean(_values(rush, "lamp_power_w"))
    gauges = CityView(
        *CENTRE, devices=tuple(d for d in city.devices if d.type == "water_level" and d.lat < 21.9)
    )
    day = Simulation(gauges, 5, _local(23, 0), rate=2.0, zone=ZONE)
    levels = [_mean(_values(day.until(_us(_local(23, h))), "water_level_m")) for h in range(2, 24, 2)]
    turns = sum((b - a) * (c - b) < 0 for a, b, c in zip(levels, levels[1:], levels[2:], strict=False))
    assert max(levels) - min(levels) > 0.5
    assert turns >= 2, "high and low water, about twice a day"


def test_speed_hurries_the_day_but_not_the_messages(city: CityView) -> None:
    small = _small(city, 1200)
    start = _local(23, 14)
    fast = Simulation(small, 5, start, speed=60.0, zone=ZONE)
    first = fast.until(_us(start + timedelta(minutes=1)))
    later = fast.until(_us(start + timedelta(minutes=8)))
    last = [m for m in later if m.due_us > _us(start + timedelta(minutes=7))]
    assert _mean(_values(first, "lamp_power_w") + [0.6] * 101) < 2
    assert _mean(_values(later, "lamp_power_w")[-150:]) > 40, "seven minutes later it is evening"
    assert all(
        abs(m.due_us - datetime.fromisoformat(m.line.time).timestamp() * 1e6) < 2000
        for m in last
        if m.line.kind == "good"
    )


def test_rate_stretches_the_periods(city: CityView) -> None:
    small = _small(city)
    fast = Simulation(small, 1, START, rate=2000.0, zone=ZONE)
    assert fast.natural_rate == pytest.approx(2000)
    made = fast.until(_us(START + timedelta(seconds=20)))
    readings = sum(m.line.n for m in made if "reading" in m.message.topic)
    assert 0.9 < readings / 40_000 < 1.1


def _rules() -> dict[tuple[str, str], list[Rule]]:
    rules: dict[tuple[str, str], list[Rule]] = {}
    with gzip.open(FILES / "warning_rules.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for r in csv.DictReader(file):
            rule = Rule(r["id"], 1, r["device_type"], r["metric"], r["op"], float(r["threshold"]),  # type: ignore[arg-type]
                        float(r["clear_threshold"]), float(r["for_s"]), int(r["level"]), r["class_code"], "")  # fmt: skip
            rules.setdefault((rule.device_type, rule.metric), []).append(rule)
    return rules


def test_the_wall_lives_but_is_not_flooded(city: CityView, hour: list[Made]) -> None:
    """Under the sample city's own rules an hour brings some twenty to sixty new incidents of mixed levels."""
    rules, types = _rules(), {d.id: d.type for d in city.devices}
    states: dict[tuple[str, str], RuleState] = {}
    opened: dict[tuple[str, str], int] = {}
    for made in hour:
        if made.line.kind in ("bad", "duplicate"):
            continue
        message = json.loads(made.message.value)
        data = message["data"]
        if made.message.topic == topics.VIDEO_ALARM:
            opened.setdefault((data["camera"], data["kind"]), 0)
        elif made.message.topic == topics.GRID_REPORT:
            opened[(made.line.id, "report")] = 0
        elif "reading" in made.message.topic:
            for reading in data["readings"]:
                for rule in rules.get((types[data["device"]], reading["metric"]), ()):
                    key = (rule.id, data["device"])
                    time = datetime.fromisoformat(message["time"])
                    states[key], found = judge(
                        rule, states.get(key, NEUTRAL), data["device"], time, reading["value"]
                    )
                    if found is not None and found.raised:
                        opened.setdefault((data["device"], rule.class_code), rule.level)
    assert 18 <= len(opened) <= 60
    assert len({level for level in opened.values() if level}) >= 2


def test_camera_alarms_come_with_false_ones(city: CityView) -> None:
    view = CityView(city.lon, city.lat, (), city.cameras, city.alarm_kinds, (), (), (), ())
    made = Simulation(view, 2, START, zone=ZONE).until(_us(START + timedelta(hours=60)))
    alarms = [m for m in made if m.line.kind == "good"]
    first: dict[tuple[str, str], bool] = {}
    for m in alarms:
        data = json.loads(m.message.value)["data"]
        first.setdefault((data["camera"], data["kind"]), m.line.reason == "false alarm")
    assert 100 < len(first) < 1200
    assert 0.18 < sum(first.values()) / len(first) < 0.33
    assert len({kind for _, kind in first}) >= 6
    intrusions = [
        datetime.fromisoformat(m.line.time).astimezone(ZONE).hour
        for m in alarms
        if b"intrusion" in m.message.value
    ]
    assert sum(h >= 21 or h < 6 for h in intrusions) > len(intrusions) / 2


# -- sentences -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sentences(city: CityView) -> Sentences:
    """The sentences of the sample city."""
    return Sentences(
        city.places, [c for c in city.classes if c.big_class not in ("监测预警", "视频识别", "平台运行")]
    )


def test_every_class_that_people_report_has_its_own_words(city: CityView, sentences: Sentences) -> None:
    spoken = {c.code for c in sentences.class_of.values() if c is not None}
    reported = [c for c in city.classes if c.big_class not in ("监测预警", "视频识别", "平台运行")]
    themes = {c.code: [t for t in sentences.themes if t.is_of(c.name)] for c in reported}
    assert [c.name for c in reported if len(themes[c.code]) != 1] == []
    assert len(spoken) >= len(reported) - 2
    for theme in sentences.themes:
        assert len(theme.facts) >= 8, theme.words
        assert len(set(theme.facts)) == len(theme.facts)


def test_reports_read_like_reports(sentences: Sentences) -> None:
    rng, seen = Random(11), set()
    for _ in range(4000):
        hour = rng.uniform(0, 24)
        theme = sentences.pick_theme(rng, hour, rng.random() < 0.1)
        spot = sentences.pick_spot(rng, theme)
        channel = rng.choice(("grid", "hotline", "citizen", "phone", "department"))
        words = sentences.write(rng, theme, spot, channel, hour)
        for text in (words.title, words.text, spot.address):
            assert not set("{}[]|@") & set(text), text
            assert not re.search(r"[，。！？]{2,}|请请|尽快尽快|^\s|\s$|两十", text), text
        assert words.text[-1] in "。！？", words.text
        assert 10 < len(words.text) < 160
        assert spot.name in words.text or spot.where in words.text or spot.place.name in words.text
        assert re.fullmatch(r"1000000\d{4}|", words.phone)
        assert (words.name == "") == (channel == "grid")
        seen.add(words.text)
    assert len(seen) > 3900


def test_no_sentence_is_copied_from_the_recordings(sentences: Sentences) -> None:
    if not SHARED.exists():
        not_run("comparison with the recorded messages (../shared/data absent)")
    recorded = gzip.decompress((SHARED / "hotline/messages_unlabelled.csv.gz").read_bytes()).decode()
    recorded += (SHARED / "hotline/raw_labelled.csv").read_text(encoding="utf-8", errors="replace")
    for theme in sentences.themes:
        for pattern in (*theme.facts, *theme.effects, *theme.asks, *theme.patrol):
            for run in re.split(r"[\[\]|{}]", pattern):
                assert len(run) < 10 or run not in recorded, run


# -- sending a simulation, the command line --------------------------------------------------------------------


def test_simulate_sends_what_is_due_and_stops_at_its_limits(city: CityView) -> None:
    small, time, bus, record = _small(city), FakeTime(), FakeBus(), io.BytesIO()
    said: list[str] = []
    sent = simulate(
        small, bus, time, 1, None, 1.0, time, said.append, ZONE, limits=Limits(minutes=2), record=record
    )
    assert time.now - START >= timedelta(minutes=2)
    assert time.now - START < timedelta(minutes=2, seconds=1)
    lines = [json.loads(line) for line in record.getvalue().splitlines()]
    assert len(lines) - 1 == len(bus.got) == sent.messages == lines[-1]["sent"]
    assert sum(line.get("n", 0) for line in lines) == sent.records
    same = Simulation(small, 1, START, zone=ZONE).until(_us(START + timedelta(minutes=2)))
    assert [m.message for m in same] == bus.got
    time, bus = FakeTime(), FakeBus()
    simulate(small, bus, time, 1, None, 1.0, time, said.append, ZONE, limits=Limits(count=137))
    assert bus.got == [m.message for m in same[:137]]


def test_simulate_outlives_a_bus_that_is_away(city: CityView) -> None:
    small, time, bus = _small(city), FakeTime(), FakeBus([BusUnavailable("gone")] * 9)
    sent = simulate(small, bus, time, 1, None, 1.0, time, lambda line: None, ZONE, limits=Limits(minutes=2))
    same = Simulation(small, 1, START, zone=ZONE).until(_us(START + timedelta(minutes=2)))
    assert [m.message for m in same] == bus.got
    assert sent.retries == 9


class _Stopping(FakeTime):
    """Stops once so much time has been waited."""

    def wait(self, timeout: float | None = None) -> bool:
        super().wait(timeout)
        self.stopped = self.now - START > timedelta(seconds=30)
        return self.stopped


def _deps(time: FakeTime, bus: FakeBus, registrar: FakeRegistrar, city: CityView) -> cli.FeedDeps:
    return cli.FeedDeps(lambda: bus, lambda: city, lambda: registrar, time, ZONE, time)


def _command(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser.add_subparsers())
    return parser.parse_args(["feed", *words])


def test_command_line(tmp_path: Path, city: CityView, capsys: pytest.CaptureFixture[str]) -> None:
    path, record = write(tmp_path / "s.csv", "wann,v\n2015-01-01,1\n2015-01-02,2\n"), tmp_path / "sent.jsonl"
    bus, registrar = FakeBus(), FakeRegistrar()
    deps = _deps(FakeTime(), bus, registrar, city)
    args = _command("replay", str(path), "--as", "sensor", "--speed", "max", "--columns", "time=wann",
                    "--record", str(record))  # fmt: skip
    assert cli.run(args, deps) == 0
    assert (len(bus.got), len(registrar.devices)) == (2, 1)
    assert json.loads(record.read_text().splitlines()[-1])["complete"] is True
    assert "2 rows = 2 messages (2 records)" in capsys.readouterr().err
    assert cli.run(_command("replay", str(path), "--as", "sensor"), deps) == 1
    assert "say --columns time=<column>" in capsys.readouterr().err
    assert cli.run(_command("replay", str(tmp_path / "none.csv"), "--as", "hotline"), deps) == 1
    assert cli.run(_command("simulate", "--url", "http://127.0.0.1:1"), deps) == 1
    assert "--url needs --token-file" in capsys.readouterr().err
    time, bus = _Stopping(), FakeBus()
    assert (
        cli.run(
            _command("simulate", "--at", "08:15", "--rate", "50"), _deps(time, bus, registrar, _small(city))
        )
        == 0
    )
    assert len(bus.got) > 100
    for wrong in (["simulate", "--rate", "0"], ["replay", "f", "--as", "sensor", "--speed", "fast"],
                  ["simulate", "--at", "25:00"], ["replay", "f", "--as", "letters"]):  # fmt: skip
        with pytest.raises(SystemExit):
            _command(*wrong)


@pytest.fixture
def door() -> Iterator[tuple[str, list[tuple[str, bytes]], Callable[[int], None]]]:
    """A small HTTP server in the product's place: refuses what contains b'bad', else answers as told."""
    got: list[tuple[str, bytes]] = []
    status = [202]

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = status[0] if self.headers["Authorization"] == "Bearer secret" else 401
            if b"bad" in body:
                answer = 400
            if answer == 202:
                got.append((self.path, body))
            self.send_response(answer)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got, lambda code: status.__setitem__(0, code)
    server.shutdown()
    server.server_close()
    thread.join()


def test_sending_over_http(door: tuple[str, list[tuple[str, bytes]], Callable[[int], None]]) -> None:
    url, got, answer = door
    sink = HttpSink(url, "secret")
    a, b, c = (Outgoing(topics.READING, "k", v) for v in (b'{"n":1}', b'{"n":2}', b'{"bad":3}'))
    report = Outgoing(topics.GRID_REPORT, "k", b'{"n":4}')
    sink.publish([a, b, report])
    assert got == [
        ("/api/v1/messages/city.reading.v1", b'[{"n":1},{"n":2}]'),
        ("/api/v1/messages/city.grid-report.v1", b'{"n":4}'),
    ]
    got.clear()
    sink.publish([a, c, b])
    assert [body for _, body in got] == [b'{"n":1}', b'{"n":2}'], "a refused array goes one by one"
    assert sink.refused == 1
    answer(503)
    with pytest.raises(BusUnavailable, match="503"):
        sink.publish([a])
    answer(429)
    with pytest.raises(BusRefused, match="429"):
        sink.publish([a])
    sink.close()
    with pytest.raises(FeedRefused, match="401"):
        HttpSink(url, "wrong").publish([a])
    with pytest.raises(ValueError, match="must be http"):
        HttpSink("127.0.0.1:8050", "secret")


def test_http_without_a_server_is_a_bus_that_is_away(
    door: tuple[str, list[tuple[str, bytes]], Callable[[int], None]],
) -> None:
    sink = HttpSink("http://127.0.0.1:9", "secret", timeout_s=2)
    with pytest.raises(BusUnavailable):
        sink.publish([Outgoing(topics.READING, "k", b"{}")])
