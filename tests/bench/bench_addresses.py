"""Addresses as people say and type them, read against the sample city's book and held against where the houses stand (S20).

Right: no farther from the truth than the answer's own precision, or 50 m. What has no place must stay unresolved.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Final

from data.sample_city import read_city
from data.sample_city.house_numbers import Streets, addresses
from gis.cells import CellIndex, distance_m
from incidents.address_book import AddressBook
from incidents.address_reading import Resolution, resolve
from tests.bench.bench_spine import percentile
from tests.bench.frame import Bench, Figures
from tests.bench.noisy_addresses import Said, corpus
from tests.product import ROOT

GOALS: Final = {"precision": 0.995, "recall_without_slips": 0.97}
SEEDS: Final = (11, 12, 13)
FILES: Final = ROOT / "data" / "sample_city" / "files"
WITHIN_M: Final = 50.0


def sample_book(files: Path = FILES) -> tuple[Streets, AddressBook, list[Said]]:
    """The sample city's streets and book, and a corpus of 3,000 texts of seed 1."""
    streets, book, rows, names = _city(files)
    return streets, book, corpus(streets, rows, names, 3000, 1)


def _city(files: Path):  # type: ignore[no-untyped-def]
    areas = list(read_city.read_areas(files))
    cells = [a for a in areas if a.level == "cell"]
    index = CellIndex([c.code for c in cells], [c.geometry for c in cells])
    streets = Streets(read_city.read_road_edges(files))
    rows = [
        a
        for a, _ in addresses(
            streets, read_city.read_places(files), areas, index, {c.code: c.path for c in cells}
        )
    ]
    names = {a.path: a.name for a in areas if a.level in ("city", "district", "town", "village")}
    return streets, AddressBook.of(rows, names.items()), rows, names


def right(said: Said, read: Resolution) -> bool:
    """A found place that is the true one."""
    found = read.found
    return (
        found is not None
        and said.lon is not None
        and said.lat is not None
        and distance_m(said.lon, said.lat, found.lon, found.lat) <= max(WITHIN_M, found.precision_m)
    )


def run(bench: Bench) -> Figures:
    """Three corpora of seeds that nothing was chosen on."""
    streets, book, rows, names = _city(FILES)
    said = [
        one for seed in SEEDS for one in corpus(streets, rows, names, 1000 if bench.quick else 10_000, seed)
    ]
    read, taken = [], []
    for one in said:
        began = time.perf_counter()
        read.append(resolve(one.text, book))
        taken.append((time.perf_counter() - began) * 1000)
    both = list(zip(said, read, strict=True))
    known = [(s, r) for s, r in both if s.lon is not None]
    plain = [(s, r) for s, r in known if "slip" not in s.noise]
    slips = [(s, r) for s, r in known if "slip" in s.noise]
    found = [(s, r) for s, r in both if r.found]
    first = sum(bool(r.candidates) and right(s, Resolution(r.candidates[0])) for s, r in slips if not r.found)
    figures: Figures = {
        "texts": len(said),
        "precision": round(sum(right(s, r) for s, r in found) / len(found), 5),
        "recall": round(sum(right(s, r) for s, r in known) / len(known), 4),
        "recall_without_slips": round(sum(right(s, r) for s, r in plain) / len(plain), 4),
        "recall_of_slips": round(sum(right(s, r) for s, r in slips) / len(slips), 4),
        "slips_whose_first_candidate_is_right": round(first / max(1, sum(not r.found for _, r in slips)), 4),
        "placeless_kept_unresolved": round(
            sum(r.found is None for s, r in both if s.lon is None) / sum(s.lon is None for s, _ in both), 4
        ),
        "unresolved": dict(Counter(r.why for _, r in known if not r.found).most_common()),
        "ms_p50": percentile(taken, 0.5),
        "ms_p99": percentile(taken, 0.99),
        "addresses": len(rows),
    }
    for s, r in [(s, r) for s, r in found if not right(s, r)][:5]:
        bench.say(f"wrong: {s.text!r} read as {r.found.address if r.found else ''}")
    bench.say(str(figures))
    return figures
