"""Every example message under streams/examples is taken, or set aside for exactly the reason beside it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidents.ingest import Registry
from incidents.ports import Outgoing
from streams import topics
from streams.envelope import Bad, decode
from tests.streams.pure_steps import MAX_BYTES, judge_messages, registry_of
from tests.streams.sample_view import sample_view

EXAMPLES = Path(__file__).parents[2] / "streams" / "examples"
ARRIVAL = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MESSAGES = sorted(p for p in EXAMPLES.glob("*/*.json") if not p.name.endswith(".expected.json"))


def _expected(path: Path) -> dict[str, str] | None:
    beside = path.with_name(f"{path.stem}.expected.json")
    return json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else None


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The sample city's registries, straight from its files."""
    return registry_of(sample_view())


def test_every_input_topic_has_good_and_bad_examples() -> None:
    for topic in topics.INPUT_TOPICS:
        there = [_expected(p) for p in MESSAGES if p.parent.name == topic]
        assert any(e is None for e in there), f"{topic}: no good example"
        assert any(e is not None for e in there), f"{topic}: no bad example"
    assert {p.parent.name for p in MESSAGES} == set(topics.INPUT_TOPICS)


def test_every_expectation_stands_beside_a_message() -> None:
    for path in EXAMPLES.glob("*/*.expected.json"):
        assert path.with_name(path.name.replace(".expected.json", ".json")) in MESSAGES, path


@pytest.mark.parametrize("path", MESSAGES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_example(path: Path, registry: Registry) -> None:
    expected = _expected(path)
    (entry,) = judge_messages(registry, [Outgoing(path.parent.name, "", path.read_bytes())], [ARRIVAL])
    found = (entry.outcome, entry.reason, entry.field)
    if expected is None or "after" in expected:
        assert found == ("stored", "", "")
    else:
        assert found == ("rejected", expected["reason"], expected["field"])


@pytest.mark.parametrize("path", MESSAGES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_conflict_needs_the_earlier_message(path: Path) -> None:
    """An example that is bad only after another: same device, metric and time, another value."""
    expected = _expected(path)
    if expected is None or "after" not in expected:
        return
    topic = path.parent.name
    first = decode(topic, path.with_name(expected["after"]).read_bytes(), MAX_BYTES)
    second = decode(topic, path.read_bytes(), MAX_BYTES)
    assert (first.data.device, first.time) == (second.data.device, second.time)
    assert first.id != second.id
    assert [r.metric for r in first.data.readings] == [r.metric for r in second.data.readings]
    assert [r.value for r in first.data.readings] != [r.value for r in second.data.readings]
    assert expected["reason"] == "conflict"


def test_a_message_of_ten_megabytes_is_too_large() -> None:
    good = (EXAMPLES / topics.GRID_REPORT / "grid.json").read_bytes()
    huge = good.replace(b'"text": "', b'"text": "' + "长".encode() * 3_500_000)
    assert len(huge) > 10_000_000
    with pytest.raises(Bad) as bad:
        decode(topics.GRID_REPORT, huge, MAX_BYTES)
    assert bad.value.reason == "too_large"
