"""Commands and queries about replies to who reported (S10). See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class TellReporter:
    """已告知: whoever called a desk was told the reply, or could not be reached; `note` says how, or why not."""

    id: int
    """The reply's number."""
    reached: bool
    note: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class RepliesWaiting:
    """Replies that a person has to tell, oldest first: of which incident, the words, through which channel they came."""

    limit: int = 100


COMMANDS: Final[dict[str, type]] = {"tell_reporter": TellReporter}
QUERIES: Final[dict[str, type]] = {"replies_waiting": RepliesWaiting}
ACTION_OF: Final[dict[str, str]] = {
    "tell_reporter": "incident.call_back",
    "replies_waiting": "incident.call_back",
}
"""Command or query → right, see incidents/access.py."""
