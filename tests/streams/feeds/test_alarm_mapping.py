"""Alarms of video systems as feeds: the adapter makes the message, whatever brought the record."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from incidents.gb28181 import Edition
from incidents.ports import Outgoing
from streams import topics
from streams.adapters.alarm import Source, shipped_kinds
from streams.envelope import decode
from streams.feeds.addresses import AddressPolicy
from streams.feeds.alarm_mapping import AlarmMapping, Alarms, alarm_mapping
from streams.feeds.kinds import Surroundings, check_feed, open_source
from streams.feeds.mapping import BadMapping, BadRecord, Mapped
from streams.feeds.mqtt_topic import mqtt_record
from streams.feeds.port import Position, RawRecord
from streams.feeds.runner import Count, FeedRunner

CAMERA = "99010200131320000001"
NOW = datetime(2026, 11, 26, 6, 6, tzinfo=UTC)
LIMIT = 1024 * 1024
NOTIFY = f"""<?xml version="1.0" encoding="UTF-8"?>
<Notify><CmdType>Alarm</CmdType><SN>5</SN><DeviceID>{CAMERA}</DeviceID><AlarmPriority>1</AlarmPriority>
<AlarmMethod>5</AlarmMethod><AlarmTime>2026-11-26T14:05:06</AlarmTime><Info><AlarmType>6</AlarmType></Info></Notify>"""


def source_of(feed: str, system: str, edition: Edition) -> Source:
    """The city calls Frigate's camera "gate" by its code, and has a line of its own for people."""
    kinds = shipped_kinds({"frigate": {"person": "zone_intrusion"}})[system]
    return Source(feed, kinds, {"gate": CAMERA}, ZoneInfo("Asia/Shanghai"), edition)


ALARMS = Alarms(source_of, lambda: NOW)


def event(kind: str = "new", **after: Any) -> bytes:
    known = {"id": "1.5-abc", "camera": "gate", "label": "person", "start_time": 1795680000.5, "score": 0.7}
    return json.dumps({"type": kind, "before": {}, "after": known | after}).encode()


def made(spec: dict[str, object], record: object) -> list[Mapped | BadRecord]:
    assert isinstance(record, RawRecord)
    return alarm_mapping(spec, ALARMS).messages("frigate-1", record, LIMIT)


def test_frigates_own_topic_is_a_feed() -> None:
    record = mqtt_record("frigate/events", event(), NOW)
    (found,) = made({"alarm": "frigate", "payload": "payload"}, record)
    assert isinstance(found, Mapped)
    message = decode(found.topic, found.value, LIMIT)
    assert (found.topic, found.key) == (topics.VIDEO_ALARM, CAMERA)
    assert (message.source, message.data.kind) == ("urn:feed:frigate-1", "zone_intrusion")
    again = mqtt_record("frigate/events", event("end"), NOW + timedelta(minutes=1))
    assert [
        m.id for m in made({"alarm": "frigate", "payload": "payload"}, again) if isinstance(m, Mapped)
    ] == [found.id]


def test_nobody_knows_when_a_record_without_a_time_was_made() -> None:
    record = RawRecord("r", json.loads(event()))
    (bad,) = alarm_mapping({"alarm": "frigate"}, Alarms(source_of)).messages("f", record, LIMIT)
    assert isinstance(bad, BadRecord) and (bad.field, bad.found) == ("time", "None")


def test_what_raises_nothing_makes_no_message() -> None:
    assert made({"alarm": "frigate"}, RawRecord("r", json.loads(event(false_positive=True)))) == []


def test_text_goes_to_the_adapter_as_it_is() -> None:
    (found,) = made(
        {"alarm": "gb28181", "edition": "2022", "payload": "xml"}, RawRecord("r", {"xml": NOTIFY})
    )
    assert isinstance(found, Mapped) and decode(found.topic, found.value, LIMIT).data.kind == "zone_intrusion"


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        (json.loads(event(camera="backyard")), "after.camera", "unknown_camera: must be mapped"),
        (json.loads(event(label="giraffe")), "after.label", "unknown_type"),
        ({"type": "new"}, "", "invalid"),
        ("no JSON", "payload", "malformed"),
        (None, "payload", "must be there"),
        ("\ud800", "payload", "must be text or JSON"),
    ],
)
def test_a_bad_record_says_field_and_rule(body: Any, field: str, rule: str) -> None:
    (bad,) = made({"alarm": "frigate"}, RawRecord("r", body))
    assert isinstance(bad, BadRecord)
    assert bad.rule.startswith(rule) and (not field or bad.field == field)


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"alarm": "axis"}, ["alarm"]),
        ({"alarm": ["frigate"]}, ["alarm"]),
        ({"alarm": "gb28181", "edition": 2022}, ["edition"]),
        ({"alarm": "frigate", "payload": "a["}, ["payload"]),
        ({"alarm": "frigate", "topic": topics.VIDEO_ALARM, "payload": 7}, ["topic", "payload"]),
    ],
)
def test_a_bad_mapping_names_every_fault(spec: dict[str, object], fields: list[str]) -> None:
    with pytest.raises(BadMapping) as caught:
        check_feed("f", "mqtt", {"host": "h", "topics": ["frigate/events"]}, {}, spec)
    assert [fault.field for fault in caught.value.faults] == fields


