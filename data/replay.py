"""What goes back to an input topic as it was: a dead letter, or a message out of quarantine."""

from __future__ import annotations

from typing import Any, Final

REPLAY_TOPIC: Final = "replay"
"""Outbox topic prefix of a message that goes back to an input topic as it is (the relay knows it)."""


def replay_payload(topic: str, partition: int, offset: int, value: bytes, feed: str) -> dict[str, Any]:
    """What the relay needs to put a message back: the bytes as hex, and where it lies."""
    return {"topic": topic, "partition": partition, "offset": offset, "value": value.hex(), "feed": feed}
