"""The health of a device: heard or silent, sound or faulty, a score from 0 to 100, and why. Pure; the clock is given.

 score = 100 − 40 · (share of the day lost in gaps)                    a gap: more than 3 expected periods without a reading
             − 60 · min(1, 10 · share of readings that cannot be)      of the metric that is worst
             − 50 when a metric is stuck                               the very same value for its `stuck_periods`
             − 40 when it is silent now                                not heard for 3 expected periods, or its
                                                                       connection broke and nothing came since
 and never below 0.

A device is faulty when a metric is stuck, when its newest value cannot be, or when more than 5 % of the day's cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from incidents.indicators import SILENT_AFTER_PERIODS

STATES: Final = ("unknown", "online", "silent", "faulty", "maintenance", "retired")
"""待观察 在线 静默 异常 检修 退役."""

WINDOW: Final = timedelta(days=1)
"""What is looked at: readings of the last day."""

GAP_COST: Final = 40.0
RANGE_COST: Final = 60.0
STUCK_COST: Final = 50.0
SILENT_COST: Final = 40.0

FAULTY_SHARE: Final = 0.05
"""More readings of a day outside of the plausible range than this share make a device faulty."""


@dataclass(frozen=True, slots=True)
class MetricDay:
    """What the last day's readings of one metric say. `lost_s`: time in gaps beyond the one expected period;
    `still_readings`, `still_s`: how many readings, over how long, the newest value has not changed."""

    name: str
    name_en: str
    unit: str
    low: float | None
    high: float | None
    stuck_periods: int | None
    readings: int
    outside: int
    newest: float
    newest_at: datetime
    gaps: int
    lost_s: float
    still_readings: int
    still_s: float


@dataclass(frozen=True, slots=True)
class Observed:
    """A device in service as it was seen."""

    period_s: float
    registered_at: datetime
    metrics: Sequence[MetricDay] = ()
    maintenance: bool = False
    last_before: datetime | None = None
    """Its newest reading before the day, when the day has none."""
    broke_off_at: datetime | None = None
    """Since when the gateway has no connection of it (MQTT last will); None = connected, or not at the gateway."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why points are missing, in words."""

    code: str
    text: str
    text_en: str
    cost: float


@dataclass(frozen=True, slots=True)
class Health:
    """What is said of a device; `score` None = there is nothing to judge by."""

    state: str
    score: int | None
    reasons: tuple[Reason, ...] = ()
    last_reported_at: datetime | None = None


def judge_health(seen: Observed, now: datetime) -> Health:
    """The health of a device at `now`."""
    last = max((m.newest_at for m in seen.metrics), default=seen.last_before)
    if seen.maintenance:
        return Health("maintenance", None, (), last)
    patience = timedelta(seconds=SILENT_AFTER_PERIODS * seen.period_s)
    broken = seen.broke_off_at is not None and (last is None or last <= seen.broke_off_at)
    if last is None and not broken and now - seen.registered_at <= patience:
        return Health("unknown", None)
    silent = broken or last is None or now - last > patience
    reasons = [
        *(
            _broken(seen.broke_off_at, now)
            if broken and seen.broke_off_at
            else _silence(seen, last, now, silent)
        ),
        *_gaps(seen, now, silent),
        *_ranges(seen),
        *(reason for m in seen.metrics for reason in _stuck(m, seen.period_s)[:1]),
    ]
    charged: dict[str, float] = {}
    for reason in reasons:
        charged[reason.code] = max(charged.get(reason.code, 0.0), reason.cost)
    score = max(0, round(100 - sum(charged.values())))
    faulty = any(stands_still(m, seen.period_s) or _cannot_be(m) for m in seen.metrics)
    return Health("silent" if silent else "faulty" if faulty else "online", score, tuple(reasons), last)


def stands_still(metric: MetricDay, period_s: float) -> bool:
    """The very same value for `stuck_periods` periods where noise is expected; two readings far apart prove nothing."""
    n = metric.stuck_periods
    return n is not None and metric.still_s >= n * period_s and metric.still_readings > n / 2


