"""Commands of the phone that are no step of an incident's way. See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class NoteReceipt:
    """回执: the phone of whoever holds an incident's order has it (`state` delivered) or shows it (seen), since `at` by the
    phone's clock. Said again it changes nothing; of an order that is over nothing is noted."""

    id: int
    state: str
    at: datetime | None = None
    key: str = ""


COMMANDS: Final[dict[str, type]] = {"note_receipt": NoteReceipt}
ACTION_OF: Final[dict[str, str]] = {"note_receipt": "order.receipt"}
"""Command → right, see incidents/access.py."""
