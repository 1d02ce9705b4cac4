"""What the desk says of an order: sent, delivered, read, taken, with when; unread for how long, until it is read or taken."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.model import Actor
from layouts.desk.detail import order
from layouts.shell.view import View

SENT, DELIVERED, SEEN, TAKEN = (f"2026-11-30T06:0{n}:00+00:00" for n in (1, 2, 3, 4))


def said(lang: str, *receipts: tuple[str, str], taken: str | None = None, former: bool = False) -> str:
    rows: list[dict[str, Any]] = [
        {"id": 2, "kind": "lead", "issued_at": SENT, "seen_at": taken, "ended_at": None},
        {"id": 3, "kind": "assist", "issued_at": TAKEN, "seen_at": None, "ended_at": None},
    ]
    if former:
        rows.insert(0, {"id": 1, "kind": "lead", "issued_at": SENT, "seen_at": SENT, "ended_at": SENT})
    incident = {
        "stage": "taken" if taken else "dispatched",
        "orders": rows,
        "receipts": [{"order_id": 2, "state": state, "at": at} for state, at in receipts]
        + ([{"order_id": 1, "state": "seen", "at": SENT}] if former else []),
    }
    view = View(lang, "Asia/Shanghai", Actor(1, "d", "派", "dispatcher", "", ("990100/",)), "临澜市")
    return str(order(view, incident))


@pytest.mark.parametrize(
    ("receipts", "words", "unread"),
    [
        ((), "下达 14:01:00", "未送达"),
        ((("delivered", DELIVERED),), "下达 14:01:00 → 送达 14:02:00", "未读"),
        ((("delivered", DELIVERED), ("seen", SEEN)), "下达 14:01:00 → 送达 14:02:00 → 已读 14:03:00", ""),
    ],
)
def test_how_far_it_has_come(receipts: tuple[tuple[str, str], ...], words: str, unread: str) -> None:
    found = said("zh", *receipts)
    assert words in found
    assert ("lamp" in found) is bool(unread)
    assert unread in found and ("未" in found) is bool(unread)
    assert ("data-since" in found) is bool(unread), "for how long it is so is counted on the screen"


def test_what_is_taken_is_not_unread() -> None:
    assert "接单 14:04:00" in said("zh", taken=TAKEN)
    assert "未" not in said("zh", taken=TAKEN)


def test_the_receipt_of_a_former_order_counts_for_none_after_it() -> None:
    assert "未送达" in said("zh", former=True)


def test_it_is_said_in_english_too() -> None:
    assert "Sent 14:01:00 → delivered 14:02:00" in said("en", ("delivered", DELIVERED))
