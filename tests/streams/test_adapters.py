"""Alarm adapters: known payloads become messages our envelope takes, bad ones a Bad that names the wrong; bytes break none."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams import topics
from streams.adapters import dahua, gb28181_alarm, hikvision, xml
from streams.adapters.alarm import Alarm, Quiet, Source, message, shipped_kinds
from streams.adapters.table import ADAPTERS
from streams.envelope import Bad, decode
from tests.bench import bench_vectors as vectors
from tests.product import ROOT

AT = datetime(2026, 11, 26, 8, tzinfo=UTC)
CAMERA = "99010100001320000007"
KINDS = shipped_kinds()


def source(system: str, **changes: Any) -> Source:
    return Source("video", KINDS[system], changes.pop("cameras", {"1": CAMERA, "gate": CAMERA}), **changes)


def taken(system: str, payload: str | bytes, **changes: Any) -> Alarm:
    of = source(system, **changes)
    found = ADAPTERS[system](payload if isinstance(payload, bytes) else payload.encode(), of, AT)
    assert isinstance(found, Alarm), found
    decoded = decode(topics.VIDEO_ALARM, message(of, found), 64 * 1024)
    assert (decoded.data.camera, decoded.data.kind, decoded.time) == (found.camera, found.kind, found.time)
    assert (decoded.source, decoded.data.algorithm) == ("urn:feed:video", found.algorithm)
    return found


def refused(system: str, payload: str | bytes, **changes: Any) -> Bad:
    with pytest.raises(Bad) as caught:
        ADAPTERS[system](
            payload if isinstance(payload, bytes) else payload.encode(), source(system, **changes), AT
        )
    assert caught.value.rule
    return caught.value


def notify(tail: str = "", method: int = 5, sn: str = "5") -> str:
    return (f"<Notify><CmdType>Alarm</CmdType><SN>{sn}</SN><DeviceID>{CAMERA}</DeviceID><AlarmPriority>2</AlarmPriority>"
            f"<AlarmMethod>{method}</AlarmMethod><AlarmTime>2026-11-26T16:00:00</AlarmTime>{tail}</Notify>")  # fmt: skip


def typed(number: int, event: int = 0) -> str:
    param = f"<AlarmTypeParam><EventType>{event}</EventType></AlarmTypeParam>" if event else ""
    return f"<Info><AlarmType>{number}</AlarmType>{param}</Info>"


@pytest.mark.parametrize("path", vectors.files(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_vectors(path: Any) -> None:
    """Every vector of ours, and those of others where they are, is judged as it should be."""
    wrong = [one for one in vectors.judge(path) if not one.right]
    assert wrong == []


def test_vectors_can_be_judged_wrong() -> None:
    """The judge is not blind: a case with the opposite expectation is named wrong."""
    row = {"name": "x", "version": "2.0", "xml": notify(), "expect": "reject"}
    assert [one.right for one in vectors.gb28181({"cases": [row, row | {"expect": "accept"}]})] == [
        False,
        True,
    ]


# -- GB/T 28181 ----------------------------------------------------------------------------------------------


def test_an_intrusion_of_gb28181() -> None:
    """Method and type together are the kind; the time is Beijing's; priority is the level."""
    found = taken("gb28181", notify(typed(6, 2)))
    assert (found.kind, found.algorithm, found.level) == ("zone_exit", "gb28181:5/6", 2)
    assert found.time == AT and found.time.tzinfo == ZoneInfo("Asia/Shanghai")
    assert found.text.startswith("入侵检测报警（离开区域）")


def test_the_same_type_of_another_method_is_another_kind() -> None:
    """AlarmType 1 is a lost picture, an alarm by hand or a broken disk."""
    kinds = [taken("gb28181", notify(typed(1), method)).kind for method in (2, 5, 6)]
    assert kinds == ["video_loss", "manual_video", "disk_fault"]


def test_a_city_maps_as_it_likes() -> None:
    """A line of the city's own goes over the shipped one; the others stay."""
    kinds = shipped_kinds({"gb28181": {"5/6": "intrusion"}})["gb28181"]
    of = Source("video", kinds, {})
    found = ADAPTERS["gb28181"](notify(typed(6)).encode(), of, AT)
    assert isinstance(found, Alarm) and found.kind == "intrusion"
    assert kinds["5/5"] == "line_crossing"


