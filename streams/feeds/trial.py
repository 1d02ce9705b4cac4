"""A look at a feed that leaves no trace: ten records as the mapping makes them, nothing stored, nothing published.

The feed is the saved one, or a draft: what stands in a form. A draft is tried with the secrets that are kept, as it would
be saved with them, but not at another address: saving that is audited, a trial is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from incidents.commands import SaveFeed
from incidents.feeds import with_changes
from incidents.model import Rejected
from streams.feeds import mqtt_topic, webhook
from streams.feeds.alarm_mapping import Alarms
from streams.feeds.checking import accepted
from streams.feeds.kinds import PUSHED, SHIPPED, Feed, Surroundings, open_trial
from streams.feeds.mapping import BadRecord, Mapped
from streams.feeds.port import BadRaw, Position, RawRecord, Source, SourceAway, SourceFault, json_record
from streams.feeds.runner import StoredFeed

MOST: Final = 10
TRIAL_S: Final = 5.0
WAIT_S: Final = 1.0
LONGEST_SAMPLE: Final = 100_000
_PLACE: Final = ("host", "port", "servers", "tls", "verify_tls")
"""Where a source is, and how surely it is the one: with the beginning of `url`."""


class FeedTrial:
    """Answers TestFeed. `lookup` gives a feed with an adapter, disabled or not; `position` where it stands."""

    def __init__(
        self,
        lookup: Callable[[str], StoredFeed | None],
        position: Callable[[str], Position],
        world: Surroundings,
        max_bytes: int,
        alarms: Alarms = SHIPPED,
    ) -> None:
        self._alarms = alarms
        self._lookup = lookup
        self._position = position
        self._world = world
        self._max_bytes = max_bytes

    def __call__(self, feed: str, sample: str, draft: SaveFeed | None = None) -> dict[str, Any]:
        """{"rows": [{identity, raw, topic, key, message} or {identity, raw, error}], "from", "error"}.

        `error`: why the source gave nothing. Raises Rejected.
        """
        saved = self._lookup(draft.id if draft else feed)
        tried = drafted(draft, saved) if draft else saved
        if tried is None:
            raise Rejected(
                "not_found", f"feed={feed!r}: there is no feed with an adapter of this name", field="feed"
            )
        checked = accepted(tried, self._alarms)
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
        anew = draft is not None and (draft.restart or saved is None or saved.kind != draft.kind)
        records, error = taken(open_trial(checked, self._world), {} if anew else self._position(checked.id))
        if not records and not error:
            # Everything was read already: look at it from the beginning.
            records, error = taken(open_trial(checked, self._world), {})
        return {"rows": shown(checked, records, self._max_bytes), "from": "source", "error": error}


def drafted(draft: SaveFeed, saved: StoredFeed | None) -> StoredFeed:
    """The feed as saving would make it. Raises Rejected when kept secrets would go to another address."""
    kept: dict[str, str] = {}
    if saved is not None and saved.kind == draft.kind and isinstance(saved.secrets, Mapping):
        kept = {name: value for name, value in saved.secrets.items() if name not in draft.secrets}
        if kept and _place(saved.config) != _place(draft.config):
            names = ", ".join(sorted(kept))
            raise Rejected(
                "rule",
                f"config: another address than the saved one: enter its secrets ({names}) as well, or save first",
                field="secrets",
            )
    return StoredFeed(draft.id, draft.kind, draft.config, with_changes(kept, draft.secrets), draft.mapping, 1)


def _place(config: object) -> list[object]:
    given = config if isinstance(config, Mapping) else {}
    return [str(given.get("url") or "").split("/")[:3], *(given.get(name) for name in _PLACE)]


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
    mapping = feed.mapping.ready(feed.id) if records else feed.mapping
    for record in records:
        if isinstance(record, BadRaw):
            raw = record.raw[:2000].decode("utf-8", "backslashreplace")
            rows.append({"identity": record.identity, "raw": raw, "error": _words(record)})
            continue
        for found in mapping.messages(feed.id, record, max_bytes):
            row: dict[str, Any] = {"identity": record.identity, "raw": record.body}
            if isinstance(found, Mapped):
                row |= {"topic": found.topic, "key": found.key, "message": found.value.decode()}
            else:
                row["error"] = _words(found)
            rows.append(row)
    return rows[:MOST]


def _words(bad: BadRaw | BadRecord) -> dict[str, str]:
    return {"field": bad.field, "found": bad.found, "rule": bad.rule}
