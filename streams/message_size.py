"""How large a message may be and how a topic may be called: the same rules on every transport."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from incidents.ports import BusRefused, MessageRefused, Outgoing

MAX_MESSAGE_BYTES: Final = 11 * 1024 * 1024
"""Default limit of key + value + headers of one message, in bytes.

Above what the product accepts (CHENGYUN_MAX_MESSAGE_KB), so that an oversized message from outside still reaches the
consumer and becomes a dead letter instead of stopping its sender.
"""

_TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")


def size_of(message: Outgoing) -> int:
    """Bytes of key, value and headers of a message (without the transport's own framing)."""
    size = len(message.key.encode()) + len(message.value)
    for name, content in message.headers:
        size += len(name.encode()) + len(content)
    return size


def refuse_oversize(messages: Iterable[Outgoing], limit: int) -> None:
    """Raise MessageRefused naming size and limit when one message is larger than `limit` bytes."""
    for message in messages:
        size = size_of(message)
        if size > limit:
            raise MessageRefused(
                f"{message.topic}: message with key {message.key[:80]!r} has {size} bytes;"
                f" the limit is {limit} bytes"
            )


def refuse_topic_name(topic: str) -> None:
    """Raise BusRefused when `topic` is no usable topic name."""
    if not _TOPIC_NAME.fullmatch(topic) or topic in (".", ".."):
        raise BusRefused(f"topic {topic[:80]!r}: a name has 1 to 200 of the characters A-Z a-z 0-9 . _ -")
