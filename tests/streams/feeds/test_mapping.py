"""Mappings: what a source's record becomes, what is refused and in which words; nothing makes it raise."""

from __future__ import annotations

import contextlib
import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import topics
from streams.envelope import Bad, decode
from streams.feeds.mapping import (
    BadMapping,
    BadRecord,
    Mapped,
    compile_mapping,
    message_id,
    outgoing,
    set_aside,
)
from streams.feeds.port import BadRaw, RawRecord, content_identity, json_record

LIMIT = 64 * 1024
NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)

WATER: dict[str, Any] = {
    "topic": topics.READING,
    "id": {"template": "{stn}-{tm}"},
    "time": {"path": "tm", "format": "%Y-%m-%d %H:%M:%S", "zone": "Asia/Shanghai"},
    "data": {
        "device": {"path": "stn", "table": {"8001": "WL-1", "8002": "WL-2"}},
        "readings": [
            {"metric": "level", "value": {"path": "z", "times": 0.01}},
            {"metric": "flow", "value": {"path": "q", "optional": True}},
        ],
    },
}
REPORT: dict[str, Any] = {
    "topic": topics.GRID_REPORT,
    "id": {"path": "no"},
    "time": {"path": "at"},
    "data": {
        "channel": "hotline",
        "text": {"template": "{kind}：{words}"},
        "point": {
            "lon": {"path": "x", "optional": True},
            "lat": {"path": "y", "optional": True},
            "crs": "GCJ-02",
        },
        "level": {"path": "urgency", "table": {"特急": 1, "急": 2}, "otherwise": 4},
        "reporter": {"name": {"path": "who", "optional": True}},
    },
}


def record(body: Any, identity: str = "r1", time: datetime | None = None) -> RawRecord:
    return RawRecord(identity, body, time)


def one(spec: dict[str, Any], body: Any, **more: Any) -> dict[str, Any]:
    """The only message, decoded as any reader of the bus would."""
    (made,) = compile_mapping(spec).messages("water", record(body, **more), LIMIT)
    assert isinstance(made, Mapped), made
    decode(made.topic, made.value, LIMIT)
    found: dict[str, Any] = msgspec.json.decode(made.value)
    return found


def bad(spec: dict[str, Any], body: Any) -> BadRecord:
    (made,) = compile_mapping(spec).messages("water", record(body), LIMIT)
    assert isinstance(made, BadRecord), made
    return made


def test_a_reading_with_look_up_unit_and_zone() -> None:
    found = one(WATER, {"stn": 8001.0, "tm": "2026-11-26 14:05:00", "z": "312", "q": None})
    assert found["id"] == "8001-2026-11-26 14:05:00"
    assert found["source"] == "urn:feed:water" and found["subject"] == "WL-1"
    assert found["time"] == "2026-11-26T06:05:00Z"
    assert found["data"] == {"device": "WL-1", "readings": [{"metric": "level", "value": 3.12}]}


def test_a_report_with_coordinates_of_another_system() -> None:
    body = {"no": "T-1", "at": "2026/11/26 8:00", "kind": "积水", "words": "深 20 厘米", "x": 113.9, "y": 21.9,
            "urgency": "急"}  # fmt: skip
    found = one(REPORT, body)
    assert found["data"]["text"] == "积水：深 20 厘米" and found["data"]["level"] == 2
    assert found["data"]["point"] == {"lon": 113.9, "lat": 21.9, "crs": "GCJ-02"}
    without = one(REPORT, {**body, "x": "", "urgency": "?"})
    assert "point" not in without["data"] and without["data"]["level"] == 4


