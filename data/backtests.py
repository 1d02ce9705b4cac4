"""Backtests on the store: past incidents routed anew by a candidate, beside the router in force. The last few are kept, so
that the incidents behind a figure are those that were counted."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from data.city_router import Routers, rules_alone, trained
from data.database import Cursor, Database
from data.past_incidents import read_past
from data.routing_rules import read_rules
from data.routing_store import trust
from incidents.backtest import Replayed, replay
from incidents.dispatching import Router
from incidents.model import Rejected
from incidents.responsibility import Rules
from incidents.router_file import BadRouter
from incidents.routing_queries import Backtest, BacktestCases

KEPT: Final = 4
MOST: Final = 10_000
"""Incidents that one backtest replays: some 10 s of a processor for both routers."""

WAITS_S: Final = 5.0
"""So long a request waits for the backtest of another; then it is told to come back."""
FRESH: Final = timedelta(minutes=2)

RULES_ALONE: Final = "rules"
ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished backtest: versions of both routers, the cases, and until when the candidate learned (None: never)."""

    before: str
    after: str
    threshold: float
    cases: tuple[Replayed, ...]
    learned_until: datetime | None
    begin: datetime
    end: datetime
    at: datetime


class Backtests:
    """Thread-safe; one runs at a time."""

    def __init__(self, database: Database, router: Routers, folder: Path | None, zone: str) -> None:
        self._database = database
        self.router = router
        self._folder = folder
        self._zone = zone
        self._lock = threading.Lock()
        self._runs: OrderedDict[tuple[Any, ...], Run] = OrderedDict()

    def run(self, query: Backtest | BacktestCases, now: datetime, lat: Callable[[], float]) -> Run:
        """The backtest of a query. Raises Rejected."""
        begin, end = self._moment("begin", query.begin, ALWAYS), self._moment("end", query.end, now)
        if query.end:
            end += timedelta(days=1)
        if begin >= end:
            raise Rejected("field", f"begin={query.begin!r}: must be before the end", field="begin")
        if not 1 <= query.most <= MOST:
            raise Rejected("field", f"most={query.most}: must be 1 to {MOST}", field="most")
        before = self.router()
        asked = (query.router, query.table, begin, query.end, query.most)
        if not self._lock.acquire(timeout=WAITS_S):
            raise Rejected("rule", "backtest: one is running; ask again when it is done")
        try:
            # What was counted is what is opened; a figure that is asked for anew is counted anew once it is old.
            run = self._runs.get(asked)
            fresh = run is not None and (
                isinstance(query, BacktestCases) or (run.before == before.version and now - run.at < FRESH)
            )
            if run is None or not fresh:
                run = self._replayed(query, before, begin, end, now, lat())
                self._runs[asked] = run
            self._runs.move_to_end(asked)
            while len(self._runs) > KEPT:
                self._runs.popitem(last=False)
            return run
        finally:
            self._lock.release()

    def _replayed(
        self,
        query: Backtest | BacktestCases,
        before: Router,
        begin: datetime,
        end: datetime,
        now: datetime,
        lat: float,
    ) -> Run:
        with self._database.transaction() as cursor:
            rules = read_rules(cursor, self._table(cursor, query.table))
            after, until = self._candidate(cursor, query.router, before, rules)
            cases = read_past(cursor, rules, begin, end, query.most, lat)
            known = self._learned_until(cursor, before.version.partition("+")[0])
            believed = trust(cursor)
        found = replay(cases, before, after, believed, (until, known))  # seconds: the store waits for nobody
        return Run(before.version, after.version, after.threshold, tuple(found), until, begin, end, now)

    def _moment(self, field: str, text: str, otherwise: datetime) -> datetime:
        if not text:
            return otherwise
        try:
            return datetime.combine(date.fromisoformat(text), time.min, ZoneInfo(self._zone))
        except ValueError:
            raise Rejected("field", f"{field}={text!r}: must be a date, YYYY-MM-DD", field=field) from None

    @staticmethod
    def _table(cursor: Cursor, table: int | None) -> int | None:
        if table is not None:
            cursor.execute("SELECT 1 FROM responsibility_tables WHERE id = %s", (table,))
            if cursor.fetchone() is None:
                raise Rejected("not_found", f"table={table}: no such imported table", field="table")
        return table

    @staticmethod
    def _learned_until(cursor: Cursor, version: str) -> datetime | None:
        cursor.execute("SELECT learned_until FROM router_models WHERE version = %s", (version,))
        row = cursor.fetchone()
        return row[0] if row else None

    def _candidate(
        self, cursor: Cursor, wanted: str, before: Router, rules: Rules
    ) -> tuple[Router, datetime | None]:
        """The router of a query over these rules, and until when it learned. Raises Rejected."""
        version = wanted or before.version.partition("+")[0]
        if wanted == RULES_ALONE or (not wanted and "+" not in before.version):
            return rules_alone(rules), None
        cursor.execute(
            "SELECT version, file, sha256, learned_until FROM router_models WHERE version = %s", (version,)
        )
        row = cursor.fetchone()
        if row is None:
            raise Rejected("not_found", f"router={wanted!r}: no such trained router", field="router")
        if self._folder is None:
            raise Rejected("rule", f"router={version!r}: no folder of models is known here", field="router")
        try:
            name, file, sha256, until = row
            return trained(self._folder, name, file, sha256, rules), until
        except BadRouter as error:
            raise Rejected("rule", f"router={version!r}: {error}", field="router") from None
