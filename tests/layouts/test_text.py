"""The text catalogue: both languages say the same things, nothing is empty, Python and the route agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from callbacks.http.text import text_router
from incidents.access import ROLES
from incidents.lifecycle import TRANSITIONS, WRONG_FIELDS
from incidents.model import Stage
from layouts import text
from layouts.text import LANGUAGES, MissingText, catalogue, language_of, slots, t


def test_same_keys_and_same_slots_in_every_language() -> None:
    zh, en = (catalogue(lang) for lang in LANGUAGES)
    assert zh.keys() == en.keys()
    assert {k: slots(zh[k]) for k in zh} == {k: slots(en[k]) for k in en}


@pytest.mark.parametrize("path", sorted(text.FOLDER.glob("*.json")), ids=lambda p: str(p.name))
def test_page_files(path: Path) -> None:
    page, lang, _ = path.name.split(".")
    other = path.with_name(f"{page}.{'en' if lang == 'zh' else 'zh'}.json")
    texts = json.loads(path.read_text(encoding="utf-8"))
    assert other.exists() and texts.keys() == json.loads(other.read_text(encoding="utf-8")).keys()
    for key, value in texts.items():
        assert isinstance(value, str) and value.strip(), key


# A language's own name is written in that language, whatever the page's.
OWN_NAMES = {"ui.switch_language"}


def test_languages_are_not_mixed() -> None:
    def chinese(value: str) -> bool:
        return any("\u4e00" <= c <= "\u9fff" for c in value)

    assert [k for k, v in catalogue("en").items() if chinese(v) and k not in OWN_NAMES] == []


def test_every_word_of_the_domain_is_there() -> None:
    for lang in LANGUAGES:
        for stage in Stage:
            t(lang, f"stage.{stage}")
        for transition in TRANSITIONS:
            t(lang, f"action.{transition.action}")
        for field in WRONG_FIELDS:
            t(lang, f"wrong_field.{field}")
        for role in ROLES:
            t(lang, f"role.{role}")
        for level in (1, 2, 3, 4):
            t(lang, f"level.{level}")


def test_slots_and_mistakes() -> None:
    assert t("zh", "age.minutes", n=3) == "3 分钟前"
    assert t("en", "age.minutes", n=3) == "3 min ago"
    with pytest.raises(MissingText, match="'no.such' is missing in 'zh'"):
        t("zh", "no.such")
    with pytest.raises(MissingText, match="needs a value for {n}"):
        t("zh", "age.minutes")
    with pytest.raises(MissingText, match="language 'fr'"):
        t("fr", "ui.ok")


def test_values_are_not_read_as_slots() -> None:
    """A user's text that looks like a slot stays text: no second round of filling."""
    assert t("zh", "error.stage", first="{action}", action="结案") == "已被 {action} 抢先“结案”"


def test_two_files_may_not_claim_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.zh.json").write_text('{"x": "1"}')
    (tmp_path / "b.zh.json").write_text('{"x": "2"}')
    monkeypatch.setattr(text, "FOLDER", tmp_path)
    catalogue.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"b\.zh\.json: key 'x' is already in another page's file"):
            catalogue("zh")
    finally:
        monkeypatch.undo()
        catalogue.cache_clear()


def test_language_of() -> None:
    assert language_of("en") == "en"
    assert language_of(None) == "zh"
    assert language_of("xx", "fr-FR, en-GB;q=0.8") == "en"
    assert language_of(None, "zh-CN,zh;q=0.9,en;q=0.8") == "zh"


def test_the_browser_gets_the_same_catalogue() -> None:
    app = FastAPI()
    app.include_router(text_router())
    client = TestClient(app)
    for lang in LANGUAGES:
        reply = client.get(f"/assets/text/{lang}.json")
        assert reply.json() == dict(catalogue(lang))
        again = client.get(f"/assets/text/{lang}.json", headers={"If-None-Match": reply.headers["etag"]})
        assert again.status_code == 304 and not again.content
    assert client.get("/assets/text/fr.json").status_code == 404