def test_a_case_of_an_enforcement_platform_as_the_page_of_feeds_maps_it() -> None:
    page = (Path(__file__).parents[3] / "docs" / "feeds.md").read_text(encoding="utf-8")
    block = page.split("## Cases of enforcement platforms")[1].split("```json\n")[1].split("```")[0]
    spec = msgspec.json.decode(block)
    body = {"no": "临执〔2026〕0031号", "updated": "2026-11-21 09:30:00", "cause": None, "office": "综合执法局", "step": "立案",
            "filed": "2026-11-18 09:00:00", "event_no": "LL2026112100010"}  # fmt: skip
    found = one(spec, body, identity=content_identity(body))
    assert found["time"] == "2026-11-21T01:30:00Z" and found["subject"] == "临执〔2026〕0031号"
    assert found["data"] == {
        "case": "临执〔2026〕0031号", "title": "", "unit": "综合执法局", "stage": "立案", "result": "",
        "opened_at": "2026-11-18T01:00:00Z", "incident": "LL2026112100010",
    }  # fmt: skip
    changed = {**body, "step": "结案", "decision": "警告", "ended": "2026-11-21 09:00:00"}
    later = one(spec, changed, identity=content_identity(changed))
    assert (later["data"]["result"], later["data"]["closed_at"]) == ("警告", "2026-11-21T01:00:00Z")
    assert one(spec, body, identity=content_identity(body))["id"] == found["id"] != later["id"], (
        "a repetition is one, a change is none"
    )


def test_one_record_many_messages_and_many_readings() -> None:
    spec = {
        "topic": topics.READING,
        "each": "stations[]",
        "time": {"path": "at", "whole": True, "format": "epoch_ms"},
        "data": {
            "device": {"path": "code"},
            "readings": {"each": "vals", "item": {"metric": {"path": "k"}, "value": {"path": "v"}}},
        },
    }
    body = {"at": 1795672800000, "stations": [{"code": "A", "vals": [{"k": "level", "v": 1}, {"k": "flow", "v": 2}]},
                                              {"code": "B", "vals": []}]}  # fmt: skip
    first, second = compile_mapping(spec).messages("water", record(body), LIMIT)
    assert isinstance(first, Mapped) and first.id == "r1#0" and first.key == "A"
    assert [r["value"] for r in msgspec.json.decode(first.value)["data"]["readings"]] == [1.0, 2.0]
    assert isinstance(second, BadRecord), "no reading is there"


def test_the_topic_by_a_table() -> None:
    spec = {
        **WATER,
        "topic": {"path": "grade", "table": {"1": topics.READING_CRITICAL}, "otherwise": topics.READING},
    }
    body = {"stn": "8001", "tm": "2026-11-26 14:05:00", "z": 1}
    assert one(spec, {**body, "grade": 1})["type"] == topics.READING_CRITICAL
    assert one(spec, body)["type"] == topics.READING


def test_times_of_the_record_itself() -> None:
    spec = {**WATER, "time": {"record": "time"}, "id": {"record": "id"}}
    found = one(spec, {"stn": "8001", "z": 1}, time=NOW, identity="t/0/17")
    assert (found["time"], found["id"]) == ("2026-11-26T06:00:00Z", "t/0/17")
    assert "must be there" in bad(spec, {"stn": "8001", "z": 1}).rule


@pytest.mark.parametrize(
    ("change", "field", "found", "rule"),
    [
        ({"z": "abc"}, "data.readings[0].value", "abc", "must be a number"),
        ({"z": "NaN"}, "data.readings[0].value", "NaN", "path 'z' gives nothing"),
        ({"z": "inf"}, "data.readings[0].value", "inf", "finite"),
        ({"z": float("inf")}, "data.readings[0].value", "inf", "finite"),
        ({"z": 10**400}, "data.readings[0].value", "1000", "must be a number"),
        ({"z": True}, "data.readings[0].value", "True", "must be a number"),
        ({"z": [1]}, "data.readings[0].value", "[1]", "must be a number"),
        ({"z": None}, "data.readings[0].value", "None", "must be there: path 'z' gives nothing"),
        ({"stn": "9"}, "data.device", "9", "look-up table"),
        ({"tm": "yesterday"}, "time", "yesterday", "%Y-%m-%d %H:%M:%S"),
        ({"tm": "2026-02-30 00:00:00"}, "time", "2026-02-30", "must be a time"),
    ],
)  # fmt: skip
def test_a_bad_record_names_field_value_and_rule(
    change: dict[str, Any], field: str, found: str, rule: str
) -> None:
    error = bad(WATER, {"stn": "8001", "tm": "2026-11-26 14:05:00", "z": 1, **change})
    assert error.field == field and found in error.found and rule in error.rule


