"""Commands of routing 智能分拨: rules that came back, trained routers, responsibility tables. See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class ApproveRule:
    """A person has looked at a rule whose dispatch came back and lets it act by itself again, with why."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class PublishRouter:
    """A trained router comes into force in the place of the one before; every process asks it within five seconds."""

    router: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SwitchOffRouter:
    """No trained router is in force: the responsibility table alone advises, and nothing is dispatched by itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class ImportResponsibilities:
    """Read a responsibility table (CSV, XLSX, as base64; columns class_code, area, unit, and reason, period if it has
    them). With `confirm` it is kept as a draft, to be replayed against past incidents; it is in force when published."""

    content: str = field(metadata={"longest": 12_000_000})
    filename: str = ""
    name: str = ""
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class ImportRoles:
    """What words of rule sheets mean here (CSV, XLSX, as base64; columns role, area, unit, and road_class for who keeps a
    road): with `confirm` they take the place of those before. Roles that are owners are known without it."""

    content: str = field(metadata={"longest": 12_000_000})
    filename: str = ""
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class PublishResponsibilities:
    """A draft becomes the responsibility table in force."""

    table: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SavePeriod:
    """A special period (kind 汛期 …, from `begins` to before `ends`, aware) in which rows of the table made for its kind
    are in force; the same kind and begin: its end and name change."""

    kind: str
    name: str
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class EndPeriod:
    """A special period that is under way ends now; one that has not begun is taken back."""

    kind: str
    begins: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetCapacity:
    """How many incidents a unit can work on at once: at that many, nothing goes to it by itself. None: not judged."""

    unit: str
    capacity: int | None = None
    reason: str = ""


COMMANDS: Final[dict[str, type]] = {
    "approve_rule": ApproveRule,
    "publish_router": PublishRouter,
    "switch_off_router": SwitchOffRouter,
    "import_responsibilities": ImportResponsibilities,
    "import_roles": ImportRoles,
    "publish_responsibilities": PublishResponsibilities,
    "save_period": SavePeriod,
    "end_period": EndPeriod,
    "set_capacity": SetCapacity,
}

ACTION_OF: Final[dict[str, str]] = {
    "approve_rule": "routing.approve",
    "publish_router": "routing.publish",
    "switch_off_router": "routing.publish",
    "import_responsibilities": "routing.publish",
    "import_roles": "routing.publish",
    "publish_responsibilities": "routing.publish",
    "save_period": "routing.publish",
    "end_period": "routing.publish",
    "set_capacity": "unit.capacity",
}
"""Command → right, see incidents/access.py."""