def test_a_type_without_a_kind_is_named() -> None:
    """Never mapped to something near."""
    of = Source("video", {"5/5": "line_crossing"}, {})
    with pytest.raises(Bad) as caught:
        ADAPTERS["gb28181"](notify(typed(6)).encode(), of, AT)
    assert (caught.value.reason, caught.value.found) == ("unknown_type", "5/6")
    bad = refused("gb28181", notify(typed(77)))
    assert (bad.reason, bad.field, bad.found) == ("unknown_type", "Info.AlarmType", "77")


def test_what_devices_do_wrong_is_taken_and_noted() -> None:
    """Once tolerated, told; strictly, refused."""
    wrong = notify().replace("<SN>5</SN>", "").replace("</DeviceID>", "</DeviceID><SN>5</SN>")
    assert taken("gb28181", wrong).noted == ("SN: must stand before DeviceID",)
    assert refused("gb28181", wrong, strict=True).field == "SN"


def test_chinese_bytes_of_either_coding() -> None:
    """A declaration of GB2312 over UTF-8, and the other way round: the bytes decide."""
    text = notify("<AlarmDescription>东门箱体</AlarmDescription>")
    for declared, coding in (
        ("GB2312", "utf-8"),
        ("UTF-8", "gb18030"),
        ("gb2312", "gb2312"),
        ("UTF-16", "utf-16"),
    ):
        payload = f'<?xml version="1.0" encoding="{declared}"?>\r\n{text}'.encode(coding)
        assert taken("gb28181", payload).text.endswith("东门箱体")


def test_the_same_notification_again_is_the_same_message() -> None:
    """Sent again it has the same id; another SN is another alarm."""
    ids = [taken("gb28181", notify(sn=sn)).id for sn in ("5", "5", "6")]
    assert ids[0] == ids[1] != ids[2]


# -- XML -----------------------------------------------------------------------------------------------------

BOMB = ('<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;"><!ENTITY z "&y;&y;&y;&y;">]>'
        "<EventNotificationAlert><eventType>&z;</eventType></EventNotificationAlert>")  # fmt: skip
OUTSIDE = ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
           "<EventNotificationAlert><eventType>&x;</eventType></EventNotificationAlert>")  # fmt: skip


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, '<!DOCTYPE a SYSTEM "http://nowhere.invalid/a.dtd"><a/>'])
def test_no_document_type(text: str) -> None:
    """No entity is ever expanded, nothing is fetched."""
    bad = refused("hikvision", text)
    assert bad.reason == "malformed" and "no document type" in bad.rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("<a>" * 20 + "</a>" * 20, "deep"),
        ("<a>" + "<b/>" * 5000 + "</a>", "elements"),
        ("", "must be"),
        ("<a>", "must be plain XML"),
        ("<a/><b/>", "must be plain XML"),
    ],
)
def test_bounded(text: str, rule: str) -> None:
    with pytest.raises(Bad) as caught:
        xml.read(text.encode())
    assert rule in caught.value.rule


def test_too_large_is_not_read() -> None:
    for system in ADAPTERS:
        assert refused(system, b"<" * (256 * 1024 + 1)).reason == "too_large"


# -- Frigate -------------------------------------------------------------------------------------------------


def event(kind: str = "new", **after: Any) -> str:
    known = {"id": "1.5-abc", "camera": "gate", "label": "person", "start_time": 1795680000.5, "score": 0.7}
    return json.dumps({"type": kind, "before": {}, "after": known | after})


def test_all_tellings_of_an_object_are_one_message() -> None:
    """New, update and end say the same, whatever the score: two of them are duplicates on the bus."""
    of = source("frigate")
    told = {
        message(of, taken("frigate", event(kind, score=score)))
        for kind, score in (("new", 0.6), ("end", 0.9))
    }
    assert len(told) == 1


def test_frigate_refusals() -> None:
    assert isinstance(ADAPTERS["frigate"](event(false_positive=True).encode(), source("frigate"), AT), Quiet)
    assert refused("frigate", event(label="giraffe")).found == "giraffe"
    bad = refused("frigate", event(camera="backyard"))
    assert (bad.reason, bad.field, bad.found) == ("unknown_camera", "after.camera", "backyard")
    assert refused("frigate", event("gone")).field == "type"
    assert refused("frigate", event(start_time="soon")).field == "after.start_time"
    assert refused("frigate", event(start_time=1e300)).reason == "bad_time"
    assert refused("frigate", "{").reason == "malformed"


# -- Hikvision -----------------------------------------------------------------------------------------------


