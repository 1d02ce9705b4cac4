"""The wall's designs as data: a fixed place for everything at each size, and what each scene puts there.

A rectangle is (x, y, width, height) in pixels of the design. Every panel lies inside one cell of the wall (`SIZES` in
incidents/screens.py), 20 pixels from its edges, so that no word and no ring crosses a seam; the map may span cells, and
map/seams.mjs keeps its symbols and words off the seams. `scale`: how much larger than at 1920×1080 a panel's content is drawn,
because a larger wall is read from farther away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from incidents.screens import SIZES

Rect = tuple[int, int, int, int]

GAP: Final = 14
EDGE: Final = 20
"""Between a panel and the edge of its cell."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One size. `slots`: where panels go, the most important first; `over`: where alert and records lie, `foot`: where legend
    and note do (what is shown and why), each inside one cell of the map; `note`: a place of its own for the note."""

    name: str
    width: int
    height: int
    strip: Rect
    strip_scale: float
    map: Rect
    map_scale: float
    over: Rect
    foot: Rect
    slots: tuple[Rect, ...]
    tiles: Rect
    tile_columns: int
    scale: float
    note: Rect | None = None


def grid(area: Rect, columns: int, rows: int) -> tuple[Rect, ...]:
    """`area` cut into equal rectangles with gaps, row by row."""
    x, y, width, height = area
    w, h = (width - GAP * (columns - 1)) // columns, (height - GAP * (rows - 1)) // rows
    return tuple((x + c * (w + GAP), y + r * (h + GAP), w, h) for r in range(rows) for c in range(columns))


def _hd() -> Profile:
    left = grid((20, 334, 436, 534), 1, 3)
    right = grid((1430, 106, 470, 762), 1, 2)
    return Profile(
        "1920x1080", 1920, 1080, strip=(0, 0, 1920, 92), strip_scale=1, map=(470, 106, 946, 762), map_scale=1.35,
        over=(470, 106, 946, 762), foot=(470, 806, 946, 62), slots=((20, 106, 436, 214), *right, *left), tiles=(20, 882, 1880, 178),
        tile_columns=8, scale=1,
    )  # fmt: skip


def _double() -> Profile:
    second = grid((1940, 20, 1880, 848), 3, 2)
    return Profile(
        "3840x1080", 3840, 1080, strip=(0, 0, 1900, 92), strip_scale=1, map=(20, 106, 1396, 954), map_scale=1.5,
        over=(20, 106, 1396, 954), foot=(20, 998, 1396, 62), slots=((1430, 106, 470, 214), (1430, 334, 470, 726), *second),
        tiles=(1940, 882, 1880, 178), tile_columns=8, scale=1,
    )  # fmt: skip


def _uhd() -> Profile:
    upper = grid((1940, 20, 1880, 1040), 3, 2)
    lower = grid((1940, 1100, 1880, 550), 3, 1)
    return Profile(
        "3840x2160", 3840, 2160, strip=(0, 0, 1900, 102), strip_scale=1.1, map=(20, 116, 1880, 2024), map_scale=1.8,
        over=(20, 116, 1880, 944), foot=(20, 2060, 1880, 80), slots=(*upper, *lower), tiles=(1940, 1664, 1880, 476), tile_columns=4, scale=1.3,
    )  # fmt: skip


def _triple() -> Profile:
    first = grid((20, 20, 1880, 1040), 2, 2)
    below = grid((20, 1100, 1880, 514), 2, 1)
    right, right_below = grid((3860, 20, 1880, 1040), 2, 1), grid((3860, 1100, 1880, 1040), 2, 1)
    return Profile(
        "5760x2160", 5760, 2160, strip=(1940, 0, 1880, 102), strip_scale=1.1, map=(1940, 116, 1880, 2024),
        map_scale=2, over=(1940, 116, 1880, 944), foot=(1940, 2054, 1880, 86),
        slots=(first[0], *right, *first[1:], right_below[0], *below, right_below[1]),
        tiles=(20, 1628, 1880, 512), tile_columns=4, scale=1.4,
    )  # fmt: skip


def _led() -> Profile:
    first = grid((20, 20, 1624, 856), 2, 2)
    below = grid((20, 916, 1624, 401), 2, 1)
    right, right_below = grid((5012, 20, 1624, 856), 2, 1), grid((5012, 916, 1624, 856), 2, 1)
    return Profile(
        "6656x1792", 6656, 1792, strip=(1684, 0, 1624, 92), strip_scale=0.86, map=(1684, 106, 3288, 1666), map_scale=1.9,
        over=(1684, 106, 1624, 770), foot=(1684, 1698, 1624, 74), slots=(first[0], *right, *first[1:], right_below[0], *below, right_below[1]),
        tiles=(20, 1331, 1624, 441), tile_columns=4, scale=1.2, note=(3348, 16, 1624, 60),
    )  # fmt: skip


PROFILES: Final[dict[str, Profile]] = {
    profile.name: profile for profile in (_hd(), _double(), _uhd(), _triple(), _led())
}

THEMES: Final[dict[str, tuple[str, ...]]] = {
    "municipal": ("C01", "C02", "C05", "E02", "E03", "E05", "M02", "M05", "V0102", "V0104"),
    "safety": ("C0303", "E04", "M01", "M03", "M0502", "M07", "V0101", "V0103", "V0105", "V0106", "V0108"),
    "environment": ("C03", "C04", "E01", "M04", "M06", "V0107"),
}
"""Theme → the classes it watches, by the beginning of their codes; the longest beginning decides."""

_EVERY: Final = ("trend-0", "trend-1", "trend-2", "late", "units", "themes", "devices", "trend-3")
_THEME: Final = (
    "theme", "worst", "newest", "units", "trend-1", "trend-0", "late", "counts", "devices", "themes",
)  # fmt: skip

PANELS_OF: Final[dict[str, tuple[str, ...]]] = {
    "overview": ("counts", "worst", "newest", *_EVERY),
    "municipal": _THEME,
    "safety": _THEME,
    "environment": _THEME,
    "emergency": (
        "focus", "worst", "newest", "units", "trend-0", "devices", "late", "counts", "themes", "trend-1",
    ),
    "night": (
        "counts", "worst", "newest", "devices", "trend-0", "units", "late", "trend-2", "themes", "trend-1",
    ),
}  # fmt: skip
"""Scene → its panels, the most important first: a size takes as many as it has slots."""

PANELS: Final = tuple(dict.fromkeys(panel for panels in PANELS_OF.values() for panel in panels))


def design() -> dict[str, Any]:
    """All of it for the browser, JSON-ready: {profiles: {name: …}, cells: {name: {columns, rows, seam_px}}, panels: {scene:
    […]}, themes: {theme: […]}}."""
    cells = {
        name: {"columns": columns, "rows": rows, "seam_px": 8} for name, (columns, rows) in SIZES.items()
    }
    told: dict[str, Any] = msgspec.to_builtins(
        {"profiles": PROFILES, "cells": cells, "panels": PANELS_OF, "themes": THEMES}
    )
    return told
