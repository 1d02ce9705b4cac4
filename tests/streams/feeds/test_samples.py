"""The sample feeds of docs/feeds.md give what the page says, and only what the sample city knows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from streams.envelope import decode
from streams.feeds.kinds import KINDS
from streams.feeds.mapping import Mapped
from streams.feeds.sample_feeds import feed_of, records_of, sample_feeds

SAMPLES = {s["kind"]: s for s in sample_feeds()}
TABLES = Path(__file__).resolve().parents[3] / "data" / "sample_city" / "tables"


def names(table: str, column: str) -> set[str]:
    with (TABLES / f"{table}.csv").open(encoding="utf-8") as file:
        return {row[column] for row in csv.DictReader(file)}


def test_there_is_one_of_each_kind() -> None:
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_gives_what_the_page_says(kind: str, tmp_path: Path) -> None:
    sample = SAMPLES[kind]
    feed = feed_of(sample)
    given: list[Any] = []
    for record in records_of(sample, tmp_path):
        for made in feed.mapping.messages(feed.id, record, 64 * 1024):
            assert isinstance(made, Mapped), made
            message = decode(made.topic, made.value, 64 * 1024)
            found = json.loads(made.value)
            given.append(
                {"topic": made.topic, "key": made.key, **{k: found[k] for k in ("id", "time", "data")}}
            )
            if hasattr(message.data, "readings"):
                assert {r.metric for r in message.data.readings} <= names("metrics", "id")
            else:
                assert message.data.class_ in names("event_classes", "code")
    assert given == sample["gives"] and given
