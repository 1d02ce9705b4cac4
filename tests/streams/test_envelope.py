"""Decoding: every bad message is Bad with a stable reason, the field, and the rule; no bytes at all break it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams import topics
from streams.envelope import Bad, decode, encode, key_of

MAX = 64 * 1024
GOOD_DATA: dict[str, dict[str, Any]] = {
    topics.READING: {"device": "WL-1", "readings": [{"metric": "level", "value": 1.5}]},
    topics.READING_CRITICAL: {"device": "WL-1", "readings": [{"metric": "level", "value": 1.5}]},
    topics.VIDEO_ALARM: {"camera": "99010100001320000001", "kind": "flood"},
    topics.GRID_REPORT: {"channel": "hotline", "text": "路口积水"},
    topics.POSITION: {"worker": "grid-worker", "point": {"lon": 113.9, "lat": 21.9}},
    topics.ENFORCEMENT_CASE: {
        "case": "粤执〔2026〕12号",
        "unit": "城管执法局",
        "stage": "立案",
        "opened_at": "2026-11-20T08:00:00Z",
    },
}
KEYS = {
    topics.READING: "WL-1",
    topics.READING_CRITICAL: "WL-1",
    topics.VIDEO_ALARM: "99010100001320000001",
    topics.GRID_REPORT: "m-1",
    topics.POSITION: "grid-worker",
    topics.ENFORCEMENT_CASE: "粤执〔2026〕12号",
}


def envelope(topic: str = topics.READING, **changes: Any) -> dict[str, Any]:
    """A good message as JSON object; a change to `...` leaves that attribute out."""
    found = {
        "specversion": "1.0", "id": "m-1", "source": "urn:feed:sensors", "type": topic,
        "time": "2026-11-21T08:00:00Z", "data": GOOD_DATA[topic], **changes,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not ...}


def bad(topic: str, message: Any) -> Bad:
    value = message if isinstance(message, bytes) else json.dumps(message).encode()
    with pytest.raises(Bad) as found:
        decode(topic, value, MAX)
    assert found.value.reason and str(found.value)
    return found.value


@pytest.mark.parametrize("topic", sorted(GOOD_DATA))
def test_good_messages(topic: str) -> None:
    message = decode(topic, json.dumps(envelope(topic)).encode(), MAX)
    assert (message.id, message.source, message.type) == ("m-1", "urn:feed:sensors", topic)
    assert message.time == datetime(2026, 11, 21, 8, tzinfo=UTC)
    assert key_of(topic, message) == KEYS[topic]


@pytest.mark.parametrize("topic", sorted(GOOD_DATA))
def test_what_is_encoded_is_decoded(topic: str) -> None:
    value = encode(id="i", source="s", topic=topic, time="2026-11-21T16:00:00+08:00", subject="x",
                   data=GOOD_DATA[topic], correlation="c")  # fmt: skip
    message = decode(topic, value, MAX)
    assert (message.id, message.correlationid, message.subject) == ("i", "c", "x")
    assert message.time == datetime(2026, 11, 21, 8, tzinfo=UTC)


def test_unknown_attributes_are_let_through() -> None:
    """CloudEvents allows extensions; a newer sender may add fields to data."""
    data = {**GOOD_DATA[topics.READING], "firmware": "2.1"}
    assert decode(topics.READING, json.dumps(envelope(data=data, traceparent="00-1-2")).encode(), MAX)


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"specversion": "0.3"}, "envelope", "specversion"),
        ({"specversion": ...}, "envelope", ""),
        ({"id": ...}, "envelope", ""),
        ({"id": ""}, "envelope", "id"),
        ({"id": 7}, "envelope", "id"),
        ({"id": "x" * 201}, "envelope", "id"),
        ({"source": ""}, "envelope", "source"),
        ({"type": "city.reading.v2"}, "unknown_version", "type"),
        ({"type": "city.position.v1"}, "unknown_version", "type"),
        ({"time": "yesterday"}, "bad_time", "time"),
        ({"time": "2026-11-21T08:00:00"}, "bad_time", "time"),
        ({"time": 1_700_000_000}, "bad_time", "time"),
        ({"time": ...}, "envelope", ""),
        ({"data": ...}, "envelope", ""),
        ({"data": None}, "invalid", "data"),
        ({"data": "text"}, "invalid", "data"),
        ({"data": {}}, "invalid", "data"),
        ({"data": {"device": 5, "readings": [{"metric": "m", "value": 1}]}}, "invalid", "data.device"),
        ({"data": {"device": "", "readings": [{"metric": "m", "value": 1}]}}, "invalid", "data.device"),
        ({"data": {"device": "d", "readings": []}}, "invalid", "data.readings"),
        ({"data": {"device": "d", "readings": [{"metric": "m", "value": 1}] * 1001}}, "invalid", "data.readings"),
        ({"data": {"device": "d", "readings": [{"metric": "m", "value": "1"}]}}, "invalid", "data.readings[0].value"),
        ({"data": {"device": "d", "readings": [{"metric": "m", "value": None}]}}, "invalid", "data.readings[0].value"),
        ({"data": {"device": "d", "readings": [{"value": 1}]}}, "invalid", "data.readings[0]"),
        ({"data": {"device": "d", "readings": [{"metric": "m", "value": 1, "time": "noon"}]}}, "bad_time",
         "data.readings[0].time"),
        ({"data": {**GOOD_DATA[topics.READING], "missing": -1}}, "invalid", "data.missing"),
        ({"data": {**GOOD_DATA[topics.READING], "missing": 10**30}}, "invalid", "data.missing"),
        ({"data": {**GOOD_DATA[topics.READING], "missing": 10**12}}, "invalid", "data.missing"),
        ({"data": {**GOOD_DATA[topics.READING], "history": "yes"}}, "invalid", "data.history"),
    ],
)  # fmt: skip
def test_bad_readings(changes: dict[str, Any], reason: str, field: str) -> None:
    found = bad(topics.READING, envelope(**changes))
    assert (found.reason, found.field) == (reason, field)


@pytest.mark.parametrize(
    ("topic", "change", "field"),
    [
        (topics.VIDEO_ALARM, {"level": 0}, "data.level"),
        (topics.VIDEO_ALARM, {"level": 5}, "data.level"),
        (topics.VIDEO_ALARM, {"level": "1"}, "data.level"),
        (topics.VIDEO_ALARM, {"kind": ""}, "data.kind"),
        (topics.VIDEO_ALARM, {"camera": 99010100001320000001}, "data.camera"),
        (topics.GRID_REPORT, {"text": None}, "data.text"),
        (topics.GRID_REPORT, {"class": 101}, "data.class"),
        (topics.GRID_REPORT, {"point": {"lon": 1}}, "data.point"),
        (topics.GRID_REPORT, {"point": [113.9, 21.9]}, "data.point"),
        (topics.GRID_REPORT, {"point": {"lon": "113.9", "lat": 21.9}}, "data.point.lon"),
        (topics.GRID_REPORT, {"photos": "a.jpg"}, "data.photos"),
        (topics.GRID_REPORT, {"reporter": "李"}, "data.reporter"),
        (topics.POSITION, {"worker": ""}, "data.worker"),
        (topics.POSITION, {"point": None}, "data.point"),
        (topics.POSITION, {"accuracy_m": "10"}, "data.accuracy_m"),
        (topics.ENFORCEMENT_CASE, {"case": ""}, "data.case"),
        (topics.ENFORCEMENT_CASE, {"case": 12}, "data.case"),
        (topics.ENFORCEMENT_CASE, {"unit": None}, "data.unit"),
        (topics.ENFORCEMENT_CASE, {"stage": "长" * 201}, "data.stage"),
        (topics.ENFORCEMENT_CASE, {"result": None}, "data.result"),
        (topics.ENFORCEMENT_CASE, {"result": "长" * 2001}, "data.result"),
        (topics.ENFORCEMENT_CASE, {"incident": 7}, "data.incident"),
    ],
)
def test_bad_data(topic: str, change: dict[str, Any], field: str) -> None:
    found = bad(topic, envelope(topic, data={**GOOD_DATA[topic], **change}))
    assert (found.reason, found.field) == ("invalid", field)
    assert found.rule


@pytest.mark.parametrize("field", ["opened_at", "closed_at"])
@pytest.mark.parametrize("time", ["2026-11-20", "2026-11-20T08:00:00", "昨天", 1763625600])
def test_times_of_a_case(field: str, time: object) -> None:
    data = {**GOOD_DATA[topics.ENFORCEMENT_CASE], field: time}
    found = bad(topics.ENFORCEMENT_CASE, envelope(topics.ENFORCEMENT_CASE, data=data))
    assert (found.reason, found.field) == ("bad_time", f"data.{field}")


def test_the_value_found_is_told() -> None:
    found = bad(
        topics.GRID_REPORT,
        envelope(topics.GRID_REPORT, data={**GOOD_DATA[topics.GRID_REPORT], "text": 12345}),
    )
    assert found.found == "12345" and "12345" in str(found)


def test_too_large() -> None:
    value = json.dumps(envelope(data={**GOOD_DATA[topics.READING], "note": "x" * MAX})).encode()
    found = bad(topics.READING, value)
    assert found.reason == "too_large" and str(len(value)) in found.found and str(MAX) in found.rule


@pytest.mark.parametrize(
    "value", [b"", b"{", b"nul", b"\xff\xfe{}", b'{"id": "\xc3"}', b"[" * 100_000, b"\x00"]
)
def test_what_is_no_json(value: bytes) -> None:
    with pytest.raises(Bad) as found:
        decode(topics.READING, value, 1024 * 1024)
    assert found.value.reason in ("malformed", "envelope")


@pytest.mark.parametrize("value", [b"[]", b"7", b'"text"', b"null", b"{}"])
def test_what_is_no_envelope(value: bytes) -> None:
    assert bad(topics.READING, value).reason == "envelope"


@pytest.mark.parametrize(
    ("topic", "change", "field"),
    [
        (topics.GRID_REPORT, {"text": "积\x00水"}, "data.text"),
        (topics.GRID_REPORT, {"reporter": {"name": "\x00"}}, "data.reporter.name"),
        (topics.GRID_REPORT, {"photos": ["a\x00"]}, "data.photos[0]"),
        (topics.VIDEO_ALARM, {"text": "\x00"}, "data.text"),
    ],
)
def test_a_nul_is_named(topic: str, change: dict[str, Any], field: str) -> None:
    """JSON can carry U+0000, PostgreSQL text cannot: it must not get as far as the store."""
    found = bad(topic, envelope(topic, data={**GOOD_DATA[topic], **change}))
    assert (found.reason, found.field) == ("invalid", field)
    assert bad(topic, envelope(topic, id="a\x00b")).field == "id"


def test_a_written_out_nul_is_text() -> None:
    data = {**GOOD_DATA[topics.GRID_REPORT], "text": "\\u0000"}
    message = decode(topics.GRID_REPORT, json.dumps(envelope(topics.GRID_REPORT, data=data)).encode(), MAX)
    assert message.data.text == "\\u0000"


def test_a_lone_surrogate_is_refused() -> None:
    value = json.dumps(envelope(topics.GRID_REPORT)).encode().replace(b"\\u8def", b"\\ud800")
    assert b"\\ud800" in value and bad(topics.GRID_REPORT, value).reason == "malformed"


jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
attributes = st.sampled_from(
    ["id", "source", "specversion", "type", "time", "data", "subject", "correlationid"]
)
inside = st.sampled_from(["device", "readings", "camera", "kind", "channel", "text", "point", "worker", "level",
                          "missing", "photos", "reporter", "class", "history"])  # fmt: skip


def test_a_wrong_field_before_what_is_no_json() -> None:
    value = json.dumps(envelope(data={"device": 7, "readings": float("inf")})).encode()
    assert b"Infinity" in value and bad(topics.READING, value).reason == "malformed"
    assert bad(topics.READING, json.dumps(envelope(id=7)).encode()[:-1]).reason == "envelope"


@given(st.sampled_from(sorted(GOOD_DATA)), st.binary(max_size=200))
@example(topics.READING, b'{"id":1e400}')
def test_no_bytes_break_it(topic: str, value: bytes) -> None:
    with pytest.raises(Bad):
        decode(topic, value, MAX)


@given(st.sampled_from(sorted(GOOD_DATA)), st.dictionaries(attributes, jsons, max_size=3),
       st.dictionaries(inside, jsons, max_size=3))  # fmt: skip
def test_no_json_breaks_it(topic: str, outer: dict[str, Any], inner: dict[str, Any]) -> None:
    """Any values in any attributes: taken or Bad, and what is taken survives being told again."""
    message = envelope(topic, **{"data": {**GOOD_DATA[topic], **inner}, **outer})
    try:
        value = json.dumps(message).encode()
        found = decode(topic, value, MAX)
    except Bad as refused:
        assert refused.reason in ("malformed", "envelope", "bad_time", "unknown_version", "invalid")
        return
    assert found.type == topic and found.specversion == "1.0" and found.time.tzinfo is not None
    assert key_of(topic, found)


@pytest.mark.parametrize("head", [b"", b'{"x":', b'{"data":{"y":', b'{"id":"\\u0000","x":'])
def test_thousands_of_levels(head: bytes) -> None:
    """A nest too deep to be read is malformed; it does not stop the reader."""
    assert bad(topics.READING, head + b"[" * 30_000).reason in ("malformed", "envelope")


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"datacontenttype": ""}, "datacontenttype"), ({"data_base64": "5LiA"}, "data_base64")],
)
def test_attributes_that_are_given_must_say_something(changes: dict[str, Any], field: str) -> None:
    """CloudEvents 1.0: an optional attribute may be absent, not empty; our data are JSON, never base64."""
    found = bad(topics.READING, envelope(**changes))
    assert (found.reason, found.field) == ("envelope", field)
