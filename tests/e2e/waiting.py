"""Waiting for what has no event: a log's line, a query's answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.e2e.browser import PATIENT_MS


def until(what: Callable[[], Any], words: str, seconds: float = PATIENT_MS / 1000) -> Any:
    """The first true answer of `what`; fails with `words` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, words
        time.sleep(0.1)
    return found
