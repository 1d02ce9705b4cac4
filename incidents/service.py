"""The one door for commands and queries. HANDLERS and ANSWERS are the table of contents of the system.

(Interface first: handlers follow in this session.)
"""

from __future__ import annotations

from typing import Any, Protocol

from incidents.model import Actor


class Service(Protocol):
    """What screens and HTTP routes may ask for. Thread-safe."""

    def handle(self, command: object, actor: Actor, channel: str) -> dict[str, Any]:
        """Carry out a command of `incidents.commands.COMMANDS`; raises Rejected."""

    def ask(self, query: object, actor: Actor) -> Any:
        """Answer a query of `incidents.commands.QUERIES`, JSON-ready; raises Rejected."""
