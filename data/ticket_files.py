"""Reads a city's own file of past tickets: text, class, lat, lon, created, unit. Nothing in it may stop whoever reads it:
what cannot be used is counted by what is wrong with it."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from incidents.dispatch_model import Asked, Outcome

COLUMNS: Final = ("text", "class", "lat", "lon", "created", "unit")
NEEDED: Final = ("created", "unit")
"""Without the others it can be read, as long as one of them tells something."""
LONGEST: Final = 4000
ENCODINGS: Final = ("utf-8-sig", "gb18030")
"""Tried in this order; spreadsheets of Chinese offices write the second."""
OTHER_FORMATS: Final = (
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%Y/%m/%d",
    "%m/%d/%Y", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y%m%d%H%M%S", "%Y%m%d", "%Y.%m.%d %H:%M:%S",
    "%Y.%m.%d %H:%M", "%Y.%m.%d",
)  # fmt: skip
_CHINESE: Final = re.compile(
    r"(\d{4})\s*[年/.-]\s*(\d{1,2})\s*[月/.-]\s*(\d{1,2})\s*[日号]?\s*(?:(?:星期|周)[一二三四五六日天])?\s*"
    r"(凌晨|早上|上午|中午|下午|晚上)?\s*(?:(\d{1,2})\s*[时点:：](?:\s*(\d{1,2})\s*分?)?(?:\s*[:：]?\s*(\d{1,2})\s*秒?)?)?"
)
_AFTER_NOON: Final = ("下午", "晚上")


class BadFile(ValueError):
    """A file that is no table of incidents; the text names file, value and rule."""


def moment(text: str) -> datetime | None:
    """A moment in ISO 8601, in seconds or milliseconds since 1970, or as spreadsheets write it; aware, None when none."""
    text = text.strip()
    if re.fullmatch(r"\d{9,13}(\.\d+)?", text):
        seconds = float(text)
        return _since_1970(seconds / 1000 if seconds > 1e11 else seconds)
    try:
        found = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError:
        other = next((f for form in OTHER_FORMATS if (f := _by(text, form))), None) or _chinese(text)
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


def _chinese(text: str) -> datetime | None:
    """2019年3月5日 下午2时30分, in digits of any width; half days count twelve hours."""
    found = _CHINESE.fullmatch(text)
    if found is None:
        return None
    year, month, day, half, hour, minute, second = found.groups()
    hours = int(hour or 0)
    hours += 12 if half in _AFTER_NOON and 1 <= hours < 12 else 0
    hours = 0 if half in ("凌晨", "上午") and hours == 12 else hours
    try:
        return datetime(
            int(year), int(month), int(day), hours, int(minute or 0), int(second or 0), tzinfo=UTC
        )
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


def _plain(path: Path) -> str:
    """The text of a file, packed or not. A byte that fits no encoding costs one character, not the file."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    for encoding in ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    # Neither holds throughout: the one that loses less is meant.
    return min(
        (raw.decode(encoding, errors="replace") for encoding in ENCODINGS), key=lambda t: t.count("\ufffd")
    )


def _lines(path: Path) -> Iterator[dict[str, str]]:
    try:
        text = _plain(path).replace("\x00", "")
    except (OSError, EOFError, zlib.error) as error:
        raise BadFile(f"{path.name}: must be a CSV, plain or packed by gzip: {error}") from None
    csv.field_size_limit(16_000_000)
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    header = [cell.strip().lower() for cell in next(reader, [])]
    missing = [name for name in NEEDED if name not in header]
    if missing or not set(header) & set(COLUMNS).difference(NEEDED):
        lacking = ", ".join(missing) or f"one of {', '.join(n for n in COLUMNS if n not in NEEDED)}"
        raise BadFile(f"{path.name}: columns={header}: must hold {lacking}")
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = []
        yield dict(zip(header, cells, strict=False))


def read(path: Path) -> tuple[list[Outcome], dict[str, int]]:
    """Outcomes in order of time, and counts: `rows`, and by fault those left out or taken without a place. Raises BadFile."""
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
