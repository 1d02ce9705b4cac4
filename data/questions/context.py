"""What every query handler gets, and the two small words they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data.database import Database
from incidents.model import Actor, Place


@dataclass(frozen=True, slots=True)
class Ask:
    """One question on its way: the store, who asks, when; `place_of` finds the cell of a point."""

    database: Database
    actor: Actor
    now: datetime
    place_of: Callable[[float, float], Place]
    facts: Callable[[], dict[str, Any]]
    try_feed: Callable[[str, str], dict[str, Any]] | None = None
    """(feed, sample) → what TestFeed answers; None where no adapters are at hand."""


Answer = Callable[[Ask, Any], Any]


def bounded(value: int, low: int, high: int) -> int:
    """A limit given by a user, kept within bounds."""
    return max(low, min(high, value))


def contains(text: str) -> str:
    """A LIKE pattern for 'contains this text', with the text's own wildcards escaped."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
