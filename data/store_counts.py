"""What the store has counted since it exists, for /metrics and /status. Read only."""

from __future__ import annotations

from typing import Final

from data.database import Database
from data.outbox import Outbox

OUTCOMES: Final = ("stored", "rejected", "duplicate", "held")


def store_counts(database: Database) -> dict[tuple[str, ...], float]:
    """(kind, state) → number: ledger messages by outcome, outbox waiting and refused, dead letters open, held now,
    what gateways refused and what their broker dropped."""
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
    ((gateway_refused, gateway_lost),) = database.query(
        "SELECT (SELECT coalesce(sum(n), 0) FROM gateway_refusals), (SELECT coalesce(sum(lost), 0) FROM gateway_drops)"
    )
    found["gateway", "refused"], found["gateway", "lost"] = float(gateway_refused), float(gateway_lost)
    found["dead_letters", "open"], found["held", "waiting"] = float(letters), float(held)
    return found
