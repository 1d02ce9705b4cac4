"""What is known of a grid cell (S18). See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CELL_DAYS: Final = 30
"""So many days back, incidents and what people said are counted."""


@dataclass(frozen=True, slots=True)
class CellCard:
    """单元网格: by `code`, or the one that holds a point (EPSG:4326 degrees): its areas from the city down, who is
    responsible, and what is counted in it: 人 (null: nobody has registered them), 地, 事, 物, 情."""

    code: str = ""
    lon: float | None = None
    lat: float | None = None


QUERIES: Final[dict[str, type]] = {"cell": CellCard}
ACTION_OF: Final[dict[str, str]] = {"cell": "map.see"}
"""Query → right, see incidents/access.py."""
