"""The operations page: what the gateway's broker has dropped is closed by a person, with a reason."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Browser, expect

from tests.bench.truth import Store
from tests.e2e.browser import DESK_SIZE, at_terminal
from tests.e2e.conftest import Running

PROFILES: Final = ("embedded",)
WHY: Final = "网关停机 2 小时，队列已扩容"


def test_a_loss_is_closed_with_a_reason(running: Running, chrome: Browser) -> None:
    store = Store(running.product.env["CHENGYUN_DSN"])
    # What the gateway writes when Mosquitto counts 37 messages dropped (tests/contracts/test_gateway.py drops them).
    (number,) = store.rows(
        "INSERT INTO ledger_mismatches (found_at, kind, topic, partition, feed, minute, expected, found)"
        " VALUES (now(), 'mqtt_dropped', 'mqtt', 0, 'gateway', date_trunc('minute', now()), 37, 0) RETURNING id"
    )[0]
    with at_terminal(chrome, running.url, "administrator", DESK_SIZE) as terminal:
        running.log_in(terminal, "admin", "ops")
        page = terminal.page
        row = page.locator(f"#ops-mismatches .ag-row[row-id='{number}']").first
        row.click()
        form = page.locator("#ops-loss")
        expect(form).to_be_visible()
        expect(page.locator("#ops-mismatches .ag-header-cell-text").first).to_have_text("类型")
        running.artifacts.joinpath("ops-loss.png").write_bytes(page.screenshot(animations="disabled"))
        form.get_by_role("button", name="销账").click()
        expect(page.locator("#toasts")).to_contain_text("原因")
        expect(row).to_be_visible()
        row.click()
        page.locator("#ops-loss-reason").fill(WHY)
        form.get_by_role("button", name="销账").click()
        expect(page.locator("#toasts")).to_contain_text("已销账")
        expect(row).to_have_count(0)
    closed = "SELECT resolved_at IS NOT NULL FROM ledger_mismatches WHERE id = %s"
    assert store.rows(closed, (number,)) == [(True,)]
    assert WHY in str(store.rows("SELECT detail FROM audit ORDER BY id DESC LIMIT 50"))