def test_it_is_a_mapping_like_another() -> None:
    feed = check_feed("f", "mqtt", {"host": "h", "topics": ["frigate/events"]}, {}, {"alarm": "frigate"})
    assert isinstance(feed.mapping, AlarmMapping)
    assert (feed.mapping.topics, feed.mapping.first_topic) == ({topics.VIDEO_ALARM}, topics.VIDEO_ALARM)


def test_an_alarm_without_a_time_is_told_from_its_repetition_by_its_record() -> None:
    """Dahua's platforms may not say when: it was when it came, and sent again it is the same alarm."""
    alarm = {"Code": "VideoMotion", "Action": "Start", "Index": "gate"}
    first, again, other = (
        made({"alarm": "dahua"}, RawRecord(name, alarm, time))
        for name, time in (("r1", None), ("r1", NOW), ("r2", NOW))
    )
    assert all(isinstance(m, Mapped) for m in (*first, *again, *other)), (first, again)
    ids = [m.id for (m,) in (first, again, other) if isinstance(m, Mapped)]
    assert ids[0] == ids[1] != ids[2]
    (message,) = first
    assert isinstance(message, Mapped) and decode(message.topic, message.value, LIMIT).time == NOW


class Away(Exception):
    """The store cannot be reached."""


@dataclass
class Books:
    """What a feed publishes and keeps."""

    sent: list[Outgoing] = field(default_factory=list)
    kept: list[Position | None] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def publish(self, messages: Sequence[Outgoing]) -> list[Any]:
        self.sent += messages
        return []

    def load(self, feed: str) -> Position:
        return {}

    def keep(self, feed: str, position: Position | None, count: Count, now: datetime) -> None:
        self.kept.append(position)

    def failed(self, feed: str, failure: str, reason: str, now: datetime) -> None:
        self.failures.append(reason)


class Patient(threading.Event):
    """Nobody waits in a test."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def test_a_file_read_while_the_store_is_away_is_mapped_when_it_is_back(tmp_path: Path) -> None:
    """A folder gives its rows once: they wait for what the mapping has to ask."""
    drop = tmp_path / "alarms"
    drop.mkdir()
    rows = [json.loads(event(id=f"1.{n}-x"))["after"] for n in range(5)]
    lines = [json.dumps({"type": "new", "after": row}) for row in rows]
    quoted = (f"{n}," + '"' + line.replace('"', '""') + '"' for n, line in enumerate(lines))
    text = "n,event\n" + "\n".join(quoted) + "\n"
    (drop / "monday.csv").write_text(text, encoding="utf-8")
    asked: list[str] = []

    def sometimes(feed: str, system: str, edition: Edition) -> Source:
        asked.append(feed)
        if len(asked) < 4:
            raise Away("no answer")
        return source_of(feed, system, edition)

    feed = check_feed(
        "f", "folder", {"folder": "alarms", "stable_s": 0}, {}, {"alarm": "frigate", "payload": "event"}, 1,
        Alarms(sometimes, lambda: NOW),
    )  # fmt: skip
    books, world = Books(), Surroundings(lambda: NOW, tmp_path, AddressPolicy(), lambda *_: None)  # type: ignore[arg-type,return-value]
    runner = FeedRunner(feed, open_source(feed, world), books, books, lambda: NOW, Patient(), (Away,))  # type: ignore[arg-type]
    for _ in range(4):
        assert runner.step(0)
    assert len(books.sent) == 5 and len({m.value for m in books.sent}) == 5
    assert not books.failures and len(asked) == 4, "asked once a batch"
