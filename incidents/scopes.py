"""The scope of a live item: what decides who may see it. One line of text, so that it travels with the item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def scope_of(item: Mapping[str, Any]) -> str:
    """Who may see an item is decided by its area, unit and worker, and the units that assist: joined by tabs."""
    whose = [str(item.get(name) or "") for name in ("area", "unit", "worker")]
    return "\t".join((*whose, *map(str, item.get("assisting") or ())))
