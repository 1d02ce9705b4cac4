"""What photos look like, as numbers that can be compared: dHash, made by a timer of whatever photo has none."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, UnidentifiedImageError

from data.database import Database

STEP: Final = 20
_SIDE: Final = 8


def dhash(content: bytes) -> int | None:
    """64 bits, signed: of an 8 × 8 grid, whether each field is darker than the one to its right. None: not a picture."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            grey = picture.convert("L").resize((_SIDE + 1, _SIDE), Image.Resampling.LANCZOS).tobytes()
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None
    rows = [grey[begin : begin + _SIDE + 1] for begin in range(0, len(grey), _SIDE + 1)]
    bits = "".join(
        "1" if left < right else "0" for row in rows for left, right in zip(row, row[1:], strict=False)
    )
    return int.from_bytes(int(bits, 2).to_bytes(8, "big"), "big", signed=True)


def look_at_photos(database: Database) -> int:
    """Note the likeness of photos that have none; returns of how many."""
    waiting = database.query(
        "SELECT p.sha256, p.bytes FROM photos p LEFT JOIN photo_likeness l USING (sha256) WHERE l.sha256 IS NULL"
        " ORDER BY p.stored_at LIMIT %s",
        (STEP,),
    )
    with database.transaction() as cursor:
        for sha256, content in waiting:
            cursor.execute(
                "INSERT INTO photo_likeness (sha256, likeness) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (sha256, dhash(bytes(content))),
            )
    return len(waiting)
