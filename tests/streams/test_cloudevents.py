"""The door's check of CloudEvents: what it refuses says field and rule, what it takes the decoder can read; bytes break it not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams import cloudevents, topics
from streams.envelope import Bad, decode
from tests.streams.test_envelope import envelope

NAMES = st.sampled_from(["id", "source", "subject", "time", "specversion", "type", "data", "data_base64", "dataschema",
                         "datacontenttype", "tenant", "Tenant", "trace-id"])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from(["1.0", "2026-11-20T23:59:59Z", "urn:a:b", "text/plain", "5LiA"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=4,
)  # fmt: skip


@given(st.binary(max_size=200))
@example(b'{"id":' + b"[" * 30_000)
@example(b"")
def test_bytes(value: bytes) -> None:
    try:
        assert isinstance(cloudevents.check(value), dict)
    except Bad as bad:
        assert bad.reason in ("malformed", "envelope", "bad_time") and bad.rule


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_what_is_taken_keeps_the_rules(changes: dict[str, Any]) -> None:
    """A good message with any changes: refused with the field, or sound in every attribute."""
    event = envelope(topics.VIDEO_ALARM) | changes
    try:
        found = cloudevents.check(json.dumps(event).encode())
    except Bad as bad:
        assert bad.field in event and bad.rule
        return
    assert found == event
    present = {name for name, value in event.items() if value is not None} - {"data_base64"}
    assert all(name.isalnum() and name == name.lower() for name in present), "null is the same as absent"
    assert event["specversion"] == "1.0" and not (
        event.get("data") is not None and event.get("data_base64") is not None
    )


@pytest.mark.parametrize("topic", topics.INPUT_TOPICS)
def test_a_message_of_ours_is_one(topic: str) -> None:
    value = json.dumps(envelope(topic)).encode()
    cloudevents.check(value)
    decode(topic, value, 65536)
