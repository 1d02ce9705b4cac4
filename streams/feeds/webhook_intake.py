"""Takes what webhooks send: looks the feed up, asks for its signature, maps, and answers once the bus has it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from streams.feed.sending import Sink
from streams.feeds.kinds import PUSHED, Feed
from streams.feeds.mapping import BadMapping
from streams.feeds.port import BadConfig
from streams.feeds.runner import Count, States, StoredFeed, messages_of, publish
from streams.feeds.webhook import NotSigned, records_of, require_signed

log = structlog.get_logger()


class WebhookIntake:
    """`take` is safe for several threads. `lookup` gives a feed and whether it is disabled."""

    def __init__(
        self,
        lookup: Callable[[str], tuple[StoredFeed, bool] | None],
        check: Callable[[StoredFeed], Feed],
        sink: Sink,
        states: States,
        clock: Callable[[], datetime],
        max_bytes: int,
    ) -> None:
        self._lookup = lookup
        self._check = check
        self._sink = sink
        self._states = states
        self._clock = clock
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._checked: dict[str, Feed] = {}

    def take(self, feed: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """{"outcome": "taken", accepted, set_aside}, or "unsigned" (of an unknown feed too), "disabled", "broken".

        Raises BusUnavailable or BusRefused: then nothing is known to be accepted.
        """
        found = self._lookup(feed)
        if found is None or found[0].kind != PUSHED:
            return {"outcome": "unsigned"}
        stored, disabled = found
        now = self._clock()
        try:
            checked = self._feed(stored)
        except (BadConfig, BadMapping) as error:
            self._states.failed(feed, "fault", str(error), now)
            return {"outcome": "broken"}
        try:
            require_signed(checked.config, checked.secrets, headers, body, now)
        except NotSigned as error:
            log.warning("webhook refused", feed=feed, reason=str(error))
            return {"outcome": "unsigned"}
        if disabled:
            return {"outcome": "disabled"}
        records = records_of(checked.config, headers, body, now)
        messages, aside = messages_of(feed, checked.mapping, records, now, self._max_bytes)
        aside += publish(self._sink, feed, checked.mapping, messages, now)
        self._states.keep(feed, None, Count(len(records), len(messages), aside), now)
        return {"outcome": "taken", "accepted": len(messages) - aside, "set_aside": aside}

    def _feed(self, stored: StoredFeed) -> Feed:
        with self._lock:
            known = self._checked.get(stored.id)
        if known is None or known.version != stored.version:
            known = self._check(stored)
            with self._lock:
                self._checked[stored.id] = known
        return known