def alert(type_: str = "linedetection", more: str = "<eventState>active</eventState>") -> str:
    return (f'<EventNotificationAlert version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema"><channelID>1</channelID>'
            f"<dateTime>2026-11-26T16:00:00+08:00</dateTime><eventType>{type_}</eventType>{more}"
            "</EventNotificationAlert>")  # fmt: skip


def test_an_alert_of_hikvision() -> None:
    found = taken("hikvision", alert())
    assert (found.kind, found.camera, found.time, found.algorithm) == (
        "line_crossing", CAMERA, AT, "hikvision:linedetection",
    )  # fmt: skip


def test_keep_alives_raise_nothing() -> None:
    """Inactive, or a heartbeat; an unknown type is refused even when it is inactive."""
    for payload in (alert("videoloss", "<eventState>inactive</eventState>"), alert("heartBeat")):
        assert isinstance(ADAPTERS["hikvision"](payload.encode(), source("hikvision"), AT), Quiet)
    assert refused("hikvision", alert("wormhole", "<eventState>inactive</eventState>")).found == "wormhole"


def test_a_part_of_the_alert_stream() -> None:
    """With boundary and headers still on; a body of several is taken apart first."""
    part = f"--boundary\r\nContent-Type: application/xml\r\nContent-Length: 9\r\n\r\n{alert()}\r\n"
    assert taken("hikvision", part) == taken("hikvision", alert())
    assert refused("hikvision", part + part).found == "2 alerts"
    assert list(hikvision.alerts((part + part).encode())) == [alert().encode()] * 2


def test_an_alert_with_its_snapshot() -> None:
    """The picture has a limit of its own; the alert keeps the limit of every alarm."""
    head = f"--b\r\nContent-Type: application/xml\r\n\r\n{alert()}\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n"
    body = head.encode() + b"\xff\xd8" + bytes(1024 * 1024) + b"\r\n--b--\r\n"
    assert taken("hikvision", body) == taken("hikvision", alert())
    with pytest.raises(Bad, match="at most 8388608 bytes"):
        ADAPTERS["hikvision"](body + bytes(hikvision.MAX_MULTIPART), source("hikvision"), AT)
    long = alert().replace(
        "</EventNotificationAlert>", "<a>" + "x" * 300_000 + "</a></EventNotificationAlert>"
    )
    with pytest.raises(Bad, match="at most 262144 bytes"):
        ADAPTERS["hikvision"](f"--b\r\n\r\n{long}".encode(), source("hikvision"), AT)


@pytest.mark.timeout(10)
def test_openings_that_nothing_closes_are_searched_once() -> None:
    body = b"--b\r\n" + b"<EventNotificationAlert>" * 300_000
    with pytest.raises(Bad, match="0 alerts"):
        ADAPTERS["hikvision"](body, source("hikvision"), AT)


def test_an_alert_without_a_time_is_of_now_and_says_so() -> None:
    found = taken("hikvision", alert().replace("<dateTime>2026-11-26T16:00:00+08:00</dateTime>", ""))
    assert found.time == AT and found.noted == ("dateTime: must be given",)


def test_hikvision_refusals() -> None:
    assert refused("hikvision", alert(more="<eventState>maybe</eventState>")).field == "eventState"
    assert refused("hikvision", alert().replace("1</channelID>", "9</channelID>")).found == "9"
    assert refused("hikvision", alert(more="<eventType>VMD</eventType>")).field == "eventType"
    assert refused("hikvision", alert().replace("+08:00", "+99:00")).reason == "bad_time"
    assert refused("hikvision", alert().replace("EventNotificationAlert", "Other")).field == "root"


# -- Dahua ---------------------------------------------------------------------------------------------------


def test_the_event_line() -> None:
    found = taken("dahua", "Code=CrossLineDetection;action=Start;index=1\r\n")
    assert (found.kind, found.camera, found.time) == ("line_crossing", CAMERA, AT)
    same = taken(
        "dahua",
        'Code=CrossLineDetection;action=Start;index=1;data={\n "UTC" : 1795680000,\n "Name": "a;b"\n}',
    )
    assert same.time == datetime.fromtimestamp(1795680000, UTC)
    as_json = taken(
        "dahua", '{"Code":"CrossLineDetection","Action":"Start","Index":1,"Data":{"UTC":1795680000}}'
    )
    assert (as_json.id, as_json.time) == (same.id, same.time)


