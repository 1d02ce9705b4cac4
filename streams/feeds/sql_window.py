"""The window behind a watermark: what is read again, and what of it was had already. Pure.

A transaction may take a serial (or a time) and commit after another that took a later one, so "greater than the greatest
had" loses rows. Every poll therefore begins at a floor: the greatest watermark as it was `overlap_s` before the last read.
A row that no read has seen was committed after the last of them; unless its transaction was open for longer than
`overlap_s`, it took its watermark after the floor was had, so it lies above it. That holds for serials and times alike,
needs no arithmetic with the source's types and no agreement of clocks, and however long we were away ourselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from streams.feeds.port import Position

MOST_REMEMBERED: Final = 10_000
"""Rows of the window: they are written with every position. Beyond that the floor rises early."""


class Marked(Protocol):
    """A row as far as the window is concerned; `beyond`: its watermark is greater than any had before."""

    @property
    def watermark(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def beyond(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Read:
    """One read: when it had ended (epoch seconds), the greatest watermark had by then, and its rows."""

    at: float
    high: str
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Window:
    """`high`: the greatest watermark had; `floor`: where reading begins, with the keys had of that very watermark
    (`seen`); `reads`: those since then. A row had is known by watermark and key: a changed row is another one."""

    high: str | None
    floor: str | None
    seen: Sequence[str] = ()
    reads: Sequence[Read] = ()

    @classmethod
    def of(cls, position: Position, start: str) -> Window:
        """From a position; one without a floor (of an older version) is its own."""
        high = position.get("watermark") or None
        reads = [Read(r["at"], r["high"], [(w, k) for w, k in r["rows"]]) for r in position.get("reads", ())]
        floor = position.get("floor", high) or start or None
        return cls(high, floor, list(position.get("seen", ())), reads)

    @property
    def had(self) -> list[tuple[str, str]]:
        """Watermark and key of every row had from the floor on."""
        at_floor = [] if self.floor is None else [(self.floor, key) for key in self.seen]
        return at_floor + [row for read in self.reads for row in read.rows]

    def with_rows(self, rows: Sequence[Marked], began: float, ended: float, overlap_s: float) -> Window:
        """With one more read of `rows` (some, in order) that took from `began` to `ended`."""
        last = rows[-1]
        high = last.watermark if last.beyond or self.high is None else self.high
        reads = [*self.reads, Read(ended, high, [(r.watermark, r.key) for r in rows])]
        floor, seen = self.floor, list(self.seen)
        total = sum(len(read.rows) for read in reads)
        while reads and (reads[0].at <= began - overlap_s or total > MOST_REMEMBERED):
            oldest = reads.pop(0)
            total -= len(oldest.rows)
            if oldest.high != floor:
                floor, seen = oldest.high, []
            seen += [key for watermark, key in oldest.rows if watermark == floor]
        return Window(high, floor, seen, reads)

    def position(self) -> dict[str, Any]:
        """As it is kept."""
        reads = [{"at": r.at, "high": r.high, "rows": [list(row) for row in r.rows]} for r in self.reads]
        return {"watermark": self.high, "floor": self.floor, "seen": list(self.seen), "reads": reads}
