"""A foreign alarm that no adapter could turn into a message, as a message that ingest makes a dead letter of.

Cameras do nothing with a 400: what they sent must be found in the dead letters, not nowhere. The letter's reason is
`mapping`, like that of a feed's record set aside; the adapter's own reason stands before the rule.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from incidents.ports import Outgoing
from streams import topics
from streams.envelope import Bad
from streams.feeds.mapping import set_aside
from streams.feeds.port import BadRaw


def letter_of(feed: str, system: str, payload: bytes, bad: Bad, received: datetime) -> Outgoing:
    """The payload (of a long one the beginning, size and digest) with what is wrong. Each arrival is a letter."""
    digest = hashlib.sha256(payload).hexdigest()[:32]
    rule = f"{bad.reason}: {bad.rule}"
    raw = BadRaw(f"{system}:{digest}:{received.isoformat()}", payload, bad.field, bad.found, rule)
    return set_aside(feed, topics.VIDEO_ALARM, raw, raw, received)
