"""回执 of orders: what a phone says once is noted once, never before the order and never after now; a new order is unread."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.lifecycle import Step
from incidents.model import Actor, ClockKind, Incident, Place, Policy, Rejected, Stage
from incidents.receipts import STATES, noted
from tests.working import advance

T0 = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DISPATCHER = Actor(1, "d", "派遣", "dispatcher", "", ("990100/",))
SENT = replace(
    Incident(id=1, number="1", class_code="C", class_name="C", title="t", text="t", stage=Stage.DISPATCHED, level=3,
             place=Place(), reported_at=T0),
    unit="U1", worker="gw1", dispatched_at=T0, stage_since=T0,
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(STATES), st.integers(-60, 60), st.integers(0, 60)), max_size=8))
def test_whatever_phones_say_the_order_was_delivered_before_it_was_read(
    said: list[tuple[str, int, int]],
) -> None:
    incident, now = SENT, T0
    for state, claimed, later in said:
        now += later * MINUTE
        before = incident
        incident = noted(incident, state, T0 + claimed * MINUTE, now)
        assert incident.version == before.version, "nobody's press becomes stale by a receipt"
        assert before.opened_at in (None, incident.opened_at), "the first reading stands"
        if incident.opened_at is not None:
            assert (
                incident.delivered_at is not None and T0 <= incident.delivered_at <= incident.opened_at <= now
            )
        assert noted(incident, state, T0 + claimed * MINUTE, now) is incident, "said again it changes nothing"


@pytest.mark.parametrize(
    "stage", [Stage.REPORTED, Stage.ACCEPTED, Stage.RETURNED_RESULT, Stage.CLOSED, Stage.VOID]
)
def test_of_an_order_that_is_over_nothing_is_noted(stage: Stage) -> None:
    late = replace(SENT, stage=stage)
    assert noted(late, "seen", T0, T0 + MINUTE) is late


def test_a_phone_without_a_clock_of_its_own_means_now() -> None:
    assert noted(SENT, "delivered", None, T0 + MINUTE).delivered_at == T0 + MINUTE


def test_what_is_no_receipt_is_refused() -> None:
    with pytest.raises(Rejected, match="state='taken'"):
        noted(SENT, "taken", T0, T0)
    with pytest.raises(Rejected, match="must carry its offset"):
        noted(SENT, "seen", T0.replace(tzinfo=None), T0)


@pytest.mark.parametrize(
    ("unit", "worker", "anew"), [("U1", "gw2", True), ("U2", "", True), ("U1", "gw1", False)]
)
def test_a_reassigned_order_is_unread_again(unit: str, worker: str, anew: bool) -> None:
    read = noted(replace(SENT, policy=POLICY), "seen", None, T0 + MINUTE)
    step = Step("reassign", "desk", unit=unit, worker=worker, reason="r")
    sent, _, _ = advance(read, step, DISPATCHER, T0 + 2 * MINUTE)
    assert (sent.opened_at is None, sent.delivered_at is None) == (anew, anew)


POLICY = Policy("C", 1, 60, ClockKind.URGENT_HOUR, False, {})
