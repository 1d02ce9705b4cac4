"""What the store has counted since it exists, for /metrics and /status. Read only."""

from __future__ import annotations

from typing import Final

from data.database import Database
from data.outbox import Outbox

OUTCOMES: Final = ("stored", "rejected", "duplicate", "held")


def store_counts(database: Database) -> dict[tuple[str, ...], float]:
    """(kind, state) → number: ledger messages by outcome, outbox waiting and refused, dead letters open, held now."""
    (sums,) = database.query(
        "SELECT coalesce(sum(stored), 0), coalesce(sum(rejected), 0), coalesce(sum(duplicate), 0),"
        " coalesce(sum(held), 0) FROM ledger"
    )
    found: dict[tuple[str, ...], float] = {
        ("ledger", outcome): float(n) for outcome, n in zip(OUTCOMES, sums, strict=True)
    }
    waiting, refused = Outbox(database).standing()
    found["outbox", "waiting"], found["outbox", "refused"] = float(waiting), float(refused)
    ((letters, held),) = database.query(
        "SELECT (SELECT count(*) FROM dead_letters WHERE state = 'open'),"
        " (SELECT count(*) FROM held WHERE released_at IS NULL)"
    )
    found["dead_letters", "open"], found["held", "waiting"] = float(letters), float(held)
    return found
