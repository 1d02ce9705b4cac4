"""The devices page: an unknown device reports, is registered by a click and stored; a table is looked at and taken.

On the embedded profile: what the page needs of the services is held by tests/contracts on every store.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from incidents.device_registry import POLE_FUNCTIONS
from streams import topics
from tests.e2e.browser import DESK_SIZE, HAN, Terminal, at_terminal
from tests.e2e.city import envelope
from tests.e2e.conftest import Running
from tests.e2e.test_screens import UI_HAN
from tests.e2e.waiting import until

PROFILES: Final = ("embedded",)
UNKNOWN: Final = "NEW-WL-7"
LON, LAT = 113.9101, 21.9531


@pytest.fixture
def admin(running: Running, chrome: Browser) -> Iterator[Terminal]:
    with at_terminal(chrome, running.url, "administrator", DESK_SIZE) as terminal:
        running.log_in(terminal, "admin", "devices")
        yield terminal


def send(running: Running, n: int) -> None:
    """Readings of a device that nobody has registered."""
    now = datetime.now(UTC)
    messages = []
    for k in range(n):
        at = (now - timedelta(seconds=60 * (n - k))).isoformat()
        reading = {"metric": "water_level_m", "value": 2.0 + k / 100, "time": at}
        messages.append(envelope(topics.READING, UNKNOWN, {"device": UNKNOWN, "readings": [reading]}))
    assert running.product.post(topics.READING, messages) == 202


def row(page: Page, key: str) -> Any:
    return page.locator(f"#devices-grid .ag-row[row-id='{key}']").first


def test_an_unknown_device_is_registered_and_a_table_is_taken(
    running: Running, admin: Terminal, tmp_path: Path
) -> None:
    send(running, 3)
    page = admin.page
    expect(page.locator("#devices-grid .ag-row").first).to_be_visible()
    expect(page.locator(".cy-chip.is-button").first).to_contain_text("5,096")
    running.artifacts.joinpath("devices-registry.png").write_bytes(page.screenshot())

    person = running.person("admin")
    until(lambda: any(r["thing"] == UNKNOWN for r in person.ask("quarantine").json()["rows"]), "not held")
    page.locator("[data-tab='quarantine']").click()
    expect(row(page, f"device:{UNKNOWN}")).to_contain_text("water_level_m=2.02")
    row(page, f"device:{UNKNOWN}").click()
    expect(page.locator("#device-id")).to_have_value(UNKNOWN)
    page.locator("#device-name").fill("新水位计")
    page.locator("#device-lon").fill(str(LON))
    page.locator("#device-lat").fill(str(LAT))
    running.artifacts.joinpath("devices-quarantine.png").write_bytes(page.screenshot())
    page.locator("[data-save='adopt']").click()
    expect(page.locator(".cy-toast").last).to_contain_text("释放 3 条消息")
    expect(row(page, f"device:{UNKNOWN}")).to_have_count(0)

    def stored() -> bool:
        answer = person.ask("device_series", device=UNKNOWN, metric="water_level_m").json()
        return bool(answer["v"] == [2.0, 2.01, 2.02])

    until(stored, "not stored")

    wrong, good = tmp_path / "错.csv", tmp_path / "好.csv"
    head = "设备编号,设备类型,设备名称,经度,纬度\n"
    wrong.write_bytes((head + f"IMP-1,水位计,甲,{LON},{LAT}\nIMP 2,没有,乙,x,{LAT}\n").encode("gbk"))
    good.write_bytes((head + f"IMP-1,水位计,甲,{LON},{LAT}\nIMP-2,水位计,乙,{LON},{LAT}\n").encode("gbk"))
    page.locator("[data-tab='import']").click()
    page.locator("#devices-upload input[type=file]").set_input_files(str(wrong))
    preview = page.locator("#devices-preview")
    expect(preview.locator("tbody tr")).to_have_count(3)
    expect(preview).to_contain_text("已登记的设备类型")
    expect(preview.locator("[data-confirm]")).to_have_count(0)
    running.artifacts.joinpath("devices-import.png").write_bytes(page.screenshot())
    page.locator("#devices-upload input[type=file]").set_input_files(str(good))
    preview.locator("[data-confirm]").click()
    expect(preview).to_contain_text("已全部入库")
    page.locator("[data-tab='registry']").click()
    page.locator("#devices-search").fill("IMP-")
    page.locator("#devices-search").press("Enter")
    expect(row(page, "IMP-2")).to_be_visible()
    row(page, "IMP-2").click()
    expect(page.locator("#device-name")).to_have_value("乙")
    page.locator("#devices-reason").fill("误登记")
    page.locator("[data-save='retire']").click()
    expect(row(page, "IMP-2")).to_contain_text("退役")

    until(
        lambda: person.ask("device_registry", health="online", limit=1).json()["total"] > 0,
        "nothing is online",
        120.0,
    )
    admin.in_english()
    expect(page.locator(".cy-chip.is-button").first).to_contain_text("All")
    expect(page.locator("#devices-grid .ag-row").first).to_be_visible()
    han = page.evaluate(
        UI_HAN, "#devices-grid, .brand, .user__name, [data-language], .Select, #devices-type, .cy-demo-tag"
    )
    assert [text for text in han if HAN.search(text)] == []
    running.artifacts.joinpath("devices-english.png").write_bytes(page.screenshot())
    person.close()


def test_a_pole_is_one_card(running: Running, chrome: Browser) -> None:
    """What a click on the pole's lamp asks for: eight functions, each with its own status."""
    with at_terminal(chrome, running.url, "operator", DESK_SIZE) as terminal:
        running.log_in(terminal, "operator", "desk")
        page = terminal.page
        page.evaluate("""() => {
          document.getElementById('records').showModal();
          window.dash_clientside.set_props('device-ask', {data: {device: 'EC-000001', at: Date.now()}});
        }""")
        card = page.locator("#device-body")
        expect(card.locator("tr[data-function]")).to_have_count(10)
        functions = card.locator("tr[data-function]").evaluate_all(
            "rows => rows.map(r => r.dataset.function)"
        )
        assert tuple(dict.fromkeys(functions)) == POLE_FUNCTIONS
        expect(card.locator("tr[data-function='lighting']")).to_contain_text(re.compile("在线|待观察"))
        expect(card.locator("tr[data-function='emergency_call']")).to_contain_text("一键报警求助")
        running.artifacts.joinpath("devices-pole.png").write_bytes(page.screenshot())


