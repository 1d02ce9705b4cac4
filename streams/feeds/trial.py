"""A look at a feed that leaves no trace: ten records as the mapping makes them, nothing stored, nothing published."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from incidents.model import Rejected
from streams.feeds import mqtt_topic, webhook
from streams.feeds.checking import accepted
from streams.feeds.kinds import PUSHED, Feed, Surroundings, open_trial
from streams.feeds.mapping import BadRecord, Mapped
from streams.feeds.port import BadRaw, Position, RawRecord, Source, SourceAway, SourceFault, json_record
from streams.feeds.runner import StoredFeed

MOST: Final = 10
TRIAL_S: Final = 5.0
WAIT_S: Final = 1.0
LONGEST_SAMPLE: Final = 100_000


class FeedTrial:
    """Answers TestFeed. `lookup` gives a feed with an adapter, disabled or not; `position` where it stands."""

    def __init__(
        self,
        lookup: Callable[[str], StoredFeed | None],
        position: Callable[[str], Position],
        world: Surroundings,
        max_bytes: int,
    ) -> None:
        self._lookup = lookup
        self._position = position
        self._world = world
        self._max_bytes = max_bytes

    def __call__(self, feed: str, sample: str) -> dict[str, Any]:
        """{"rows": [{identity, raw, topic, key, message} or {identity, raw, error}], "from", "error"}.

        `error`: why the source gave nothing. Raises Rejected.
        """
        stored = self._lookup(feed)
        if stored is None:
            raise Rejected(
                "not_found", f"feed={feed!r}: there is no feed with an adapter of this name", field="feed"
            )
        checked = accepted(stored)
        now = self._world.clock()
        if sample:
            if len(sample) > LONGEST_SAMPLE:
                raise Rejected(
                    "field", f"sample: {len(sample)} characters, at most {LONGEST_SAMPLE}", field="sample"
                )
            rows = shown(checked, sample_records(checked, sample, now), self._max_bytes)
            return {"rows": rows, "from": "sample", "error": ""}
        if checked.kind == PUSHED:
            raise Rejected(
                "field", "sample='': a webhook cannot be asked; give a request's body", field="sample"
            )
        records, error = taken(open_trial(checked, self._world), self._position(feed))
        if not records and not error:
            # Everything was read already: look at it from the beginning.
            records, error = taken(open_trial(checked, self._world), {})
        return {"rows": shown(checked, records, self._max_bytes), "from": "source", "error": error}


def sample_records(feed: Feed, sample: str, now: datetime) -> Sequence[RawRecord | BadRaw]:
    """A sample as the source's own records."""
    raw = sample.encode("utf-8", "backslashreplace")
    if feed.kind == PUSHED:
        return webhook.records_of(feed.config, {}, raw, now)
    if feed.kind == "mqtt":
        topic, mark, payload = sample.partition("\n")
        named = bool(mark) and not topic.lstrip().startswith(("{", "["))
        text = payload if named else sample
        return [mqtt_topic.mqtt_record(topic.strip() if named else feed.config.topics[0], text.encode(), now)]
    return [json_record(raw, "sample", now)]


def taken(source: Source, position: Position) -> tuple[list[RawRecord | BadRaw], str]:
    """At most ten records of a source, without an acknowledgement, and why there are no more ('' = there are none)."""
    found: list[RawRecord | BadRaw] = []
    until = time.monotonic() + TRIAL_S
    try:
        while len(found) < MOST and time.monotonic() < until:
            batch = source.read(position, WAIT_S)
            found += batch.records
            moved = batch.position is not None
            position = batch.position if batch.position is not None else position
            if not batch.more and (found or not moved):
                break
    except (SourceAway, SourceFault) as error:
        return found[:MOST], str(error)
    finally:
        source.close()
    return found[:MOST], ""


def shown(feed: Feed, records: Sequence[RawRecord | BadRaw], max_bytes: int) -> list[Mapping[str, Any]]:
    """What the mapping makes of records: the message, or field, value and rule of what is wrong."""
    rows: list[Mapping[str, Any]] = []
    for record in records:
        if isinstance(record, BadRaw):
            raw = record.raw[:2000].decode("utf-8", "backslashreplace")
            rows.append({"identity": record.identity, "raw": raw, "error": _words(record)})
            continue
        for found in feed.mapping.messages(feed.id, record, max_bytes):
            row: dict[str, Any] = {"identity": record.identity, "raw": record.body}
            if isinstance(found, Mapped):
                row |= {"topic": found.topic, "key": found.key, "message": found.value.decode()}
            else:
                row["error"] = _words(found)
            rows.append(row)
    return rows[:MOST]


def _words(bad: BadRaw | BadRecord) -> dict[str, str]:
    return {"field": bad.field, "found": bad.found, "rule": bad.rule}
