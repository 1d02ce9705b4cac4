"""Warning rules: threshold with hysteresis and duration. Pure: (state, time, value) → (state, detection).

A reading over a rule's threshold for at least `for_s` raises one warning, whose id names rule, version, device
and the time of the first crossing reading, so that re-reading the stream can never raise it twice. It clears
when a value is back at `clear_threshold` or better. Only readings newer than the newest judged one are judged:
late data is stored but cannot raise a warning about the past.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rule:
    """One warning rule; thresholds in the metric's own unit. `level` 1 (red) to 4 (blue)."""

    id: str
    version: int
    device_type: str
    metric: str
    op: Literal[">", "<"]
    threshold: float
    clear_threshold: float
    for_s: float
    level: int
    class_code: str
    message: str
    message_en: str = ""

    def over(self, value: float) -> bool:
        """True when `value` is beyond the threshold."""
        return value > self.threshold if self.op == ">" else value < self.threshold

    def clears(self, value: float) -> bool:
        """True when `value` is back at the clear threshold or better."""
        return value <= self.clear_threshold if self.op == ">" else value >= self.clear_threshold


def quiet_band(rules: Sequence[Rule]) -> tuple[float, float]:
    """(lowest, highest) value, both included, over which none of these rules is; nothing is quiet when they cross."""
    lowest = max((rule.threshold for rule in rules if rule.op == "<"), default=-inf)
    highest = min((rule.threshold for rule in rules if rule.op == ">"), default=inf)
    return lowest, highest


@dataclass(frozen=True, slots=True)
class RuleState:
    """Where a rule stands for one device. `since`: first crossing reading of the present excursion."""

    since: datetime | None = None
    raised: bool = False
    last_time: datetime | None = None
    warning_id: str = ""

    @property
    def neutral(self) -> bool:
        """Nothing to remember."""
        return self.since is None and not self.raised


@dataclass(frozen=True, slots=True)
class Detection:
    """A warning raised (`raised` True) or cleared by one reading."""

    warning_id: str
    raised: bool
    rule: Rule
    device: str
    value: float
    time: datetime


NEUTRAL = RuleState()


def warning_id(rule: Rule, device: str, since: datetime) -> str:
    """Identity of a warning: rule, version, device, time of the first crossing reading."""
    return f"{rule.id}.{rule.version}:{device}:{since.isoformat(timespec='microseconds')}"


def judge(
    rule: Rule, state: RuleState, device: str, time: datetime, value: float
) -> tuple[RuleState, Detection | None]:
    """Judge one reading; see the module's text for the law. `time` aware UTC."""
    if state.last_time is not None and time <= state.last_time:
        return state, None
    if state.raised:
        if rule.clears(value):
            gone = Detection(state.warning_id, False, rule, device, value, time)
            return RuleState(last_time=time), gone
        return replace(state, last_time=time), None
    if not rule.over(value):
        return RuleState(last_time=time), None
    since = state.since or time
    if (time - since).total_seconds() < rule.for_s:
        return RuleState(since=since, last_time=time), None
    identity = warning_id(rule, device, since)
    raised = RuleState(since=since, raised=True, last_time=time, warning_id=identity)
    return raised, Detection(identity, True, rule, device, value, time)