def test_cameras_their_precision_and_who_asked(running: Running, chrome: Browser) -> None:
    """A camera is found, opened, set aside and taken back; asking to view it shows among the requests."""
    with at_terminal(chrome, running.url, "operator", DESK_SIZE) as terminal:
        running.log_in(terminal, "operator", "devices")
        page, card = terminal.page, terminal.page.locator("#devices-side")
        page.locator("[data-tab='cameras']").click()
        # a camera's row by its code: for a moment the grid still holds the devices of the first tab
        first = page.locator("#devices-grid .ag-row").filter(has_text=re.compile(r"\d{20}")).first
        expect(first).to_be_visible()
        code = first.get_attribute("row-id") or ""
        alarm = envelope(topics.VIDEO_ALARM, code, {"camera": code, "kind": "fire_smoke", "confidence": 0.9})
        assert running.product.post(topics.VIDEO_ALARM, [alarm]) == 202
        page.locator("#devices-search").fill(code)
        page.locator("#devices-search").press("Enter")
        expect(page.locator(".ops__body")).to_contain_text("共 1 条，显示 1 条")
        row(page, code).click()
        expect(card).to_contain_text(code)
        expect(page.locator("#device-name")).to_be_hidden()
        card.get_by_role("button", name=re.compile("搁置 30")).click()
        expect(card).to_contain_text("已搁置至")
        running.artifacts.joinpath("devices-camera.png").write_bytes(page.screenshot())
        card.get_by_role("button", name="恢复").click()
        expect(card).not_to_contain_text("已搁置至")
        person = running.person("operator")
        until(
            lambda: any(r["camera"] == code for r in person.ask("alarm_precision").json()["rows"]),
            "the alarm has not come",
        )
        page.locator("[data-tab='precision']").click()
        expect(page.locator(".ops__body h1")).to_have_text("告警准确率")
        expect(row(page, f"{code} fire_smoke")).to_be_visible()
        running.artifacts.joinpath("devices-precision.png").write_bytes(page.screenshot())
        page.locator("[data-tab='views']").click()
        expect(page.locator(".ops__body h1")).to_have_text("调阅申请")
        running.artifacts.joinpath("devices-views.png").write_bytes(page.screenshot())


