"""The human incident number 案卷号: a pattern per city, e.g. `LL{date}{serial:05d}`. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from string import Formatter
from typing import Final
from zoneinfo import ZoneInfo

DEFAULT_PATTERN = "LL{date}{serial:05d}"

_LONGEST: Final = 40
_SPEC: Final = {"date": re.compile(""), "serial": re.compile(r"(0?[1-9]d)?")}
"""What may stand behind the colon of each field."""


class BadPattern(ValueError):
    """The pattern of incident numbers cannot be used; the text says why."""


def check_pattern(pattern: str) -> None:
    """Raise BadPattern unless every incident gets a number of its own from it: text, {date}, {serial} or {serial:05d}."""
    try:
        parts = list(Formatter().parse(pattern))
    except ValueError as error:
        raise BadPattern(f"number_pattern={pattern!r}: {error}") from None
    rule = ""
    fields = [name for _, name, _, _ in parts if name is not None]
    if "serial" not in fields:
        rule = "must contain {serial}"
    elif len(pattern) > _LONGEST or any(c.isspace() or not c.isprintable() for c in pattern):
        rule = f"must be at most {_LONGEST} printable characters without spaces"
    for _, name, spec, conversion in parts:
        if name is not None and (conversion or name not in _SPEC or not _SPEC[name].fullmatch(spec or "")):
            rule = (
                rule or f"must hold no other field than {{date}} and {{serial}}, {{serial:05d}}, has {name!r}"
            )
    if rule:
        raise BadPattern(f"number_pattern={pattern!r}: {rule}")


def incident_number(pattern: str, now: datetime, serial: int, timezone: str) -> str:
    """The number of the `serial`-th incident; {date} is the local day. Raises BadPattern."""
    check_pattern(pattern)
    day = now.astimezone(ZoneInfo(timezone)).strftime("%Y%m%d")
    return pattern.format(date=day, serial=serial)
