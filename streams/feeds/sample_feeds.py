"""The sample feeds: one of each kind, with a record of its source and the messages it gives. Made by us."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.feeds import mqtt_topic, webhook
from streams.feeds.folder import FolderSource
from streams.feeds.http_pull import records_in
from streams.feeds.kinds import Feed, check_feed, replace_config
from streams.feeds.port import BadRaw, RawRecord, content_identity, json_record
from streams.feeds.replay_file import ReplaySource

FOLDER: Final = Path(__file__).with_name("samples")
NOW: Final = datetime(2026, 11, 26, 6, 6, tzinfo=UTC)
"""The clock of the samples."""


def sample_feeds() -> list[dict[str, Any]]:
    """The files, as SaveFeed takes them, each with its `sample`."""
    return [msgspec.json.decode(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))]


def feed_of(sample: dict[str, Any]) -> Feed:
    """The checked feed of a sample."""
    return check_feed(sample["id"], sample["kind"], sample["config"], sample["secrets"], sample["mapping"])


def records_of(sample: dict[str, Any], folder: Path) -> Sequence[RawRecord | BadRaw]:
    """The records of a sample as its adapter reads them; files are written into `folder`."""
    feed, given = feed_of(sample), sample["sample"]
    match feed.kind:
        case "http":
            return [RawRecord(content_identity(one), one) for one in records_in(feed.config.records, given)]
        case "webhook":
            return webhook.records_of(feed.config, {"x-request-id": "r-1"}, msgspec.json.encode(given), NOW)
        case "mqtt":
            topic, _, payload = given.partition("\n")
            return [mqtt_topic.mqtt_record(topic, payload.encode(), NOW)]
        case "folder":
            path = folder / feed.config.folder / "november-26.csv"
            path.parent.mkdir(parents=True)
            path.write_text(given, encoding="gb18030")
            source = FolderSource(replace_config(feed.config, stable_s=0.0), folder, lambda: NOW)
            return source.read({}, 0).records
        case "replay":
            path = folder / feed.config.file
            path.parent.mkdir(parents=True)
            path.write_text(given, encoding="utf-8")
            replay = ReplaySource(replace_config(feed.config, speed=0.0, keep_time=True), folder, lambda: NOW)
            return replay.read({}, 0).records
    return [json_record(msgspec.json.encode(given), f"{feed.kind}-1", NOW)]
