"""A feed's form: what it is filled with, what a press becomes, and what a trial shows."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from callbacks import ops_feeds as callbacks
from incidents import commands as c
from incidents.model import Rejected
from layouts import ids, ops, ops_feeds
from layouts.desk import lists
from layouts.text import LANGUAGES, catalogue
from streams.topics import INPUT_TOPICS
from tests.layouts.test_pages import text_of, view, walk

ROW: dict[str, Any] = {
    "id": "water", "name": "水务局水位", "owner": "水务局", "kind": "http", "protocol": "http", "expected_period_s": 60.0,
    "config": {"url": "http://x"}, "mapping": {"topic": "t"}, "secrets": ["token"], "status": "error",
    "reason": "answers 500", "records": 12345, "set_aside": 1, "lost": 0, "attempt_at": 1_795_672_800_000,
    "stored": 7, "rejected": 1, "duplicate": 0, "held": 0, "last_message_at": None,
}  # fmt: skip


def form_of(**changes: Any) -> dict[str, Any]:
    return {**dict(zip(callbacks.FIELDS, callbacks.given(ROW), strict=True)), **changes}


def test_the_form_of_a_feed_gives_back_the_command_it_was_filled_with() -> None:
    saved = callbacks.command_of(view(), "save", form_of())
    assert saved == c.SaveFeed(
        "water", "水务局水位", "http", {"url": "http://x"}, {"topic": "t"}, {}, "水务局", 60.0
    )
    off = callbacks.command_of(view(), "disable", form_of(**{ids.FEED_REASON: "检修"}))
    assert off == c.SwitchFeed("water", True, "检修")
    assert callbacks.command_of(view(), "enable", form_of()) == c.SwitchFeed("water", False)
    again = callbacks.command_of(view(), "save", form_of(**{ids.FEED_RESTART: ["restart"]}))
    assert isinstance(again, c.SaveFeed) and again.restart


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_form_offers_every_topic_by_its_name(lang: str) -> None:
    assert ops_feeds.TOPICS == INPUT_TOPICS
    shown = text_of(ops_feeds.form(view(lang)))
    for topic in INPUT_TOPICS:
        assert f"{topic} {catalogue(lang)[f'ops.topic.{topic}']}" in shown


@pytest.mark.parametrize("text", ["{", "[1]", "7", "[" * 100_000])
def test_a_text_that_is_no_object_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(Rejected, match="字段映射") as caught:
        callbacks.command_of(view(), "save", form_of(**{ids.FEED_MAPPING: text}))
    assert caught.value.field == "mapping"


class Asked:
    """The service: keeps the question."""

    def __init__(self) -> None:
        self.questions: list[Any] = []

    def ask(self, question: Any, actor: Any) -> dict[str, Any]:
        self.questions.append(question)
        return {"rows": [], "error": ""}


def test_the_trial_is_of_what_stands_in_the_form() -> None:
    service = Asked()
    deps: Any = SimpleNamespace(service=service)
    edited = form_of(**{ids.FEED_MAPPING: '{"topic": "other"}', ids.FEED_SAMPLE: "{}"})
    shown = text_of(callbacks.tried(deps, view(), edited))
    assert "按表单当前内容" in shown
    draft = callbacks.command_of(view(), "save", edited)
    assert isinstance(draft, c.SaveFeed) and draft.mapping == {"topic": "other"}
    assert service.questions == [c.TestFeed("water", "{}", draft)]
    assert "字段映射" in text_of(callbacks.tried(deps, view(), form_of(**{ids.FEED_MAPPING: "{"})))
    assert len(service.questions) == 1, "what cannot be read is not asked"


def test_the_head_names_secrets_and_never_shows_them() -> None:
    shown = text_of(ops_feeds.head(view(), ROW))
    assert "已保存：token" in shown and "answers 500" in shown and "12,345" in shown and "错误" in shown
    assert callbacks.given(ROW)[callbacks.FIELDS.index(ids.FEED_SECRETS)] == ""
    assert "只能停用或启用" in text_of(ops_feeds.head(view(), {**ROW, "kind": ""}))


def test_a_trial_shows_messages_and_faults() -> None:
    good = {
        "identity": "1",
        "raw": {},
        "topic": "t",
        "key": "k",
        "message": json.dumps({"id": "1", "data": {"z": 1}}),
    }
    bad = {
        "identity": "2",
        "raw": {"z": "深"},
        "error": {"field": "data.z", "found": "深", "rule": "must be a number"},
    }
    shown = text_of(ops_feeds.trial(view(), {"rows": [good, bad], "error": "answers 500"}))
    assert '"z": 1' in shown and "data.z = '深': must be a number" in shown and "answers 500" in shown
    assert "没有给出记录" in text_of(ops_feeds.trial(view(), {"rows": [], "error": ""}))


def test_the_list_opens_only_for_who_keeps_feeds() -> None:
    for role, opens in (("administrator", True), ("operator", False)):
        rows = [
            x for x in walk(lists.feeds(view(role=role), [ROW])) if "data-feed" in x.to_plotly_json()["props"]
        ]
        assert bool(rows) == opens
        shown = text_of(ops.feeds(view(role=role), {"rows": [ROW]}))
        assert (
            ("新建数据源" in shown) == opens
            and "错误" in shown
            and "answers 500" in shown
            and "1 分" in shown
        )
