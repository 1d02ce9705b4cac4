"""`Questions` on the store: which thing a query names (for `may`), and its answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from data.address_store import StoredBook
from data.backtests import Backtests
from data.city_router import CityRouter
from data.database import Database
from data.questions import (
    addresses,
    catalogue,
    cells,
    desk,
    device_registry,
    devices,
    doubts,
    enforcement,
    evaluation,
    incidents,
    leader,
    map_questions,
    operations,
    phone,
    registries,
    replies,
    routing,
    screens,
    series,
    video,
)
from data.questions.context import Answer, Ask, TryFeed
from incidents import commands as c
from incidents.access import Thing
from incidents.desk_commands import VitalRecords, Vitals
from incidents.enforcement_commands import EnforcementCases
from incidents.evaluation_queries import Evaluation, EvaluationCases, EvaluationDoubts, FieldBurden
from incidents.model import Actor, Place, Rejected
from incidents.routing_queries import Backtest, BacktestCases, RoutingAdvice, RoutingState

ANSWERS: Final[dict[type, Answer]] = {
    **incidents.ANSWERS,
    **leader.ANSWERS,
    **devices.ANSWERS,
    **device_registry.ANSWERS,
    **registries.ANSWERS,
    **series.ANSWERS,
    **operations.ANSWERS,
    **video.ANSWERS,
    **evaluation.ANSWERS,
    **doubts.ANSWERS,
    **catalogue.ANSWERS,
    **routing.ANSWERS,
    **addresses.ANSWERS,
    **map_questions.ANSWERS,
    **replies.ANSWERS,
    **cells.ANSWERS,
    **enforcement.ANSWERS,
    **phone.ANSWERS,
    **screens.ANSWERS,
    **desk.ANSWERS,
}

_NAMED: Final[dict[type, tuple[str, str, str]]] = {
    c.IncidentDetail: (
        "id",
        "SELECT area_path, unit, worker, assisting FROM incidents WHERE id = %s",
        "incident",
    ),
    c.RouteIncident: (
        "id",
        "SELECT area_path, unit, worker, assisting FROM incidents WHERE id = %s",
        "incident",
    ),
    RoutingAdvice: (
        "id",
        "SELECT area_path, unit, worker, assisting FROM incidents WHERE id = %s",
        "incident",
    ),
    c.DeviceDetail: ("device", "SELECT area_path, '', '' FROM devices WHERE id = %s", "device"),
    c.DeviceSeries: ("device", "SELECT area_path, '', '' FROM devices WHERE id = %s", "device"),
    c.DeviceStatistics: ("device", "SELECT area_path, '', '' FROM devices WHERE id = %s", "device"),
    c.DeviceGaps: ("device", "SELECT area_path, '', '' FROM devices WHERE id = %s", "device"),
    c.CameraDetail: ("camera", "SELECT area_path, '', '' FROM cameras WHERE code = %s", "camera"),
    c.Areas: ("parent", "SELECT path, '', '' FROM areas WHERE code = %s", "area"),
}
"""Query → (field, SQL of the thing's area, unit, worker and, of incidents, assisting units, word)."""

_CITY_WIDE: Final = frozenset(
    {
        c.Ledger,
        c.DeadLetters,
        c.Held,
        c.Quarantine,
        c.AuditLog,
        c.Feeds,
        c.TestFeed,
        RoutingState,
        Backtest,
        BacktestCases,
        Vitals,
        VitalRecords,
    }
)
"""Queries about the whole city's streams and log: only who is entitled to the city may ask."""


_OF_AREA: Final = (
    c.Indicators,
    Evaluation,
    EvaluationCases,
    EvaluationDoubts,
    FieldBurden,
    EnforcementCases,
)
"""Queries about an area, if one is named."""


class StoreQuestions:
    """See `incidents.storeports.Questions`. `facts`: what the running process knows (bus, live, lags)."""

    def __init__(
        self,
        database: Database,
        place_of: Callable[[float, float], Place],
        facts: Callable[[], dict[str, Any]],
        city_path: Callable[[], str],
        try_feed: TryFeed | None = None,
        zone: str = "Asia/Shanghai",
        backtests: Backtests | None = None,
    ) -> None:
        self._database = database
        self._place_of = place_of
        self._facts = facts
        self._city_path = city_path
        self._try_feed = try_feed
        self._zone = zone
        self._backtests = backtests or Backtests(database, CityRouter(database), None, zone)
        self._book = StoredBook()

    def thing(self, query: object) -> Thing | None:
        """See Questions."""
        kind = type(query)
        if kind in _CITY_WIDE:
            return Thing(self._city_path())
        if isinstance(query, _OF_AREA):
            return self._area(query.area) if query.area else None
        named = _NAMED.get(kind)
        if named is None:
            return None
        field, sql, word = named
        value = getattr(query, field)
        if value == "":
            return None
        if isinstance(value, int) and not 0 <= value < 2**63:
            raise Rejected("not_found", f"{field}={value!r}: no such {word}", field=field)
        rows = self._database.query(sql, (value,))
        if not rows:
            raise Rejected("not_found", f"{field}={value!r}: no such {word}", field=field)
        area, unit, worker, *helping = rows[0]
        return Thing(area, unit, worker, tuple(helping[0]) if helping else ())

    def _area(self, area: str) -> Thing:
        rows = self._database.query("SELECT path FROM areas WHERE code = %s OR path = %s", (area, area))
        if not rows:
            raise Rejected("not_found", f"area={area!r}: no such area", field="area")
        return Thing(rows[0][0])

    def answer(self, query: object, actor: Actor, now: datetime) -> Any:
        """See Questions."""
        ask = Ask(
            self._database,
            actor,
            now,
            self._place_of,
            self._facts,
            self._zone,
            self._try_feed,
            self._backtests,
            self._book,
        )
        return ANSWERS[type(query)](ask, query)
