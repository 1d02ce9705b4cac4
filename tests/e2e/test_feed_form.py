"""A feed made on the operations page: a file dropped by another office becomes readings, after a trial that stores nothing.

On the embedded profile: what every kind of feed does with every source is held by tests/contracts/test_feeds.py.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, expect

from streams.feeds.sample_feeds import sample_feeds
from tests.e2e.browser import DESK_SIZE, at_terminal
from tests.e2e.conftest import Running

PROFILES: Final = ("embedded",)
FEED: Final = "river-office"
DEVICE: Final = "RQ-000001"


def rows_of(answer: Any) -> list[float]:
    return [value for value in answer.json()["v"] if value in (7.41, 7.42)]


def drop(folder: Path) -> None:
    """The office's table, in its own words, encoding and units; the last row cannot be understood."""
    hour = (datetime.now(ZoneInfo("Asia/Shanghai")) - timedelta(hours=2)).strftime("%Y/%m/%d,%H")
    lines = [
        "断面,日期,时间,pH,氨氮,浊度",
        f"双水大桥,{hour}:01,7.41,0.31,18",
        f"双水大桥,{hour}:02,7.42,--,19",
        f"双水大桥,{hour}:03,偏碱,--,19",
    ]
    folder.mkdir(parents=True)
    (folder / "report.csv").write_bytes("\n".join(lines).encode("gbk"))


def test_a_dropped_table_becomes_readings(running: Running, chrome: Browser) -> None:
    (sample,) = [one for one in sample_feeds() if one["kind"] == "folder"]
    drop(running.product.var / "drop" / "river-office")
    person = running.person("admin")
    with at_terminal(chrome, running.url, "administrator", DESK_SIZE) as terminal:
        running.log_in(terminal, "admin", "ops")
        page = terminal.page
        page.locator("[data-tab='feeds']").click()
        page.locator("[data-feed='']").click()
        expect(page.locator("#feed-form")).not_to_have_attribute("inert", "")
        page.locator("#feed-id").fill(FEED)
        page.locator("#feed-name").fill("河道水质日报")
        page.locator("#feed-kind").click()
        page.locator(".dash-dropdown-content").get_by_text("文件投递", exact=True).click()
        page.locator("#feed-period").fill("3600")
        page.locator("#feed-config").fill('{"folder": "river-office", "pattern": "*.csv", ')
        page.locator("#feed-mapping").fill(json.dumps(sample["mapping"], ensure_ascii=False, indent=1))
        page.locator("[data-feed-do='save']").click()
        expect(page.locator(".cy-toast").last).to_contain_text("line 1 column")

        page.locator("#feed-config").fill('{"folder": "river-office", "pattern": "*.csv"}')
        page.locator("[data-feed-do='save']").click()
        expect(page.locator(".cy-toast").last).to_contain_text("已保存")
        page.locator("[data-feed-do='test']").click()
        trial = page.locator("#feed-result")
        expect(trial.locator(".lamp")).to_have_count(3)
        expect(trial.locator(".lamp--wrong")).to_have_count(1)
        expect(trial).to_contain_text("偏碱")
        running.artifacts.joinpath("ops-feed.png").write_bytes(page.screenshot())
        assert rows_of(person.ask("device_series", device=DEVICE, metric="river_ph")) == []

        running.product.start_as("feeds", "feed", "run")

        def arrived() -> bool:
            values = rows_of(person.ask("device_series", device=DEVICE, metric="river_ph"))
            letters = person.ask("dead_letters", state="open").json()["rows"]
            found = [letter["found"] for letter in letters if letter["feed"] == FEED]
            return (values, found) == ([7.41, 7.42], ["偏碱"])

        deadline = time.monotonic() + 60
        while not arrived():
            assert time.monotonic() < deadline, running.product.last_words("feeds")
            time.sleep(0.3)  # asking the product over HTTP, as a user would look again
        page.locator("[data-side-close]:visible").first.click()
        page.locator("[data-refresh]").click()
        listed = page.locator(f"[data-feed='{FEED}']").first
        expect(listed).to_contain_text("正常")

        page.locator("[data-tab='status']").click()
        rooms = page.locator("#ops-body")
        expect(rooms).to_contain_text("存储与队列")
        expect(rooms).to_contain_text("时序库", timeout=70_000)
        running.artifacts.joinpath("ops-status.png").write_bytes(page.screenshot(full_page=True))
    running.product.end("feeds")
    person.close()
