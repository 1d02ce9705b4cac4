"""The phone's page, worker and router: what they hold, what they weigh, whom they let in."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from callbacks.http.phone import phone_router
from incidents.access import RIGHTS
from incidents.model import Actor
from layouts.phone import manifest, page, service_worker, shell, shell_files, shell_version
from layouts.text import LANGUAGES, catalogue

ASSETS = Path(__file__).resolve().parents[2] / "layouts" / "assets"
PHONE = ASSETS / "phone"
FIRST_LOAD_BYTES = 150 * 1024
WORKER = Actor(7, "gw0001", "林小满", "grid_worker", "U-1", ("990100/990101/",))
HANDLER = Actor(8, "u1", "王处", "unit_handler", "U-1", ("990100/990101/",))


def facts_of(text: str) -> dict[str, object]:
    """The JSON that the page hands to its modules, as a browser reads it."""
    found: dict[str, object] = {}

    class Reader(HTMLParser):
        inside = False

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.inside = tag == "script" and ("id", "phone-facts") in attrs

        def handle_endtag(self, tag: str) -> None:
            self.inside = False

        def handle_data(self, data: str) -> None:
            if self.inside:
                found.update(json.loads(data))

    Reader().feed(text)
    return found


def imports_of(name: str) -> set[str]:
    """Files that a module of the assets imports when it is loaded (not `import()`), relative to the assets."""
    text = (ASSETS / name).read_text(encoding="utf-8")
    sources = re.findall(r"^import\s(?:[^'\"]*?\sfrom\s)?['\"]([^'\"]+)['\"]", text, re.MULTILINE)
    base = (ASSETS / name).parent
    return {(base / source).resolve().relative_to(ASSETS).as_posix() for source in sources}


def test_the_page_is_in_the_language_asked_for_and_says_who_is_in() -> None:
    text = page("zh", WORKER, unit_name="禾丰镇综合行政执法办")
    assert '<html lang="zh"' in text
    assert facts_of(text) == {
        "login": "gw0001",
        "name": "林小满",
        "role": "grid_worker",
        "unit": "U-1",
        "unit_name": "禾丰镇综合行政执法办",
        "version": shell_version(),
        "rights": {"report": True, "handle": True, "position": True, "mark": True},
    }
    assert '<html lang="en"' in page("en", WORKER)


@pytest.mark.parametrize("role", sorted(RIGHTS))
def test_what_the_page_offers_follows_the_table_of_rights(role: str) -> None:
    rights = facts_of(page("zh", Actor(9, "x", "某人", role)))["rights"]
    assert rights == {
        "report": "incident.report" in RIGHTS[role],
        "handle": "incident.handle" in RIGHTS[role],
        "position": "position.report" in RIGHTS[role],
        "mark": "mark.draw" in RIGHTS[role],
    }


def test_a_name_cannot_become_markup() -> None:
    evil = "</script><script>alert(1)</script>"
    text = page("zh", Actor(1, "x", evil, "grid_worker", evil), unit_name=evil)
    assert evil not in text
    facts = facts_of(text)
    assert (facts["name"], facts["unit"], facts["unit_name"]) == (evil, evil, evil)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(KeyError, match="language 'fr'"):
        page("fr", WORKER)


def test_the_shell_holds_every_module_that_the_page_loads() -> None:
    """A module missing from the list would be missing without signal."""
    waiting, reached = ["phone/main.mjs"], {"phone/main.mjs"}
    while waiting:
        for found in imports_of(waiting.pop()) - reached:
            reached.add(found)
            waiting.append(found)
    assert reached == set(shell.MODULES)


def test_the_map_is_not_part_of_the_first_load() -> None:
    reached = {name for module in shell.MODULES for name in imports_of(module)}
    assert "phone/place.mjs" not in reached
    assert not any("maplibre" in name or "plotly" in name for name in shell_files())
    lazy = "".join((ASSETS / name).read_text(encoding="utf-8") for name in shell.MODULES)
    assert "import('./place.mjs')" in lazy


def test_the_first_load_stays_light() -> None:
    """Page, styles, modules, icons and one language, gzip: what a phone fetches before it shows tasks."""
    parts = {name: (ASSETS / name).read_bytes() for name in (*shell.STYLES, *shell.MODULES, *shell.PICTURES)}
    parts["page"] = page("zh", WORKER).encode()
    parts["text"] = json.dumps(dict(catalogue("zh")), ensure_ascii=False).encode()
    weights = {name: len(gzip.compress(body, 5)) for name, body in parts.items()}
    total = sum(weights.values())
    assert total < FIRST_LOAD_BYTES, f"{total} bytes: {sorted(weights.items(), key=lambda w: -w[1])[:6]}"


def test_the_version_follows_the_contents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = shell_version()
    copy = tmp_path / "assets"
    for name in (*shell.STYLES, *shell.MODULES, *shell.PICTURES, "phone/sw.js"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ASSETS / name).read_bytes())
    monkeypatch.setattr(shell, "ASSETS", copy)
    shell_version.cache_clear()
    assert shell_version() == before
    (copy / "phone/queue.mjs").write_bytes((copy / "phone/queue.mjs").read_bytes() + b"\n// changed\n")
    shell_version.cache_clear()
    assert shell_version() != before
    monkeypatch.undo()
    shell_version.cache_clear()


def test_the_worker_knows_its_version_and_files_that_exist() -> None:
    first, _, rest = service_worker().partition("\n")
    told = json.loads(first.removeprefix("const SHELL = ").removesuffix(";"))
    assert told == {"version": shell_version(), "files": list(shell_files())}
    assert rest == (PHONE / "sw.js").read_text(encoding="utf-8")
    for path in told["files"]:
        if not path.startswith("/assets/text/"):
            assert (ASSETS / path.removeprefix("/assets/")).is_file(), path


def test_every_text_that_the_modules_name_exists_in_both_languages() -> None:
    keys = set()
    for path in PHONE.glob("*.mjs"):
        keys |= set(re.findall(r"\bt\('([^']+)'", path.read_text(encoding="utf-8")))
    assert len(keys) > 80
    for lang in LANGUAGES:
        assert keys <= catalogue(lang).keys(), sorted(keys - catalogue(lang).keys())


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("phone.next.{}", ("take", "arrive", "finish", "none")),
        ("phone.do.{}", ("take", "arrive", "finish")),
        ("phone.done.{}", ("take", "arrive", "finish", "return", "note")),
        ("phone.form.{}", ("finish", "return", "note")),
        ("phone.form.{}.text", ("finish", "return", "note")),
        ("phone.form.{}.hint", ("finish", "return", "note")),
        ("phone.form.{}.send", ("finish", "return", "note")),
        ("phone.phrase.finish.{}", range(1, 7)),
        ("phone.phrase.return.{}", range(1, 4)),
        ("phone.phrase.note.{}", range(1, 4)),
        ("phone.phrase.report.{}", range(1, 5)),
        ("phone.photo.{}", ("report", "handle", "check")),
        ("phone.duty.{}", ("denied", "unavailable", "unsent")),
    ],
)
def test_texts_whose_names_are_put_together_exist(template: str, values: tuple[object, ...]) -> None:
    for lang in LANGUAGES:
        for value in values:
            assert catalogue(lang)[template.format(value)]


def test_no_words_of_a_user_stand_in_the_modules() -> None:
    """Chinese in a module outside comments would not follow the language switch."""
    for path in PHONE.glob("*.mjs"):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        code = re.sub(r"//[^\n]*", "", text)
        strings = re.findall(r"'([^'\n]*)'|`([^`]*)`", code)
        han = [s for pair in strings for s in pair if re.search(r"[\u4e00-\u9fff]", s)]
        allowed = {"城", "一", "龍"} if path.name in ("fonts.mjs", "place.mjs") else set()
        assert set(han) <= allowed, (path.name, han)


def test_the_manifest_opens_the_phone() -> None:
    told = json.loads(manifest("zh"))
    assert (told["start_url"], told["scope"], told["display"]) == ("/phone", "/phone", "standalone")
    assert told["name"].startswith("城运")
    for picture in told["icons"]:
        assert (ASSETS / picture["src"].removeprefix("/assets/")).is_file()


@pytest.fixture()
def client() -> Iterator[TestClient]:
    """The router alone; a header says who is in."""
    actors = {"worker": WORKER, "handler": HANDLER}

    def authorise(request: Request) -> Actor:
        actor = actors.get(request.headers.get("x-test-actor", ""))
        if actor is None:
            raise HTTPException(401, "no session")
        return actor

    app = FastAPI()
    app.include_router(phone_router(authorise, unit_name=lambda actor: f"单位 {actor.unit}"))
    with TestClient(app, follow_redirects=False) as found:
        yield found


def test_without_a_session_the_page_leads_to_the_login(client: TestClient) -> None:
    answer = client.get("/phone")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/phone")
    assert client.get("/phone/sw.js").status_code == 401
    assert client.get("/phone/manifest.webmanifest").status_code == 401


def test_with_a_session_the_page_is_served(client: TestClient) -> None:
    answer = client.get("/phone", headers={"x-test-actor": "handler", "accept-language": "en-GB,zh;q=0.5"})
    assert answer.status_code == 200
    assert answer.headers["x-chengyun-shell"] == shell_version()
    assert "no-cache" in answer.headers["cache-control"] and "private" in answer.headers["cache-control"]
    assert '<html lang="en"' in answer.text
    facts = facts_of(answer.text)
    assert facts["unit_name"] == "单位 U-1"
    assert facts["rights"] == {"report": False, "handle": True, "position": False, "mark": True}


def test_the_cookie_chooses_the_language(client: TestClient) -> None:
    answer = client.get("/phone", headers={"x-test-actor": "worker", "cookie": "chengyun_lang=en"})
    assert '<html lang="en"' in answer.text


def test_the_worker_may_serve_the_whole_of_phone(client: TestClient) -> None:
    answer = client.get("/phone/sw.js", headers={"x-test-actor": "worker"})
    assert answer.headers["service-worker-allowed"] == "/phone"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.text == service_worker()


def test_an_error_of_another_kind_is_not_taken_for_a_missing_session() -> None:
    def authorise(request: Request) -> Actor:
        raise HTTPException(503, "store is away")

    app = FastAPI()
    app.include_router(phone_router(authorise))
    assert TestClient(app, follow_redirects=False).get("/phone").status_code == 503
