"""Time limits as rule sheets write them ("2紧急工作时", "5天", "4小时") → an amount and a kind of clock.

Bare 天 and 小时 say no kind: the import profile of the city decides, and the limit is marked assumed. What cannot be
understood whole is told with the reason and goes to a person; nothing is guessed (FIELD E1, E2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from incidents.model import ClockKind

KINDS: Final[Mapping[str, ClockKind]] = {
    "紧急工作时": ClockKind.URGENT_HOUR,
    "紧急工作小时": ClockKind.URGENT_HOUR,
    "工作时": ClockKind.WORK_HOUR,
    "工作小时": ClockKind.WORK_HOUR,
    "工作日": ClockKind.WORK_DAY,
    "工作天": ClockKind.WORK_DAY,
    "自然日": ClockKind.NATURAL_DAY,
    "自然天": ClockKind.NATURAL_DAY,
    "日历天": ClockKind.NATURAL_DAY,
}
"""What says its kind by itself."""

BARE: Final = ("天", "日", "小时", "时")
"""What does not."""

YUNCHENG: Final[Mapping[str, ClockKind]] = {
    "天": ClockKind.WORK_DAY,
    "日": ClockKind.WORK_DAY,
    "小时": ClockKind.WORK_HOUR,
    "时": ClockKind.WORK_HOUR,
}
"""The usual import profile: days and hours of work."""

MOST: Final[Mapping[ClockKind, int]] = {
    ClockKind.URGENT_HOUR: 24 * 366,
    ClockKind.WORK_HOUR: 8 * 366,
    ClockKind.WORK_DAY: 366,
    ClockKind.NATURAL_DAY: 3660,
}
_LIMIT: Final = re.compile(r"\s*(?P<amount>\d{1,4}(?:\.\d{1,2})?)\s*个?\s*(?P<unit>\D+?)\s*")
_FULL_WIDTH: Final = str.maketrans("０１２３４５６７８９．", "0123456789.")


@dataclass(frozen=True, slots=True)
class Limit:
    """`amount` of hours or days, as `kind` says; `assumed`: the sheet names no kind, the profile does."""

    amount: Decimal
    kind: ClockKind
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class Odd:
    """A limit for a person to read: what stands there, and why it was not understood, in words and as one of
    form, unit, range."""

    text: str
    why: str
    rule: str = "form"


def limit_of(minutes: int, kind: ClockKind) -> Limit:
    """A catalogue's limit in minutes as one of its clock: hours have 60, days 1440 of them, whatever a day's office hours."""
    return Limit(
        Decimal(minutes) / (60 if kind in (ClockKind.URGENT_HOUR, ClockKind.WORK_HOUR) else 1440), kind
    )


def parse_limit(text: str, profile: Mapping[str, ClockKind]) -> Limit | Odd:
    """A limit of a rule sheet. `profile`: bare unit → kind."""
    found = _LIMIT.fullmatch(text.translate(_FULL_WIDTH))
    if found is None:
        return Odd(text, "must be a number and a unit, such as 2紧急工作时 or 5工作日")
    unit, amount = found["unit"], Decimal(found["amount"])
    kind = KINDS.get(unit) or (profile.get(unit) if unit in BARE else None)
    if kind is None:
        known = ", ".join((*KINDS, *(bare for bare in BARE if bare in profile)))
        return Odd(text, f"{unit!r} is no unit of time here; known are {known}", "unit")
    if not 0 < amount <= MOST[kind]:
        return Odd(text, f"{amount} must be more than 0 and at most {MOST[kind]}", "range")
    return Limit(amount, kind, assumed=unit in BARE)