def test_negative_zero_is_zero_and_1970_is_told_as_it_is() -> None:
    found = one(WATER, {"stn": "8001", "tm": "1970-01-01 08:00:00", "z": -0.0})
    assert str(found["data"]["readings"][0]["value"]) == "0.0" or found["data"]["readings"][0]["value"] == 0
    assert b"-0" not in msgspec.json.encode(found["data"])
    assert found["time"] == "1970-01-01T00:00:00Z", "ingest refuses it, with the reason bad_time"


@pytest.mark.parametrize(
    ("path", "value", "field", "rule"),
    [
        (("topic",), "city.nothing.v1", "topic", "city.reading.v1"),
        (("topic",), {"path": "t"}, "topic", "table of topics"),
        (("colour",), 1, "colour", "must be one of topic"),
        (("time",), {"path": "tm", "format": "yyyy"}, "time.format", "%Y-%m-%d"),
        (("time",), {"path": "tm", "format": "%Q"}, "time.format", "strptime"),
        (("time",), {"path": "tm", "zone": "Mars/North"}, "time.zone", "time zone"),
        (("time",), {"path": "tm", "const": 1}, "time", "exactly one of"),
        (("id",), {"record": "offset"}, "id.record", "time, id"),
        (("data", "device"), {"path": "a..b"}, "data.device.path", "must be a JMESPath"),
        (("data", "device"), {"path": "x" * 501}, "data.device.path", "at most 500"),
        (("data", "device"), {"path": "a", "times": 2}, "data.device", "for numbers"),
        (("data", "device"), {"path": "a", "colour": 2}, "data.device.colour", "must be one of path"),
        (("data", "device"), {"template": "none"}, "data.device.template", "{JMESPath}"),
        (("data", "device"), {"path": "a", "table": {}}, "data.device.table", "value of the source"),
        (("data", "device"), {"const": []}, "data.device.const", "must be a text"),
        (("data", "depth"), {"path": "a"}, "data.depth", "must be one of device"),
        (("data",), {"device": "A"}, "data.readings", "is needed"),
        (("data",), 7, "data", "must be an object"),
        (("data", "readings"), [], "data.readings", "must not be empty"),
        (("data", "readings"), {"each": "a"}, "data.readings", '"item"'),
        (("data", "readings", 0, "value"), {"path": "z", "times": "2"}, "data.readings[0].value.times", "finite"),
        (("data", "readings", 0, "value"), {"path": "z", "optional": 1}, "data.readings[0].value.optional", "true"),
    ],
)  # fmt: skip
def test_a_bad_mapping_names_field_value_and_rule(
    path: tuple[Any, ...], value: Any, field: str, rule: str
) -> None:
    spec: Any = copy.deepcopy(WATER)
    place = spec
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(BadMapping) as caught:
        compile_mapping(spec)
    assert any(f.field == field and rule in f.rule for f in caught.value.faults), caught.value.faults


def test_an_unknown_coordinate_system_is_refused_at_once() -> None:
    spec = copy.deepcopy(REPORT)
    spec["data"]["point"]["crs"] = "EPSG:3857"
    with pytest.raises(BadMapping, match=r"data.point.crs='EPSG:3857': must be one of EPSG:4326"):
        compile_mapping(spec)


def test_all_faults_at_once() -> None:
    with pytest.raises(BadMapping) as caught:
        compile_mapping({**WATER, "time": {}, "id": {}, "data": {"device": {}, "readings": [{}]}})
    assert {f.field for f in caught.value.faults} >= {"time", "id", "data.device", "data.readings[0].metric"}


# -- what is set aside ----------------------------------------------------------------------------------------


