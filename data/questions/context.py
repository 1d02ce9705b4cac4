"""What every query handler gets, and the two small words they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from data.address_store import StoredBook
from data.backtests import Backtests
from data.database import Database
from incidents.commands import SaveFeed
from incidents.model import Actor, Place

TryFeed = Callable[[str, str, SaveFeed | None], dict[str, Any]]
"""(feed, sample, draft) → what TestFeed answers."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question on its way: the store, who asks, when; `place_of` finds the cell of a point;
    `zone`: the city's, by which its days begin."""

    database: Database
    actor: Actor
    now: datetime
    place_of: Callable[[float, float], Place]
    facts: Callable[[], dict[str, Any]]
    zone: str
    try_feed: TryFeed | None = None
    """None where no adapters are at hand."""
    backtests: Backtests | None = None
    book: StoredBook = field(default_factory=StoredBook)

    def routing(self) -> Backtests:
        """The router in force, and backtests."""
        assert self.backtests is not None
        return self.backtests


Answer = Callable[[Ask, Any], Any]


def bounded(value: int, low: int, high: int) -> int:
    """A limit given by a user, kept within bounds."""
    return max(low, min(high, value))


def contains(text: str) -> str:
    """A LIKE pattern for 'contains this text', with the text's own wildcards escaped."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
