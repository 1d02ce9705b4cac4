"""How far the clocks of devices are from the broker's: the least delay of a minute's messages of each device.

A delay is the broker's append time less the message's own time: the way here plus what the device's clock is behind. The
least of many has the shortest way, so that data sent late does not count; a clock that is ahead shows as a negative one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger()

EVERY_S = 60.0
MOVED_S = 0.5
"""A skew that moved by less, and by less than a tenth, is not written again (but once an hour)."""

WHOLE_EVERY = 60


class Skews:
    """`note` from any thread; `run` in one thread until `stop` is set. Best effort: a minute may be missed."""

    def __init__(
        self, write: Callable[[Mapping[int, float]], None], away: tuple[type[Exception], ...]
    ) -> None:
        self._write = write
        self._away = away
        self._lock = threading.Lock()
        self._least: dict[int, float] = {}
        self._written: dict[int, float] = {}

    def note(self, delays: Mapping[int, float]) -> None:
        """Least delays (s) of a flush by device number."""
        with self._lock:
            least = self._least
            for device, delay in delays.items():
                known = least.get(device)
                if known is None or delay < known:
                    least[device] = delay

    def run(self, stop: threading.Event, every_s: float = EVERY_S) -> None:
        """Write what a minute has shown that was not known."""
        turns = 0
        while not stop.wait(every_s):
            with self._lock:
                least, self._least = self._least, {}
            turns += 1
            if turns % WHOLE_EVERY == 0:
                self._written.clear()
            least = {device: delay for device, delay in least.items() if self._moved(device, delay)}
            try:
                if least:
                    self._write(least)
                    self._written.update(least)
            except self._away as error:
                log.warning("clock skews not written", devices=len(least), error=str(error))

    def _moved(self, device: int, delay: float) -> bool:
        known = self._written.get(device)
        return known is None or abs(delay - known) >= max(MOVED_S, 0.1 * abs(known))
