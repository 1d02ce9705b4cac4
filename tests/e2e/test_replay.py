"""The time machine in Chromium: an incident's life is lived, then seen again at its moments, and played."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import LEADER_SIZE, at_terminal
from tests.e2e.conftest import Running

PROFILES = ("embedded",)
"""A browser cannot tell the profiles apart; the contract suite asks every store."""

WHERE = {"lon": 113.7405, "lat": 21.9832}
STAGE = "(key) => window.chengyun.live.get('incident', key)?.stage ?? null"
ON_MAP = """(key) => window.chengyun.map.map.querySourceFeatures('incidents')
  .some((f) => f.properties.key === key || f.properties.cluster)"""


def now_ms(someone: Any) -> int:
    """The server's time."""
    found: int = someone.snapshot()["now"]
    return found


def later(someone: Any) -> int:
    """A moment of the server, two seconds after the one before: far enough apart to be seen one after the other."""
    begin = now_ms(someone)
    while (now := now_ms(someone)) < begin + 2000:
        pass
    return now - 1000


def go_to(page: Page, moment: int) -> None:
    """Type a moment into the player's field."""
    page.locator("[data-moment] input").fill(
        page.evaluate("(ms) => new Date(ms + 8 * 3600000).toISOString().slice(0, 19)", moment)
    )
    page.locator("[data-do='go']").click()


def test_what_was_shown_is_shown_again_and_played(running: Running, chrome: Browser) -> None:
    with closing(running.person("operator")) as operator, closing(running.person("dispatcher")) as dispatcher:
        before = now_ms(operator)
        told = operator.command(
            "report_incident", text="回放用：河堤边有人垂钓占道", class_code="C0101", key="replay-1", **WHERE
        ).json()
        key = str(told["id"])
        reported = later(operator)
        assert operator.command("accept_incident", id=told["id"]).status_code == 200
        accepted = later(operator)
        assert dispatcher.command("void_incident", id=told["id"], reason="现场已劝离").status_code == 200
        ended = later(operator)
        for moment, stage in (
            (before, None),
            (reported, "reported"),
            (accepted, "accepted"),
            (ended, "void"),
        ):
            found = operator.client.get("/api/v1/replay/at", params={"t": moment}).json()["items"]
            assert found["incident"].get(key, {}).get("stage") == stage
        late = operator.client.get("/api/v1/replay/at", params={"t": ended + 3_600_000})
        assert (late.status_code, late.json()["field"]) == (422, "t")
        with closing(running.person("gw0001")) as worker:
            assert worker.client.get("/api/v1/replay/at", params={"t": ended}).status_code == 403

    with at_terminal(chrome, running.url, "leader", LEADER_SIZE) as terminal:
        running.log_in(terminal, "leader", "replay")
        page = terminal.page
        with terminal.leaving():
            page.goto(f"{running.url}/desk")
            page.goto(f"{running.url}/replay#t={accepted}&incident={key}")
        expect(page.locator("html[data-ready='replay']")).to_be_attached()
        row = page.locator(f"[data-list] .cy-item[data-key='{key}']")
        expect(row).to_contain_text("受理")
        expect(page.locator("[data-card]")).to_contain_text("回放用")
        expect(page.locator("[data-link-badge]")).to_have_text("历史画面")
        page.wait_for_function(ON_MAP, arg=key)
        page.screenshot(path=running.artifacts / "replay.png")
        opened = int(page.locator("[data-total='open']").inner_text())

        go_to(page, before - before % 1000)
        expect(row).to_have_count(0)
        expect(page.locator("[data-total='open']")).not_to_have_text("–")
        assert page.evaluate(STAGE, key) is None
        go_to(page, before - 86_400_000)
        expect(page.locator("[data-state]")).to_contain_text("早于记录起点")
        expect(page.locator("[data-state]")).to_have_class("replay__state is-ill")

        # Played: the incident is reported, accepted and gone within the seconds it took.
        go_to(page, before - before % 1000)
        expect(row).to_have_count(0)
        page.locator("[data-choice='speed']").select_option("1")
        page.evaluate(
            "(key) => { window.seen = []; window.chengyun.live.addEventListener('applied', () => {"
            " const s = window.chengyun.live.get('incident', key)?.stage; if (s && window.seen.at(-1) !== s) window.seen.push(s); }); }",
            key,
        )
        page.locator("[data-do='play']").click()
        page.wait_for_function("() => window.seen.at(-1) === 'void'", timeout=60_000)
        assert page.evaluate("() => window.seen") == ["reported", "accepted", "void"]
        expect(row).to_have_count(0)
        page.locator("[data-do='play']").click()
        assert opened > 0
        with terminal.leaving():
            page.locator("[data-language='en']").click()
            expect(page.locator("html[lang='en'][data-ready='replay']")).to_be_attached()
        page.screenshot(path=running.artifacts / "replay-en.png")
