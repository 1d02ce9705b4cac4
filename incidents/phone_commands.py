"""Commands and queries of the phone alone. See `incidents/commands.py`."""

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


@dataclass(frozen=True, slots=True)
class OwnCells:
    """The cells of the own area with code, area and outline (EPSG:4326), and the names of the areas above: what a phone
    keeps to tell, without signal, where it is. None at all when the area has more than `most` cells."""


COMMANDS: Final[dict[str, type]] = {"note_receipt": NoteReceipt}
QUERIES: Final[dict[str, type]] = {"own_cells": OwnCells}
ACTION_OF: Final[dict[str, str]] = {"note_receipt": "order.receipt", "own_cells": "map.see"}
"""Command or query → right, see incidents/access.py."""
