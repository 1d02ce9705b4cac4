"""What a transaction wants the screens to show and nobody else to hear: outbox rows that the relay takes to the live state
only, never to the bus. In the same order as everything else of the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from data.database import Cursor, json

SHOW_TOPIC: Final = "show"
"""As `streams.relay.SHOW`; a test compares the two."""


def show(
    cursor: Cursor,
    now: datetime,
    items: Iterable[Mapping[str, Any]] = (),
    gone: Iterable[tuple[str, str]] = (),
) -> None:
    """Set live items and remove (kind, key) as one change, when this transaction is committed."""
    payload = {"set": [dict(item) for item in items], "del": [list(pair) for pair in gone]}
    cursor.execute(
        "INSERT INTO outbox (topic, key, payload, created_at) VALUES (%s, '', %s, %s)",
        (SHOW_TOPIC, json(payload), now),
    )