def test_numbered_alarms() -> None:
    found = taken("dahua", '{"alarmType": 895, "channelId": "1", "alarmTime": "2026-11-26 16:00:00"}')
    assert (found.kind, found.time, found.algorithm) == ("bin_overflow", AT, "dahua:895")
    assert refused("dahua", '{"alarmType": 888, "channelId": "1"}').found == "888"
    bad = refused("dahua", '{"alarmType": 895, "channelId": "1000$7"}')
    assert (bad.field, bad.found) == ("channelId", "1000$7")


def test_the_end_and_the_heartbeat_raise_nothing() -> None:
    for payload in ("Heartbeat", "Code=VideoMotion;action=Stop;index=1"):
        assert isinstance(ADAPTERS["dahua"](payload.encode(), source("dahua"), AT), Quiet)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ("Code=VideoMotion;action=Jump;index=1", "action"),
        ("Code=Wormhole;action=Start;index=1", "Code"),
        ("Code=VideoMotion;action=Start;index=1;data={", ""),
        ("Code=VideoMotion;action=Start;index=1;data={x}", "data"),
        ('{"alarmType": 895, "channelId": "1", "alarmTime": true}', "alarmTime"),
        ('{"alarmType": 895, "channelId": "1", "alarmTime": 1e400}', "payload"),
        ('{"alarmType": [1], "channelId": "1"}', "alarmType"),
        ('{"Code": "VideoMotion", "Action": "Start"}', "Index"),
    ],
)
def test_dahua_refusals(payload: str, field: str) -> None:
    assert refused("dahua", payload).field == field


def test_a_multipart_body_comes_apart() -> None:
    body = (b"--myboundary\r\nContent-Type: text/plain\r\nContent-Length: 37\r\n\r\nCode=VideoMotion;action=Start;index=1\r\n"
            b"\r\n--myboundary\r\nContent-Type: text/plain\r\n\r\nHeartbeat\r\n\r\n--myboundary--\r\n")  # fmt: skip
    assert list(dahua.events(body)) == [b"Code=VideoMotion;action=Start;index=1", b"Heartbeat"]


# -- all -----------------------------------------------------------------------------------------------------


def test_every_kind_is_in_the_catalogue() -> None:
    """What the tables map to, a new city has."""
    with gzip.open(ROOT / "data/sample_city/files/camera_alarm_kinds.csv.gz", "rt", encoding="utf-8") as file:
        known = {row["kind"] for row in csv.DictReader(file)}
    with (ROOT / "data/camera_kinds.csv").open(encoding="utf-8") as standard:
        known |= {row["kind"] for row in csv.DictReader(standard)}
    used = {kind for table in KINDS.values() for kind in table.values()} - {"-"}
    assert used <= known


def test_every_type_of_the_standard_has_a_kind() -> None:
    for method, types in gb28181_alarm.TYPES["2022"].items():
        assert {f"{method}/{number}" for number in types} <= KINDS["gb28181"].keys()
    assert {str(method) for method in gb28181_alarm.METHODS} <= KINDS["gb28181"].keys()


SEEDS = [notify(typed(6, 1)), notify("<Info>x</Info>"), event(), alert(), BOMB, "Heartbeat",
         "Code=VideoMotion;action=Start;index=1;data={}", '{"alarmType": 895, "channelId": "1"}']  # fmt: skip
MANGLED = st.builds(
    lambda seed, at, cut, put: seed.encode()[:at] + put + seed.encode()[at + cut :],
    st.sampled_from(SEEDS), st.integers(0, 300), st.integers(0, 20), st.binary(max_size=8),
)  # fmt: skip


@pytest.mark.parametrize("system", sorted(ADAPTERS))
@given(payload=st.one_of(st.binary(max_size=300), MANGLED))
@example(payload=b"\xff\xfe")
@example(payload=b"[" * 20_000)
@example(payload=b'{"Code":' + b"[" * 20_000)
@example(payload=b'{"alarmType":895,"channelId":"1","alarmTime":-1e308}')
@example(payload=b'{"alarmType":895,"channelId":"\\ud800","alarmTime":0}')
@settings(max_examples=150)
def test_bytes_break_nothing(system: str, payload: bytes) -> None:
    """Whatever comes: an alarm our envelope takes, silence, or a Bad."""
    of = source(system)
    try:
        found = ADAPTERS[system](payload, of, AT)
        if isinstance(found, Alarm):
            decode(topics.VIDEO_ALARM, message(of, found), 64 * 1024)
    except Bad as bad:
        assert bad.reason
