"""Queries of routing 智能分拨. See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RoutingAdvice:
    """Every advice of routing on an incident, newest first: ranked units with their reasons, how sure, by which version,
    why it was or was not automatic; and the rules of it that came back."""

    id: int


@dataclass(frozen=True, slots=True)
class RoutingState:
    """Which router is in force, the trained ones with what was measured, the tables that were imported, the rules that
    are not automatic."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """Past incidents (filed from day `begin` to day `end`, YYYY-MM-DD; '' = all that there are) routed anew: coverage,
    right first dispatches, who gains load, which ones move, beside the router in force. `router`: a trained one, '' =
    the one in force, 'rules' = the table alone; `table`: an imported table instead of the one in force."""

    router: str = ""
    table: int | None = None
    begin: str = ""
    end: str = ""
    most: int = 2000


@dataclass(frozen=True, slots=True)
class BacktestCases:
    """The very incidents behind a figure of a backtest. `of`: moved | gained | lost | wrong | automatic | wrong_automatic
    | manual; `unit`: only those that go to this unit or leave it."""

    of: str
    router: str = ""
    table: int | None = None
    begin: str = ""
    end: str = ""
    most: int = 2000
    unit: str = ""
    limit: int = 200


QUERIES: Final[dict[str, type]] = {
    "routing_advice": RoutingAdvice,
    "routing_state": RoutingState,
    "backtest": Backtest,
    "backtest_cases": BacktestCases,
}
ACTION_OF: Final[dict[str, str]] = {
    "routing_advice": "incident.see",
    "routing_state": "routing.see",
    "backtest": "routing.see",
    "backtest_cases": "routing.see",
}
"""Query → right, see incidents/access.py."""
