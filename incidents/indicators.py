"""The eight indicator panels: names, units, targets, formulas with version. Their SQL is `data/indicators.py`.

Formulas in the style of FIELD E3; every value says as of when, and opens the records behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

WINDOW_DAYS: Final = 30

_READINGS: Final = ("city.reading.v1", "city.reading-critical.v1")
_TOLD: Final = ("city.grid-report.v1", "city.video-alarm.v1", *_READINGS)
"""What incidents are made of: reports, alarms of cameras, readings that become warnings."""

SILENT_AFTER_PERIODS: Final = 3
"""A device not heard for this many of its expected periods is silent."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """指标: `direction` says whether more or less is better; `limit_s`: older than this it is shown as stale.

    `topics`: what it is made of comes in by these; when a feed of one is cut, it is out of date, whatever its age.
    `records`: what a click opens (incidents | devices). `brief`: the formula in as few words as a panel of the wall
    has room for (two lines).
    """

    id: str
    version: int
    name: str
    name_en: str
    unit: str
    unit_en: str
    target: float | None
    direction: Literal["up", "down"]
    formula: str
    formula_en: str
    limit_s: float
    records: str
    brief: str
    brief_en: str
    topics: tuple[str, ...]


INDICATORS: Final = (
    Indicator(
        "open", 1, "在办事件", "Open incidents", "件", "", None, "down",
        "未结案、未作废、未拒绝的事件数", "incidents that are not closed, void or refused", 30, "incidents",
        "未结案、未作废、未拒绝的件数", "not closed, void or refused",
        _TOLD,
    ),
    Indicator(
        "overdue", 2, "超期未办", "Overdue", "件", "", 0, "down",
        "在办事件中，已过当前环节时限的件数；处置单位办理期间，环节时限即处置时限",
        "open incidents past the limit of their present stage; while a unit has one, that is the handling limit",
        30, "incidents",
        "在办中已过环节时限的件数", "open, past the limit of the stage",
        _TOLD,
    ),
    Indicator(
        "on_time_closing", 1, "按期结案率", "Closed on time", "%", "%", 95, "up",
        f"近{WINDOW_DAYS}天结案且处置未超期的件数 ÷ 近{WINDOW_DAYS}天结案件数 × 100%",
        f"closed within {WINDOW_DAYS} days and handled within the limit ÷ closed within {WINDOW_DAYS} days",
        60, "incidents",
        f"近{WINDOW_DAYS}天按期结案 ÷ 结案", f"on time ÷ closed, {WINDOW_DAYS} days",
        (),
    ),
    Indicator(
        "first_dispatch", 1, "首次派遣准确率", "Right at first dispatch", "%", "%", 98, "up",
        f"近{WINDOW_DAYS}天派遣、未被退回且未改派的件数 ÷ 近{WINDOW_DAYS}天派遣件数 × 100%",
        f"dispatched within {WINDOW_DAYS} days, neither returned nor re-sent ÷ dispatched", 60, "incidents",
        f"近{WINDOW_DAYS}天一次派准 ÷ 派遣", f"right at once ÷ dispatched, {WINDOW_DAYS} days",
        (),
    ),
    Indicator(
        "median_handling", 1, "处置时长中位数", "Median handling time", "分钟", "min", 240, "down",
        f"近{WINDOW_DAYS}天已反馈事件，从派遣到反馈的分钟数的中位数",
        f"median minutes from dispatch to the unit's result, last {WINDOW_DAYS} days", 60, "incidents",
        f"近{WINDOW_DAYS}天从派遣到反馈的中位数", f"median from dispatch to result, {WINDOW_DAYS} days",
        (),
    ),
    Indicator(
        "devices_online", 2, "设备在线率", "Devices online", "%", "%", 98, "up",
        "三个应报周期内有读数的设备数 ÷ 在册设备数 × 100%；登记未满一个应报周期且尚无读数的不计",
        "devices heard of within three expected periods ÷ registered devices, without those registered less than"
        " one period ago and not heard yet", 30, "devices",
        "三个周期内有读数 ÷ 在册", "heard in 3 periods ÷ registered",
        _READINGS,
    ),
    Indicator(
        "completeness", 2, "数据完整率", "Data completeness", "%", "%", 95, "up",
        "近15分钟实收读数（每台设备不超过应收数）÷ 应收读数 × 100%；设备从登记时刻起应收",
        "readings stored in 15 minutes, at most those expected of each device ÷ readings expected since it was"
        " registered", 180,
        "devices",
        "近15分钟实收 ÷ 应收读数", "received ÷ expected, 15 minutes",
        _READINGS,
    ),
    Indicator(
        "newest_age", 1, "最新数据时延", "Age of newest data", "秒", "s", 60, "down",
        "现在时刻 − 最新一条读数的时刻", "now − time of the newest reading", 30, "devices",
        "现在 − 最新读数的时刻", "now − time of the newest reading",
        _READINGS,
    ),
)  # fmt: skip

BY_ID: Final = {indicator.id: indicator for indicator in INDICATORS}


@dataclass(frozen=True, slots=True)
class Value:
    """A computed value; None = no data (never zero by default)."""

    value: float | None
    numerator: float | None
    denominator: float | None


def share(numerator: float, denominator: float) -> Value:
    """Per cent; no data when nothing is in the denominator."""
    if denominator <= 0:
        return Value(None, numerator, denominator)
    return Value(round(100.0 * numerator / denominator, 2), numerator, denominator)


def count(number: float) -> Value:
    """A plain count."""
    return Value(number, number, None)


def middle(values: Sequence[float]) -> Value:
    """The median; `denominator` tells of how many."""
    if not values:
        return Value(None, None, 0)
    return Value(round(float(median(values)), 1), None, len(values))


def ancestors(area_path: str) -> list[str]:
    """Paths of the city, district, town and village that hold `area_path` (and nothing below a village)."""
    parts = area_path.rstrip("/").split("/") if area_path else []
    return ["/".join(parts[:depth]) + "/" for depth in range(1, min(len(parts), 4) + 1)]
