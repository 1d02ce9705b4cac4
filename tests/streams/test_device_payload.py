"""Payloads of devices: what becomes of each, what is wrong is named, and sent again is the very same message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.gateway import Sender
from streams import topics
from streams.device_payload import letter_of, message_of, name_in
from streams.envelope import Bad, decode

SENDER = Sender("WL-1")
NOW = "2026-11-26T08:00:00Z"
ONE = {"metric": "level", "value": 2.5, "time": NOW}
BATCH = {
    "readings": [{"metric": "level", "value": 2.5}, {"metric": "flow", "value": 1, "time": NOW}],
    "time": NOW,
}
LIMIT = 64 * 1024


def made(payload: object, sender: Sender = SENDER) -> dict[str, Any]:
    value = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    out = message_of(sender, value, LIMIT).outgoing
    assert out.key == sender.device and out.headers == (("feed", b"gateway"),)
    decode(out.topic, out.value, LIMIT)
    message: dict[str, Any] = json.loads(out.value)
    assert message["type"] == out.topic and message["data"]["device"] == message["subject"] == sender.device
    return message


def refused(payload: object) -> Bad:
    value = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    with pytest.raises(Bad) as bad:
        message_of(SENDER, value, LIMIT)
    assert bad.value.rule, bad.value
    return bad.value


def test_one_reading() -> None:
    message = made(ONE | {"seq": 17})
    assert message["data"] == {"device": "WL-1", "readings": [{"metric": "level", "value": 2.5}]}
    assert (message["id"], message["source"], message["time"]) == ("WL-1#17", "urn:device:WL-1", NOW)


def test_a_batch() -> None:
    message = made(BATCH | {"id": "b-7", "missing": 3, "device": "WL-1"})
    assert message["data"] == {"device": "WL-1", "readings": BATCH["readings"], "missing": 3}
    assert message["id"] == "WL-1/b-7"
    own_times = made({"readings": [{"metric": "a", "value": 1, "time": NOW}]})
    assert own_times["time"] == NOW


def test_a_critical_device_has_a_lane_of_its_own() -> None:
    assert made(ONE, Sender("WL-1", critical=True))["type"] == topics.READING_CRITICAL


def test_without_a_name_the_payload_is_its_name() -> None:
    first, again, other = made(ONE), made(ONE), made(ONE | {"value": 2.6})
    assert first == again and first["id"] != other["id"]
    assert made(ONE, Sender("WL-2"))["id"] != first["id"]


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=5), st.floats(allow_nan=False, allow_infinity=False)), min_size=1,
             max_size=5),
    st.none() | st.integers(0, 2**63 - 1),
)  # fmt: skip
def test_sent_again_is_the_same_message(readings: list[tuple[str, float]], seq: int | None) -> None:
    payload: dict[str, Any] = {"readings": [{"metric": m, "value": v} for m, v in readings], "time": NOW}
    value = json.dumps(payload | ({} if seq is None else {"seq": seq})).encode()
    try:
        first = message_of(SENDER, value, LIMIT)
    except Bad as bad:
        assert "\x00" in "".join(m for m, _ in readings), bad
        return
    again = message_of(SENDER, value, LIMIT)
    assert first.outgoing == again.outgoing and first.name == seq == name_in(value)
    stored = decode(topics.READING, first.outgoing.value, LIMIT).data.readings
    assert [(r.metric, r.value) for r in stored] == readings, "no value changes on its way"


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["metric", "value", "time", "readings", "seq", "id", "device", "missing", "x"]), inner, max_size=5),
    max_leaves=12,
).map(lambda found: json.dumps(found).encode()))  # fmt: skip
def test_whatever_comes_is_taken_or_named(value: bytes) -> None:
    name_in(value)
    try:
        message_of(SENDER, value, LIMIT)
    except Bad as bad:
        assert bad.reason and bad.rule


@pytest.mark.parametrize(
    ("payload", "reason", "field"),
    [
        (b"", "malformed", ""),
        (b"2.5", "invalid", ""),
        (b"[]", "invalid", ""),
        (b"[" * 60_000, "malformed", ""),
        (b'{"readings":' + b"[" * 60_000, "malformed", ""),
        (b"\xff\xfe", "malformed", ""),
        ({}, "bad_time", "time"),
        ({"metric": "level", "value": 1}, "bad_time", "time"),
        (ONE | {"time": "yesterday"}, "bad_time", "time"),
        (ONE | {"time": "2026-11-26T08:00:00"}, "bad_time", "time"),
        (ONE | {"time": None}, "bad_time", "time"),
        (ONE | {"value": "high"}, "invalid", "value"),
        (ONE | {"value": True}, "invalid", "value"),
        (b'{"metric":"m","value":1e999,"time":"2026-11-26T08:00:00Z"}', "malformed", ""),
        (b'{"metric":"m","value":NaN,"time":"2026-11-26T08:00:00Z"}', "malformed", ""),
        ({"metric": "level", "time": NOW}, "invalid", "readings[0]"),
        (ONE | {"device": "WL-2"}, "other_device", "device"),
        (ONE | {"device": None}, "other_device", "device"),
        (ONE | {"unit": "m"}, "invalid", "unit"),
        (ONE | BATCH, "invalid", "metric"),
        (ONE | {"seq": -1}, "invalid", "seq"),
        (ONE | {"seq": 1.5}, "invalid", "seq"),
        (ONE | {"seq": True}, "invalid", "seq"),
        (ONE | {"seq": 2**63}, "invalid", "seq"),
        (ONE | {"seq": 1, "id": "a"}, "invalid", "seq"),
        (ONE | {"id": ""}, "invalid", "id"),
        (ONE | {"id": "x" * 91}, "invalid", "id"),
        ({"readings": [], "time": NOW}, "invalid", "readings"),
        ({"readings": {}, "time": NOW}, "invalid", "readings"),
        ({"readings": [{"metric": "m", "value": 1}]}, "bad_time", "readings[0].time"),
        ({"readings": [{"metric": "m", "value": 1, "time": NOW}, 7]}, "bad_time", "readings[1].time"),
        ({"readings": [{"metric": "m", "value": "x"}], "time": NOW}, "invalid", "readings[0].value"),
        (BATCH | {"missing": -1}, "invalid", "missing"),
        (ONE | {"metric": "a\x00"}, "invalid", "metric"),
        (ONE | {"metric": "m" * LIMIT}, "too_large", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(payload: object, reason: str, field: str) -> None:
    bad = refused(payload)
    assert (bad.reason, bad.field) == (reason, field), bad
    letter = letter_of(SENDER, payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    with pytest.raises(Bad):
        decode(letter.topic, letter.value, LIMIT)