def test_a_credential_is_shown_once_and_a_metric_is_declared(
    running: Running, chrome: Browser, admin: Terminal
) -> None:
    """A device's credential is issued, opens the HTTPS door, is rotated and revoked; a type gets a metric."""
    page, side = admin.page, admin.page.locator("#devices-side")
    person = running.person("admin")
    device = person.ask("device_registry", type="water_level", limit=1).json()["rows"][0]["id"]
    page.locator("#devices-search").fill(device)
    page.locator("#devices-search").press("Enter")
    row(page, device).click()
    expect(side).to_contain_text("没有有效的凭证")
    side.get_by_role("button", name="签发").click()
    secret = side.locator("code.is-whole")
    expect(secret).to_have_text(re.compile(r"^\S{40,}$"))
    first = secret.inner_text()
    running.artifacts.joinpath("devices-credential.png").write_bytes(page.screenshot())

    def knocks(secret: str) -> int:
        reading = {
            "readings": [{"metric": "water_level_m", "value": 1.5, "time": datetime.now(UTC).isoformat()}]
        }
        url, headers = (
            f"{running.url}/api/v1/devices/{device}/readings",
            {"Authorization": f"Bearer {secret}"},
        )
        return httpx.post(url, json=reading, headers=headers).status_code

    assert knocks(first) == 202 and knocks("no") == 401
    side.get_by_role("button", name="轮换").click()
    expect(side.locator("tbody tr")).to_have_count(2)
    assert secret.inner_text() != first and knocks(first) == 202 and knocks(secret.inner_text()) == 202
    row(page, device).click()
    expect(side.locator("tbody tr")).to_have_count(2)
    expect(secret).to_have_count(0)
    for left in (1, 0):
        side.locator("tbody tr").last.get_by_role("button", name="吊销").click()
        expect(side.locator("tbody tr")).to_have_count(left)
    assert knocks(first) == 401

    page.locator("[data-tab='types']").click()
    row(page, "air_quality pm25_ug_m3").click()
    metric = side.locator("[data-fields]").last
    for name, value in (
        ("id", "co_mg_m3"),
        ("name", "一氧化碳"),
        ("unit", "mg/m³"),
        ("low", "0"),
        ("high", "高"),
    ):
        metric.locator(f"input[name='{name}']").fill(value)
    metric.get_by_role("button", name="保存").click()
    expect(page.locator(".cy-toast").last).to_contain_text("high")
    metric.locator("input[name='high']").fill("150")
    metric.get_by_role("button", name="保存").click()
    expect(side).to_contain_text("一氧化碳 · co_mg_m3")
    running.artifacts.joinpath("devices-type.png").write_bytes(page.screenshot())
    kinds = person.ask("device_types").json()["rows"]
    (made,) = (m for k in kinds if k["id"] == "air_quality" for m in k["metrics"] if m["id"] == "co_mg_m3")
    assert (made["low"], made["high"], made["unit"]) == (0, 150, "mg/m³")


def test_cameras_come_by_a_table(running: Running, admin: Terminal, tmp_path: Path) -> None:
    page, preview = admin.page, admin.page.locator("#devices-preview")
    code = "99010100001320009901"
    wrong, good = tmp_path / "错.csv", tmp_path / "好.csv"
    head = "监控点位编码,名称,经度,纬度,共享范围\n"
    wrong.write_bytes((head + f"{code},新北门,{LON},{LAT},大家\n").encode("gbk"))
    good.write_bytes((head + f"{code},新北门,{LON},{LAT},公安\n").encode("gbk"))
    page.locator("[data-tab='import']").click()
    page.get_by_role("button", name="摄像机", exact=True).click()
    expect(page.locator(".ops__body")).to_contain_text("监控点位编码")
    page.locator("#devices-upload input[type=file]").set_input_files(str(wrong))
    expect(preview.locator("tbody tr")).to_have_count(1)
    expect(preview.locator("tbody")).to_contain_text("共享范围")
    page.locator("#devices-upload input[type=file]").set_input_files(str(good))
    preview.locator("[data-confirm]").click()
    expect(preview).to_contain_text("已全部入库")
    page.locator("[data-tab='cameras']").click()
    page.locator("#devices-search").fill(code)
    page.locator("#devices-search").press("Enter")
    expect(row(page, code)).to_contain_text("新北门")
