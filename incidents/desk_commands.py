"""Commands and queries of the desk itself: vital signs of the city (S07), and views that people keep. See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class SaveView:
    """Keep how a page is set (filter, sorting, columns, layers, view of the map) under a name; the same name replaces it.

    `shared`: everybody of the account's unit sees it too. `content` is the page's own, at most 20 kB of JSON.
    """

    page: str
    name: str
    content: dict[str, Any] = field(default_factory=dict)
    shared: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class DeleteView:
    """Forget a view of one's own."""

    id: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class SavedViews:
    """The views of a page: one's own, then those that colleagues of the unit share, by name."""

    page: str = "desk"


@dataclass(frozen=True, slots=True)
class Vitals:
    """The five domains of the city's vital signs: value, unit, target, limit, formula, data time, trend of a day."""


@dataclass(frozen=True, slots=True)
class VitalRecords:
    """What one vital sign was counted from, the worst first, at most `limit`."""

    id: str
    limit: int = 100


COMMANDS: Final[dict[str, type]] = {"save_view": SaveView, "delete_view": DeleteView}
QUERIES: Final[dict[str, type]] = {
    "saved_views": SavedViews,
    "vitals": Vitals,
    "vital_records": VitalRecords,
}
ACTION_OF: Final[dict[str, str]] = {
    "save_view": "view.keep",
    "delete_view": "view.keep",
    "saved_views": "view.keep",
    "vitals": "vital.see",
    "vital_records": "vital.see",
}
"""Command or query → right, see incidents/access.py."""