def aside(raw: RawRecord | BadRaw, why: BadRecord | BadRaw, n: int = 0) -> Bad:
    message = set_aside("water", topics.READING, raw, why, NOW, n)
    with pytest.raises(Bad) as caught:
        decode(message.topic, message.value, 10**6)
    assert message.headers == (("feed", b"water"),)
    return caught.value


def test_what_is_set_aside_is_rejected_with_the_mapping_s_reason() -> None:
    raw = record({"stn": "9"})
    found = aside(raw, bad(WATER, raw.body | {"tm": "2026-11-26 14:05:00", "z": 1}))
    assert (found.reason, found.field, found.found) == ("mapping", "data.device", "9")
    assert "look-up table" in found.rule
    broken = json_record(b'{"stn": \xff')
    assert isinstance(broken, BadRaw)
    assert aside(broken, broken).rule.startswith("must be JSON")
    assert (
        aside(record({"nul": "a\x00b", "half": "\ud800"}), BadRecord("f\x00", "\x00", "r")).reason
        == "mapping"
    )
    assert (
        len(set_aside("w", topics.READING, record("x" * 10**6), BadRecord("a", 1, "b"), NOW).value) < 22_000
    )


def test_a_message_of_ours_goes_out_as_the_feed_s() -> None:
    (made,) = compile_mapping(WATER).messages(
        "water", record({"stn": "8001", "tm": "2026-11-26 14:05:00", "z": 1}), LIMIT
    )
    assert isinstance(made, Mapped)
    message = outgoing("water", made)
    assert (message.topic, message.key, message.headers) == (topics.READING, "WL-1", (("feed", b"water"),))


# -- laws -----------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BODY = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("stn", "tm", "z", "q", "no", "at", "kind", "words", "x", "y", "urgency"), JSON),
)


@given(st.sampled_from([WATER, REPORT]), BODY | JSON)
def test_any_record_gives_a_message_that_decodes_or_a_reason(spec: dict[str, Any], body: Any) -> None:
    mapping = compile_mapping(spec)
    made = mapping.messages("water", record(body), LIMIT)
    assert made == made and len(made) == 1
    for found in made:
        if isinstance(found, Mapped):
            decode(found.topic, found.value, LIMIT)
        else:
            assert found.field and found.rule
            assert aside(record(body), found).reason == "mapping"


@given(st.dictionaries(st.sampled_from(["topic", "time", "data", "each", "id", "zone", "x"]), JSON) | JSON)
def test_any_mapping_is_taken_or_refused_in_words(spec: Any) -> None:
    try:
        compile_mapping(spec)
    except BadMapping as error:
        assert error.faults and all(f.rule for f in error.faults)


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_unit_conversion_is_times_and_plus(value: float, times: float, plus: float) -> None:
    spec = copy.deepcopy(WATER)
    spec["data"]["readings"] = [{"metric": "level", "value": {"path": "z", "times": times, "plus": plus}}]
    found = one(spec, {"stn": "8001", "tm": "2026-11-26 14:05:00", "z": value})
    assert found["data"]["readings"][0]["value"] == pytest.approx(value * times + plus, rel=1e-9, abs=1e-9)


@given(st.datetimes(datetime(2000, 1, 2), datetime(2100, 1, 1)))
def test_a_time_is_the_same_moment_in_any_of_its_forms(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    forms = [moment.isoformat(), moment.timestamp(), int(moment.timestamp() * 1000), moment,
             moment.astimezone().isoformat()]  # fmt: skip
    spec = {**WATER, "time": {"path": "tm"}, "id": "x"}
    made = {one(spec, {"stn": "8001", "tm": form, "z": 1})["time"] for form in forms}
    assert len(made) == 1 and datetime.fromisoformat(made.pop()) == moment


@given(JSON)
def test_the_same_record_has_the_same_identity(body: Any) -> None:
    with contextlib.suppress(UnicodeEncodeError, ValueError, OverflowError):  # no JSON: it came out of none
        assert content_identity(body) == content_identity(copy.deepcopy(body))


@given(st.text())
def test_an_id_always_fits(text: str) -> None:
    assert 1 <= len(message_id(text)) <= 200
