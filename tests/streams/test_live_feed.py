"""The messenger to the live state: newest per key, never in the way, nothing owed is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from streams import live_feed
from streams.live_feed import LiveFeed

pytestmark = pytest.mark.timeout(30, func_only=True)


class Away(Exception):
    """The live state cannot be reached."""


class State:
    """What screens would see; away for the first `fails` calls."""

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.calls = 0
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.during_failure: list[Any] = []

    def apply(self, set_items: Iterable[Any] = (), del_keys: Iterable[tuple[str, str]] = ()) -> None:
        self.calls += 1
        if self.calls <= self.fails:
            for action in self.during_failure:
                action()
            self.during_failure = []
            raise Away
        self.items.update({(item["kind"], item["key"]): item for item in set_items})
        for key in del_keys:
            self.items.pop(key, None)


def device(key: str, t: int) -> dict[str, Any]:
    return {"kind": "device", "key": key, "t": t}


def run_until(feed: LiveFeed, done: Any) -> None:
    """Run the messenger until `done()`."""
    stop = threading.Event()
    feed.run(stop, lambda: stop.set() if done() else None)


def test_the_newest_of_each_thing_arrives() -> None:
    state = State()
    feed = LiveFeed(state, (Away,))
    for t in range(100):
        feed.put([device("a", t), device("b", -t)])
    feed.put([], [("device", "b")])
    run_until(feed, lambda: state.items)
    assert state.items == {("device", "a"): device("a", 99)} and state.calls == 1


def test_what_could_not_be_shown_is_shown_later_unless_newer_came() -> None:
    state = State(fails=1)
    feed = LiveFeed(state, (Away,))
    state.items = {("warning", "w"): {"kind": "warning", "key": "w"}, ("device", "d"): device("d", 0)}
    feed.put([device("a", 1), device("b", 1), device("c", 1)], [("warning", "w"), ("device", "d")])
    state.during_failure = [lambda: feed.put([device("b", 2), device("d", 2)], [("device", "c")])]
    run_until(feed, lambda: state.calls > 1)
    assert state.items == {("device", k): device(k, t) for k, t in (("a", 1), ("b", 2), ("d", 2))}


def test_values_of_devices_rest_and_warnings_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "REST", 1e9)
    state = State()
    feed = LiveFeed(state, (Away,))
    stop = threading.Event()
    warning = {"kind": "warning", "key": "w"}

    def often() -> None:
        if state.calls == 1:  # the first values have gone: now they rest
            feed.put([device("a", 2), warning])
        elif state.calls == 2:
            stop.set()

    feed.put([device("a", 1)])
    feed.run(stop, often)
    assert state.items == {("device", "a"): device("a", 1), ("warning", "w"): warning}


def test_a_rest_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "REST", 0.5)
    state = State()
    feed = LiveFeed(state, (Away,))
    stop = threading.Event()

    def often() -> None:
        if state.calls < 3:
            feed.put([device("a", state.calls)])
        else:
            stop.set()

    feed.put([device("a", 0)])
    feed.run(stop, often)
    assert state.items == {("device", "a"): device("a", 2)}


def test_a_citys_worth_of_values_goes_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait longest first; a newer value takes the place of the older one; all arrive."""
    monkeypatch.setattr(live_feed, "REST", 0.0)
    monkeypatch.setattr(live_feed, "AT_ONCE", 3)
    pieces: list[list[str]] = []

    class Counted(State):
        def apply(self, set_items: Any = (), del_keys: Any = ()) -> None:
            pieces.append([item["key"] for item in set_items])
            super().apply(set_items, del_keys)

    state = Counted()
    feed = LiveFeed(state, (Away,))
    stop = threading.Event()
    feed.put([device(name, 0) for name in "abcdefgh"])
    feed.put([device("b", 1), device("i", 1)])
    feed.run(stop, lambda: stop.set() if len(state.items) == 9 else None)
    assert pieces == [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]]
    assert state.items[("device", "b")] == device("b", 1)