def _cannot_be(metric: MetricDay) -> bool:
    return outside(metric, metric.newest) or metric.outside > FAULTY_SHARE * metric.readings


def outside(metric: MetricDay, value: float) -> bool:
    """Outside of what a sound device can report."""
    return (metric.low is not None and value < metric.low) or (
        metric.high is not None and value > metric.high
    )


def _broken(since: datetime, now: datetime) -> list[Reason]:
    long = span(now - since)
    return [
        Reason(
            "offline",
            f"与网关的连接已断开 {long[0]}",
            f"its connection to the gateway broke {long[1]} ago",
            SILENT_COST,
        )
    ]


def _silence(seen: Observed, last: datetime | None, now: datetime, silent: bool) -> list[Reason]:
    if not silent:
        return []
    if last is None:
        since = span(now - seen.registered_at)
        return [
            Reason(
                "silent", f"登记 {since[0]} 以来从未上报", f"never heard since it was registered {since[1]} ago",
                SILENT_COST,
            )
        ]  # fmt: skip
    since = span(now - last)
    return [
        Reason(
            "silent", f"已 {since[0]} 未上报（应每 {seen.period_s:g} 秒一次）",
            f"not heard for {since[1]} (expected every {seen.period_s:g} s)", SILENT_COST,
        )
    ]  # fmt: skip


def _gaps(seen: Observed, now: datetime, silent: bool) -> list[Reason]:
    """Of the metric that was heard best: a device speaks when any of its metrics does."""
    since = max(seen.registered_at, now - WINDOW)
    whole = max((now - since).total_seconds(), seen.period_s)
    if not seen.metrics:
        return [] if not silent else [_gap(1, whole, whole)]
    best = min(seen.metrics, key=lambda m: m.lost_s)
    tail = (now - max(m.newest_at for m in seen.metrics)).total_seconds() - seen.period_s if silent else 0.0
    lost = best.lost_s + max(tail, 0.0)
    return [_gap(best.gaps + silent, lost, whole)] if lost > 0 else []


def _gap(gaps: int, lost_s: float, whole_s: float) -> Reason:
    share = min(1.0, lost_s / whole_s)
    long = span(timedelta(seconds=lost_s))
    return Reason(
        "gaps",
        f"近一天有 {gaps} 次中断，共缺 {long[0]}",
        f"{gaps} gaps within a day, {long[1]} in all",
        GAP_COST * share,
    )


def _ranges(seen: Observed) -> list[Reason]:
    found = []
    for m in seen.metrics:
        if not m.outside or not m.readings:
            continue
        cost = RANGE_COST * min(1.0, 10 * m.outside / m.readings)
        bounds = f"{_bound(m.low)}–{_bound(m.high)} {m.unit}".rstrip()
        found.append(
            Reason(
                "range", f"{m.name} 近一天 {m.readings} 次读数中 {m.outside} 次超出可信范围 {bounds}",
                f"{m.name_en or m.name}: {m.outside} of {m.readings} readings of a day outside of {bounds}", cost,
            )
        )  # fmt: skip
    return found


def _bound(value: float | None) -> str:
    return "…" if value is None else f"{value:g}"


def _stuck(m: MetricDay, period_s: float) -> list[Reason]:
    if not stands_still(m, period_s):
        return []
    since = span(timedelta(seconds=m.still_s))
    value = f"{m.newest:g} {m.unit}".rstrip()
    return [
        Reason(
            "stuck", f"{m.name} 已 {since[0]} 保持 {value} 不变",
            f"{m.name_en or m.name} has been exactly {value} for {since[1]}", STUCK_COST,
        )
    ]  # fmt: skip


def span(length: timedelta) -> tuple[str, str]:
    """A length of time in words, (Chinese, English), by its largest unit."""
    seconds = max(0, round(length.total_seconds()))
    for size, zh, en in ((86_400, "天", "d"), (3600, "小时", "h"), (60, "分钟", "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {zh}", f"{seconds // size} {en}"
    return f"{seconds} 秒", f"{seconds} s"
