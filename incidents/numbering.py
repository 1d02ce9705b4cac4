"""The human incident number 案卷号: a pattern per city, e.g. `LL{date}{serial:05d}`. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

DEFAULT_PATTERN = "LL{date}{serial:05d}"


class BadPattern(ValueError):
    """The pattern of incident numbers cannot be used; the text says why."""


def incident_number(pattern: str, now: datetime, serial: int, timezone: str) -> str:
    """The number of the `serial`-th incident; {date} is the local day. Raises BadPattern."""
    if "{serial" not in pattern:
        raise BadPattern(f"number_pattern={pattern!r}: must contain {{serial}}")
    day = now.astimezone(ZoneInfo(timezone)).strftime("%Y%m%d")
    try:
        return pattern.format(date=day, serial=serial)
    except (KeyError, IndexError, ValueError) as error:
        raise BadPattern(f"number_pattern={pattern!r}: {error}") from None
