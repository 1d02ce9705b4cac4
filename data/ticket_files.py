"""Reads a city's own file of past tickets: text, class, lat, lon, created, unit. Nothing in it may stop whoever reads it:
what cannot be used is counted by what is wrong with it."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from incidents.dispatch_model import Asked, Outcome

COLUMNS: Final = ("text", "class", "lat", "lon", "created", "unit")
LONGEST: Final = 4000
OTHER_FORMATS: Final = (
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%Y/%m/%d",
    "%m/%d/%Y", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y%m%d%H%M%S", "%Y%m%d",
)  # fmt: skip


def moment(text: str) -> datetime | None:
    """A moment in ISO 8601, in seconds or milliseconds since 1970, or as spreadsheets write it; aware, None when none."""
    text = text.strip()
    if re.fullmatch(r"\d{9,13}(\.\d+)?", text):
        seconds = float(text)
        return _since_1970(seconds / 1000 if seconds > 1e11 else seconds)
    try:
        found = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError:
        other = next((f for form in OTHER_FORMATS if (f := _by(text, form))), None)
        if other is None:
            return None
        found = other
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if 1970 < found.year < 2200 else None


def _since_1970(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _by(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None


def degrees(lat: str, lon: str) -> tuple[float, float] | None:
    """(lon, lat); None when missing, not a number, 0/0 or not on Earth."""
    try:
        y, x = float(lat.replace(",", ".")), float(lon.replace(",", "."))
    except ValueError:
        return None
    on_earth = -90 <= y <= 90 and -180 <= x <= 180
    return (x, y) if on_earth and (abs(x) > 1e-6 or abs(y) > 1e-6) else None


def _lines(path: Path) -> Iterator[dict[str, str]]:
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    # A byte that is no UTF-8 costs one character, not the file.
    text = raw.decode("utf-8-sig", errors="replace").replace("\x00", "")
    csv.field_size_limit(16_000_000)
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    header = [cell.strip().lower() for cell in next(reader, [])]
    missing = [name for name in ("created", "unit") if name not in header]
    if missing:
        raise ValueError(f"columns {header}: must have {', '.join(missing)}")
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = []
        yield dict(zip(header, cells, strict=False))


def read(path: Path) -> tuple[list[Outcome], dict[str, int]]:
    """Outcomes in order of time, and counts: `rows`, and by fault those left out or taken without a place."""
    counts: Counter[str] = Counter()
    seen: set[tuple[str, ...]] = set()
    found: list[Outcome] = []
    for row in _lines(path):
        counts["rows"] += 1
        values = {name: (row.get(name) or "").strip() for name in COLUMNS}
        created, unit = moment(values["created"]), values["unit"]
        key = tuple(values.values())
        if not any(key):
            counts["left out: empty"] += 1
        elif created is None:
            counts["left out: no time"] += 1
        elif not unit:
            counts["left out: no unit"] += 1
        elif key in seen:
            counts["left out: repeated"] += 1
        else:
            seen.add(key)
            place = degrees(values["lat"], values["lon"])
            counts["without a place"] += place is None
            counts["without a class"] += not values["class"]
            counts["without a text"] += not values["text"]
            lon, lat = place or (None, None)
            found.append(
                Outcome(Asked(created, values["text"][:LONGEST], values["class"], lon=lon, lat=lat), unit)
            )
    found.sort(key=lambda outcome: outcome.asked.at)
    counts["used"] = len(found)
    return found, dict(counts)
