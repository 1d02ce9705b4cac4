"""Reports for bench `merging`: a file of citizens' reports, what is injected into it, and random scenes for the oracle."""

from __future__ import annotations

import csv
import gzip
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from incidents.occurrence import Occurrence, Report, in_order
from tests.bench.merging_oracle import EARTH_M, Known, Voice

MOST_M: Final = 50.0
MOST_H: Final = 48.0
APART_M: Final = (100.5, 300.0)
EPOCH: Final = datetime(2026, 3, 1, tzinfo=UTC)


def read(path: Path) -> list[Report]:
    """Rows of a file with the columns of the Stuttgart one, gzipped or not; a row's number is its id.

    Coordinates that are none at all are no point; those far out are places like any other.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    rows: list[Report] = []
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            at = datetime.fromisoformat(row["first_seen_at_timestamp"])
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
            lon, lat = point(row["lon"], row["lat"])
            rows.append(Report(number, at, lon, lat, row["category"], address=row["location"]))
    return rows


def point(lon: str, lat: str) -> tuple[float, float] | tuple[None, None]:
    """Degrees, or no point."""
    try:
        x, y = float(lon), float(lat)
    except ValueError:
        return None, None
    return (x, y) if abs(x) <= 180 and abs(y) <= 90 else (None, None)


def moved(lon: float, lat: float, metres: float, bearing: float) -> tuple[float, float]:
    """The point so many metres away on the great circle; bearing in radians from north."""
    angle, y, x = metres / EARTH_M, math.radians(lat), math.radians(lon)
    north = math.asin(math.sin(y) * math.cos(angle) + math.cos(y) * math.sin(angle) * math.cos(bearing))
    east = math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(y), math.cos(angle) - math.sin(y) * math.sin(north)
    )
    return (math.degrees(x + east) + 540) % 360 - 180, math.degrees(north)


@dataclass(frozen=True, slots=True)
class Injected:
    """Reports put into a file: each with the row it was made from."""

    reports: tuple[Report, ...]
    original: dict[int, int]
    duplicates: frozenset[int]


def inject(rows: Sequence[Report], count: int, seed: int) -> Injected:
    """`count` duplicates (same category, moved up to 50 m, up to 48 h later) and as many near-misses: every other one of
    another category at such a place and time, the rest of the same category 100.5 to 300 m away. Every original once.

    Half of all keep the original's address; the others come without one.
    """
    rng = random.Random(seed)
    kinds = sorted({row.kind for row in rows})
    made: list[Report] = []
    original: dict[int, int] = {}
    chosen = rng.sample([row for row in rows if row.lon is not None], 2 * count)
    first = len(rows) + 1
    for number, row in enumerate(chosen):
        other_kind = number >= count and number % 2 == 0
        far = number >= count and not other_kind
        metres = rng.uniform(*APART_M) if far else MOST_M * math.sqrt(rng.random())
        assert row.lon is not None and row.lat is not None
        lon, lat = moved(row.lon, row.lat, metres, rng.uniform(0, 2 * math.pi))
        later = timedelta(seconds=rng.randrange(1, int(MOST_H * 3600) + 1))
        kind = rng.choice([k for k in kinds if k != row.kind]) if other_kind else row.kind
        address = row.address if rng.random() < 0.5 else ""
        made.append(
            replace(row, id=first + number, at=row.at + later, lon=lon, lat=lat, kind=kind, address=address)
        )
        original[first + number] = row.id
    return Injected(tuple(made), original, frozenset(report.id for report in made[:count]))


def voice(report: Report) -> Voice:
    """As the oracle knows a report."""
    place = None if report.lon is None or report.lat is None else (report.lon, report.lat)
    seconds = round((report.at - EPOCH).total_seconds())
    return Voice(report.id, seconds, place, report.kind, report.text, report.address)


def known(occurrence: Occurrence) -> Known:
    """As the oracle knows an occurrence."""
    return Known(
        occurrence.id, occurrence.kind, tuple(map(voice, occurrence.sources)), frozenset(occurrence.apart)
    )


WORDS: Final = (
    "路灯", "不亮", "窨井盖", "破损", "松动", "垃圾", "没人", "清运", "下水道", "堵塞", "污水", "外溢", "噪音", "扰民",
    "半夜", "施工", "占道", "经营", "路面", "积水", "很深", "车辆", "乱停", "wifi", "lamp", "broken", "3号楼", "电梯",
    "停运", "请", "尽快", "处理",
)  # fmt: skip
ADDRESSES: Final = ("", "", "人民路12号", "人民路 12号", "建设路口", "Ring Rd 5")
KINDS: Final = ("0101", "0101", "0101", "0202", "")


def words(rng: random.Random, other: str) -> str:
    """Nothing, something new, or the words of another with some changed."""
    chance = rng.random()
    if chance < 0.3:
        return ""
    if chance < 0.65 and other:
        kept = [word for word in other.split() if rng.random() < 0.75]
        return " ".join([*kept, rng.choice(WORDS)])
    return " ".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 7)))


def scene(rng: random.Random) -> tuple[Report, list[Occurrence]]:
    """A report, and one to four open occurrences around it, as near and as far that every rule matters."""
    lon, lat = rng.uniform(-179, 179), rng.uniform(-60, 60)
    spread = rng.choice((20.0, 60.0, 150.0))
    ids = iter(range(1, 100))
    text = " ".join(rng.choice(WORDS) for _ in range(4))

    def report(at: float) -> Report:
        place = moved(lon, lat, abs(rng.gauss(0, spread)), rng.uniform(0, 2 * math.pi))
        known_place = rng.random() < 0.92
        return Report(
            next(ids), EPOCH + timedelta(seconds=round(at * 3600)), place[0] if known_place else None,
            place[1] if known_place else None, rng.choice(KINDS), words(rng, text), rng.choice(ADDRESSES),
        )  # fmt: skip

    subject = report(0.0)
    every: list[Occurrence] = []
    for number in range(rng.randrange(1, 5)):
        begin = rng.choice((-30.0, -100.0, -450.0)) * rng.random()
        # Long lives need many sources, or none of their gaps would be short enough for the end to matter.
        count = rng.choice((1, 2, 4, 4 if begin > -200 else 16))
        sources = [report(rng.uniform(begin, 10.0)) for _ in range(count)]
        apart = frozenset({subject.id}) if rng.random() < 0.08 else frozenset[int]()
        every.append(Occurrence(number + 1, rng.choice(KINDS), in_order(sources), apart))
    return subject, every
