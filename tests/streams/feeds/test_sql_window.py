"""The window behind a watermark, against a model of a source whose transactions commit in any order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.feeds import sql_window
from streams.feeds.sql_window import Window

OVERLAP_S = 60


@dataclass(frozen=True)
class Row:
    watermark: str
    key: str
    beyond: bool = True


class Table:
    """Rows by serial; a serial is taken at a time, and seen once its transaction has committed."""

    def __init__(self) -> None:
        self.taken: dict[int, float] = {}
        self.open: list[int] = []
        self.seen: list[int] = []
        self.late: set[int] = set()
        """Those that were open for longer than the window."""

    def take(self, now: float) -> None:
        n = len(self.taken) + 1
        self.taken[n] = now
        self.open.append(n)

    def commit(self, which: int, now: float) -> None:
        if self.open:
            n = self.open.pop(which % len(self.open))
            self.seen.append(n)
            if now - self.taken[n] >= OVERLAP_S:
                self.late.add(n)

    def after(self, window: Window, limit: int) -> list[Row]:
        had = set(window.had)
        floor = int(window.floor or 0)
        found = sorted(n for n in self.seen if n >= floor and (str(n), str(n)) not in had)
        return [Row(str(n), str(n), n > int(window.high or 0)) for n in found[:limit]]


EVENTS = st.lists(
    st.tuples(st.sampled_from(("take", "commit", "poll")), st.integers(0, 20), st.integers(0, 5)),
    max_size=120,
)


@given(EVENTS, st.integers(1, 4))
def test_what_commits_within_the_window_is_had_exactly_once(
    events: list[tuple[str, int, int]], limit: int
) -> None:
    table, now = Table(), 1000.0
    position: dict[str, Any] = {}
    had: list[str] = []

    def poll() -> bool:
        nonlocal position
        window = Window.of(json.loads(json.dumps(position)), "")  # as after a restart
        rows = table.after(window, limit)
        if rows:
            position = window.with_rows(rows, now, now, OVERLAP_S).position()
            had.extend(r.key for r in rows)
        return bool(rows)

    for what, passed, which in events:
        now += passed
        if what == "take":
            table.take(now)
        elif what == "commit":
            table.commit(which, now)
        else:
            poll()
    while table.open:
        table.commit(0, now)
    while poll():
        pass
    assert len(had) == len(set(had)), "none twice"
    assert {str(n) for n in table.taken if n not in table.late} <= set(had)


def test_ties_at_the_floor_are_remembered() -> None:
    window = Window.of({}, "5")
    assert (window.floor, window.high, window.had) == ("5", None, [])
    window = window.with_rows([Row("7", "a"), Row("7", "b")], 0, 0, OVERLAP_S)
    window = window.with_rows([Row("7", "c", beyond=False)], 100, 100, OVERLAP_S)
    assert (window.floor, window.seen) == ("7", ["a", "b"])
    window = window.with_rows([Row("6", "d", beyond=False)], 200, 200, OVERLAP_S)
    assert (window.high, window.seen) == ("7", ["a", "b", "c"])
    assert window.had == [("7", "a"), ("7", "b"), ("7", "c"), ("6", "d")]


def test_the_window_is_bounded() -> None:
    window, n = Window.of({}, ""), 0
    for _ in range(40):
        rows = [Row(str(n + i), str(n + i)) for i in range(500)]
        n += 500
        window = window.with_rows(rows, 0, 0, OVERLAP_S)
    assert len(window.had) <= sql_window.MOST_REMEMBERED + 1
    assert (window.high, window.floor) == ("19999", "9999")


def test_a_position_of_an_older_version_goes_on_where_it_was() -> None:
    window = Window.of({"watermark": "9", "seen": ["a"]}, "1")
    assert (window.floor, window.high, window.had) == ("9", "9", [("9", "a")])
