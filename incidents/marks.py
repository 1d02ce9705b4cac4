"""标绘: a point, line or polygon with a word that people put on everybody's map for a while. Pure."""

from __future__ import annotations

import math
from typing import Final

from incidents.model import Rejected
from incidents.screen_commands import DrawMark

SHAPES: Final[dict[str, tuple[int, int]]] = {"point": (1, 1), "line": (2, 60), "polygon": (3, 60)}
"""Shape → fewest and most points; the ring of a polygon is closed by whoever draws it."""

MOST_WORD: Final = 40
MOST_MINUTES: Final = 24 * 60


def checked(command: DrawMark) -> tuple[tuple[float, float], ...]:
    """The points of a mark, 6 decimals (10 cm). Raises Rejected(field)."""
    if command.shape not in SHAPES:
        raise Rejected("field", f"shape={command.shape!r}: must be one of {', '.join(SHAPES)}", field="shape")
    low, high = SHAPES[command.shape]
    if not low <= len(command.points) <= high:
        raise Rejected(
            "field",
            f"points: {len(command.points)}; a {command.shape} has {low} to {high}",
            field="points",
        )
    for point in command.points:
        if len(point) != 2 or not all(map(math.isfinite, point)):
            raise Rejected("field", f"points={point!r}: must be [lon, lat]", field="points")
    word = command.word.strip()
    if not word or len(word) > MOST_WORD or not word.isprintable():
        raise Rejected(
            "field", f"word={word[:50]!r}: say what it is in at most {MOST_WORD} characters", field="word"
        )
    if not 1 <= command.minutes <= MOST_MINUTES:
        raise Rejected(
            "field", f"minutes={command.minutes}: must be from 1 to {MOST_MINUTES}", field="minutes"
        )
    return tuple((round(lon, 6), round(lat, 6)) for lon, lat in command.points)
