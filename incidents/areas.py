"""The area tree: 市 – 区县 – 街道镇 – 社区村 – 责任网格 – 单元网格 (GB/T 30428.1: cells of about a hectare at its leaves)."""

from __future__ import annotations

from typing import Final

LEVELS: Final = ("city", "district", "town", "village", "duty_grid", "cell")
"""From the top; a city may leave levels out."""
