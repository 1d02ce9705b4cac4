"""Commands and queries about cases of administrative enforcement (S85). See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SetCaseLimit:
    """执法案件时限: so many days after it was opened a case must have a result; `kind`: natural_day or work_day."""

    days: int
    kind: str = "natural_day"
    key: str = ""


@dataclass(frozen=True, slots=True)
class EnforcementCases:
    """执法案件, those opened first before the others. `late`: only those without a result beyond the limit; `area`: code or
    path of an area, by where the event lies, else by whose unit it is."""

    late: bool = False
    area: str = ""
    limit: int = 100


COMMANDS: Final[dict[str, type]] = {"set_case_limit": SetCaseLimit}
QUERIES: Final[dict[str, type]] = {"enforcement_cases": EnforcementCases}
ACTION_OF: Final[dict[str, str]] = {"set_case_limit": "case.limit", "enforcement_cases": "case.see"}
"""Command or query → right, see incidents/access.py."""
