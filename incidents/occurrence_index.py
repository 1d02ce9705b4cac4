"""Which open occurrences a report may belong to: the port, its twin in memory, and the questions a report asks of it.

The twin keeps the places of sources in rows of latitude, each sorted by longitude: a question reads a few rows between two
longitudes, and the exact distance decides. Occurrences whose newest source is older than any window are let go in order.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from gis.cells import EARTH_RADIUS_M, distance_m
from incidents.merge_policy import MergePolicy
from incidents.merging import Decision, decide
from incidents.occurrence import Occurrence, Report
from incidents.text_likeness import plain

ROW_M: Final = 250.0
SLACK_DEG: Final = 1e-9
"""0.1 mm: rounding must not leave out what the exact distance would take."""


class Occurrences(Protocol):
    """The open occurrences, as merging asks for them."""

    def candidates(
        self, lon: float, lat: float, reach_m: float, since: datetime, kind: str | None
    ) -> Sequence[Occurrence]:
        """Every open occurrence of this kind (None: of any) with its newest source at or after `since`, of which at least
        one source lies within `reach_m` great-circle metres of the point, ends included. Each once, whole, by id.
        """

    def at_address(self, address: str, since: datetime, kind: str) -> Sequence[Occurrence]:
        """Every open occurrence of this kind with its newest source at or after `since`, of which at least one source has
        this address (compared as `text_likeness.plain`; none for an empty one). Each once, whole, by id.
        """


def find(report: Report, occurrences: Occurrences, policy: MergePolicy) -> Decision:
    """Ask for what the report might belong to, and decide. Whoever files meanwhile is the caller's to keep out."""
    reach = policy.reach_of(report.kind)
    since = report.at - timedelta(hours=reach.longest_h)
    if report.lon is None or report.lat is None:
        return decide(report, occurrences.at_address(report.address, since, report.kind), policy)
    found = {
        o.id: o for o in occurrences.candidates(report.lon, report.lat, reach.farthest_m, since, report.kind)
    }
    if report.text:
        # Only words can speak for another class, and only at the same spot.
        near = occurrences.candidates(report.lon, report.lat, policy.spot_m, since, None)
        found.update({o.id: o for o in near})
    if report.address:
        found.update({o.id: o for o in occurrences.at_address(report.address, since, report.kind)})
    return decide(report, found.values(), policy)


Entry = tuple[float, float, int, int]
"""lon, lat, occurrence, report: a place in a row."""


class OccurrencesInMemory:
    """The twin: one process's own, for tests, benches and what-if. Not thread-safe."""

    def __init__(self, row_m: float = ROW_M) -> None:
        self._row_deg = math.degrees(row_m / EARTH_RADIUS_M)
        self._rows: dict[int, list[Entry]] = {}
        self._addresses: dict[str, dict[int, int]] = {}
        self._held: dict[int, Occurrence] = {}
        self._ages: list[tuple[datetime, int]] = []

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, id: int) -> Occurrence:
        return self._held[id]

    def put(self, occurrence: Occurrence) -> None:
        """Hold it as it is now, in place of what was held under its id; without sources it is let go."""
        former = self._held.get(occurrence.id)
        before = {source.id: source for source in former.sources} if former else {}
        after = {source.id: source for source in occurrence.sources}
        for id, source in before.items():
            if after.get(id) is not source:
                self._take_out(occurrence.id, source)
        for id, source in after.items():
            if before.get(id) is not source:
                self._take_in(occurrence.id, source)
        if not occurrence.sources:
            self._held.pop(occurrence.id, None)
            return
        self._held[occurrence.id] = occurrence
        if former is None:
            heapq.heappush(self._ages, (occurrence.newest_at, occurrence.id))

    def drop(self, id: int) -> None:
        """It is closed, or not wanted any more."""
        for source in self._held.pop(id).sources:
            self._take_out(id, source)

    def forget(self, before: datetime) -> list[Occurrence]:
        """Let go, and return, what has had no source since `before`."""
        gone: list[Occurrence] = []
        while self._ages and self._ages[0][0] < before:
            _, id = heapq.heappop(self._ages)
            held = self._held.get(id)
            if held is None:
                continue
            if held.newest_at >= before:
                heapq.heappush(self._ages, (held.newest_at, id))
            else:
                gone.append(held)
                self.drop(id)
        return gone

    def candidates(
        self, lon: float, lat: float, reach_m: float, since: datetime, kind: str | None
    ) -> list[Occurrence]:
        """As the port says."""
        found: set[int] = set()
        angle = reach_m / EARTH_RADIUS_M
        high = math.degrees(angle) + SLACK_DEG
        if abs(lat) + high < 90:
            wide = math.degrees(math.asin(math.sin(angle) / math.cos(math.radians(lat)))) + SLACK_DEG
            spans = _spans(lon - wide, lon + wide)
        else:
            # The circle holds a pole: every longitude is in it.
            spans = ((-180.0, 180.0),)
        for number in range(self._row(lat - high), self._row(lat + high) + 1):
            row = self._rows.get(number, [])
            for west, east in spans:
                for x, y, id, _ in row[bisect_left(row, (west,)) : bisect_right(row, (east, math.inf))]:
                    if id not in found and distance_m(lon, lat, x, y) <= reach_m:
                        found.add(id)
        return self._fitting(found, since, kind)

    def at_address(self, address: str, since: datetime, kind: str) -> list[Occurrence]:
        """As the port says."""
        return self._fitting(self._addresses.get(plain(address), ()), since, kind)

    def _fitting(self, ids: Iterable[int], since: datetime, kind: str | None) -> list[Occurrence]:
        held = (self._held[id] for id in sorted(ids))
        return [o for o in held if o.newest_at >= since and (kind is None or o.kind == kind)]

    def _row(self, lat: float) -> int:
        return math.floor(lat / self._row_deg)

    def _take_in(self, id: int, source: Report) -> None:
        if source.lon is not None and source.lat is not None:
            row = self._rows.setdefault(self._row(source.lat), [])
            insort(row, (source.lon, source.lat, id, source.id))
        if address := plain(source.address):
            counts = self._addresses.setdefault(address, {})
            counts[id] = counts.get(id, 0) + 1

    def _take_out(self, id: int, source: Report) -> None:
        if source.lon is not None and source.lat is not None:
            number = self._row(source.lat)
            row = self._rows[number]
            del row[bisect_left(row, (source.lon, source.lat, id, source.id))]
            if not row:
                del self._rows[number]
        if address := plain(source.address):
            counts = self._addresses[address]
            counts[id] -= 1
            if not counts[id]:
                del counts[id]
            if not counts:
                del self._addresses[address]


def _spans(west: float, east: float) -> tuple[tuple[float, float], ...]:
    """A range of longitudes as ranges within -180 … 180."""
    if west < -180:
        return (west + 360, 180.0), (-180.0, east)
    if east > 180:
        return (west, 180.0), (-180.0, east - 360)
    return ((west, east),)
