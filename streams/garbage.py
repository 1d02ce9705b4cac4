"""Python's search for garbage in cycles, taken off the hot path.

A flush makes some ten thousand objects that all live until it is stored. The collector counts them, searches them again
and again, and finds nothing: without it the pure steps of a flush take half of their time (4,000 messages of three
readings: 9.6 µs a message against 26.9). What does hang together in cycles (errors with their tracebacks, the
client's tasks) is swept up now and then instead. What outlives a sweep (above all the registries: ten million objects for
a million devices) is not looked at again by the next ones, but once an hour.
"""

from __future__ import annotations

import gc
import threading

SWEEP_S = 30.0
WHOLE_EVERY = 120
"""Every so many sweeps look at everything."""


def sweep_garbage(stop: threading.Event) -> None:
    """Until `stop` is set: no automatic collection, one every SWEEP_S seconds of what is new since the last."""
    gc.disable()
    sweeps = 0
    try:
        while not stop.wait(SWEEP_S):
            sweeps += 1
            if sweeps % WHOLE_EVERY == 0:
                gc.unfreeze()
            gc.collect()
            gc.freeze()
    finally:
        gc.unfreeze()
        gc.enable()
