"""What a responsibility table covers: of which classes it names a unit everywhere, in a part of the city, or nowhere. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Coverage:
    """`cells`: pairs of a class of the catalogue and an area; `covered`: those for which the table names a unit."""

    classes: int
    everywhere: int
    partly: tuple[str, ...]
    nowhere: tuple[str, ...]
    cells: int
    covered: int


def _paths_up(area: str) -> frozenset[str]:
    """A path and those of all areas that hold it: a/b/ → a/b/, a/ and the empty one."""
    parts = area.rstrip("/").split("/")
    return frozenset("".join(f"{part}/" for part in parts[:n]) for n in range(len(parts) + 1))


def coverage(
    rows: Iterable[tuple[str, str, str]], classes: Collection[str], areas: Collection[str]
) -> Coverage:
    """Of rows (class, area path, period). Areas are looked at on the finest level that the table names, or above it where the city has
    none so fine; what holds only in
    a special period covers nothing for the rest of the year."""
    named: dict[str, set[str]] = {}
    for code, path, period in rows:
        if not period:
            named.setdefault(code, set()).add(path)
    depth = max((path.count("/") for paths in named.values() for path in paths), default=0)
    shown = {area for area in areas if area.count("/") <= depth}
    parents = {area[: area.rstrip("/").rfind("/") + 1] for area in shown}
    looked = shown - parents
    above = [_paths_up(area) for area in looked]
    held = {code: sum(not paths.isdisjoint(named.get(code, ())) for paths in above) for code in classes}
    whole = len(looked)
    partly = sorted(code for code, n in held.items() if 0 < n < whole)
    nowhere = sorted(code for code, n in held.items() if n == 0)
    return Coverage(
        len(held), len(held) - len(partly) - len(nowhere), tuple(partly), tuple(nowhere),
        whole * len(held), sum(held.values()),
    )  # fmt: skip
