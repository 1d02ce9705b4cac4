"""Messages that were not stored, told apart: said before, or another thing under a used id."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Final

from data.database import Cursor, many
from incidents.ingest import CaseRow, Flush, IntakeRow

_ASK: Final = {
    table: f"SELECT i.source, i.message_id, i.digest FROM {table} i JOIN (VALUES %s) AS v(source, message_id)"  # noqa: S608
    " USING (source, message_id) -- returning"
    for table in ("intake", "enforcement_messages")
}


def tell_apart(
    cursor: Cursor, flush: Flush, table: str, rows: Sequence[IntakeRow | CaseRow], stored: Set[int]
) -> None:
    """Set the outcome of each row's message: stored, duplicate, or rejected for a conflict. `stored`: numbers of the messages
    whose row was inserted; `table` has source, message_id and digest of the others."""
    refused = {(row.source, row.message_id) for row in rows if row.message not in stored}
    known: dict[tuple[str, str], bytes] = {}
    if refused:
        found = many(
            cursor,
            _ASK[table],
            sorted(refused),
        )
        known = {(source, identity): bytes(digest) for source, identity, digest in found}
    for row in rows:
        message = flush.messages[row.message]
        if row.message in stored:
            message.records_stored = 1
        elif known[(row.source, row.message_id)] == row.digest:
            message.outcome, message.records_duplicate = "duplicate", 1
        else:
            message.outcome, message.reason, message.field = "rejected", "conflict", "id"
            message.found, message.rule = row.message_id, "this id was used before with other content"
