"""Sends a simulated day to the bus, each message when it is due."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import IO

from streams.feed.city import CityView
from streams.feed.sending import FeedStopped, Say, Sender, Sent, Sink, Stop
from streams.feed.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Limits:
    """When a simulation ends by itself: after so many messages, after so much time; None = never."""

    count: int | None = None
    minutes: float | None = None
    batch: int = 2000
    interval_s: float = 0.15


def simulate(
    city: CityView,
    sink: Sink,
    clock: Callable[[], datetime],
    seed: int,
    rate: float | None,
    speed: float,
    stop: Stop,
    say: Say,
    zone: tzinfo = UTC,
    opens: datetime | None = None,
    limits: Limits = Limits(),
    record: IO[bytes] | None = None,
) -> Sent:
    """Send a simulated day to `sink` until stopped or a limit is reached; return what was sent.

    Messages that waited while the bus was away are sent then, with their own times. Raises FeedRefused.
    """
    start = clock()
    world = Simulation(city, seed, start, rate, speed, zone, opens)
    sender = Sender(sink, stop, say, record)
    say(
        f"simulating {len(city.devices)} devices, {len(city.cameras)} cameras, {len(city.workers)} workers: "
        f"{world.natural_rate:.0f} readings/s, seed {seed}"
    )
    if world.unknown_types:
        say(f"no model for devices of type {', '.join(world.unknown_types)}: they stay silent")
    begin = sent_until = _us(start)
    end = math.inf if limits.minutes is None else begin + limits.minutes * 60_000_000
    left = math.inf if limits.count is None else limits.count
    shown = start
    try:
        while left > 0 and sent_until < end and not stop.is_set():
            now = clock()
            now_us = _us(now)
            behind = now_us - sent_until > _STEP_US
            sent_until = int(min(now_us, sent_until + _STEP_US, end))
            due = world.until(sent_until)
            if len(due) > left:
                due = due[: int(left)]
            left -= len(due)
            for i in range(0, len(due), limits.batch):
                part = due[i : i + limits.batch]
                sender.send([m.message for m in part], [m.line for m in part])
            if (now - shown).total_seconds() >= 60:
                shown = now
                sender.flush()
                late = f", {(now_us - sent_until) / 1e6:.0f} s behind" if behind else ""
                say(f"{sender.sent.messages} messages, {sender.sent.records} records sent{late}")
            if not behind and sent_until < end and left > 0:
                stop.wait(limits.interval_s)
    except FeedStopped as stopped:
        say(str(stopped))
    finally:
        sender.note(
            {
                "kind": "summary",
                "sent": sender.sent.messages,
                "sent_records": sender.sent.records,
                "retries": sender.sent.retries,
                **{f"sent_{k}": n for k, n in sender.sent.by_kind.items()},
            }
        )
        sender.flush()
    return sender.sent


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP_US = 1_000_000
"""Messages are made for at most a second at a time, so that a feed that fell behind keeps its size."""


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
