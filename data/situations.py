"""The time machine: what the screens showed at a moment that has passed, and what changed between two of them.

The items are those of the live state (`data/boards.py`), read from what the store keeps anyway: incidents from
`incident_states`, values of devices from the readings, warnings and positions from their tables, figures from
`indicator_history` and, for totals, counted anew. A reading belongs to its own time, even if it arrived later: the
replay shows what was, and the live screen what was known.

Devices, workers and areas are shown under the names and rights they have now.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil
from typing import Any, Final

from data import boards
from data.boards import CLOSED_ITEMS, OPEN_ITEMS
from data.database import Database
from data.incident_rows import ms
from data.incident_totals import of_areas
from data.indicators import item as indicator_item
from incidents.indicators import BY_ID, SILENT_AFTER_PERIODS, Value, ancestors

Item = dict[str, Any]
Key = tuple[str, str, str]
"""kind, key, area path: of something that is no longer shown."""

VALUES_BACK: Final = timedelta(days=3)
"""A value older than this is not shown, as on the live screens (`boards.device_items`)."""
POSITIONS_BACK: Final = timedelta(days=1)
FIGURES_BACK: Final = timedelta(minutes=15)
_WARNINGS: Final = 1000


@dataclass(slots=True)
class Moment:
    """What changed up to `at`: items as they were then, and what was no longer shown."""

    at: datetime
    items: list[Item] = field(default_factory=list)
    gone: list[Key] = field(default_factory=list)


@dataclass(slots=True)
class _Device:
    """A device while its past is gone through."""

    code: str
    type: str
    area: str
    silent_after: timedelta
    values: dict[str, float] = field(default_factory=dict)
    newest: datetime | None = None
    raised: int = 0

    def item(self, at: datetime) -> Item:
        silent = self.newest is None or at - self.newest > self.silent_after
        return {
            "kind": "device",
            "key": self.code,
            "area": self.area,
            "type": self.type,
            "values": dict(self.values),
            "t": ms(self.newest) or 0,
            "status": "silent" if silent else "warning" if self.raised else "online",
        }


class _Silences:
    """When each device falls silent, should nothing come of it: so that a step looks at those alone."""

    def __init__(self, devices: Mapping[int, _Device], begin: datetime) -> None:
        self._due = [
            (device.newest + device.silent_after, number)
            for number, device in devices.items()
            if device.newest is not None and device.newest + device.silent_after >= begin
        ]
        self._due += [(begin, number) for number, device in devices.items() if device.newest is None]
        heapq.heapify(self._due)

    def expect(self, number: int, device: _Device) -> None:
        """Something came of it."""
        if device.newest is not None:
            heapq.heappush(self._due, (device.newest + device.silent_after, number))

    def until(self, at: datetime) -> Iterator[int]:
        """Those that may have fallen silent by `at`, each once a time that was expected."""
        while self._due and self._due[0][0] < at:
            yield heapq.heappop(self._due)[1]


class Situations:
    """Past situations of one city. `zone`: the city's, by which a day begins. `keep`: how far back states are kept whole
    (`forget_states`); None: to their beginning."""

    def __init__(self, database: Database, city: str, zone: tzinfo, keep: timedelta | None = None) -> None:
        self._database = database
        self._city = city
        self._zone = zone
        self._keep = keep

    def begins(self, now: datetime) -> datetime | None:
        """From when on it is known what screens showed of incidents; None: of none yet."""
        rows = self._database.query("SELECT lower(span) FROM incident_states ORDER BY lower(span) LIMIT 1")
        if not rows:
            return None
        first: datetime = rows[0][0]
        # What stands unchanged since long ago is older than what is kept of everything.
        return first if self._keep is None else max(first, now - self._keep)

    def at(self, at: datetime) -> list[Item]:
        """Every item that the screens showed at a moment."""
        return [
            boards.demo_item(self._database),
            *self._incidents(at),
            *self._totals(at),
            *(device.item(at) for device in self._devices(at).values()),
            *self._warnings(at),
            *self._workers(at - POSITIONS_BACK, at),
            *self._figures(at),
        ]

    def between(self, begin: datetime, end: datetime, step: timedelta) -> list[Moment]:
        """What changed in (begin, end], gathered into steps: applied to `at(begin)` in order, they give `at(end)`."""
        steps = max(1, ceil((end - begin) / step))
        moments = [Moment(min(end, begin + (n + 1) * step)) for n in range(steps)]

        def moment_of(time: datetime) -> Moment:
            return moments[min(steps - 1, max(0, ceil((time - begin) / step) - 1))]

        for time, item in self._database.query(
            "SELECT lower(span), item FROM incident_states WHERE lower(span) > %s AND lower(span) <= %s ORDER BY 1",
            (begin, end),
        ):
            moment_of(time).items.append(item)
        self._warned(begin, end, moment_of)
        self._device_changes(begin, moments, moment_of)
        for item in self._workers(begin, end):
            moment_of(datetime.fromtimestamp(item["t"] / 1000, UTC)).items.append(item)
        moments[-1].items += [*self._totals(end), *self._figures(end)]
        return [moment for moment in moments if moment.items or moment.gone]

    # -- incidents -------------------------------------------------------------------------------------------

    def _incidents(self, at: datetime) -> Iterable[Item]:
        """As the live state keeps them: level I and II, the newest of the others, the last that were closed."""
        shown = "SELECT item FROM incident_states WHERE span @> %(at)s AND"
        for condition in (
            "NOT final AND (item ->> 'level')::int <= 2",
            "NOT final AND (item ->> 'level')::int > 2 ORDER BY (item ->> 'reported_at')::bigint DESC"
            f" LIMIT {OPEN_ITEMS}",
            f"final AND lower(span) <= %(at)s ORDER BY lower(span) DESC LIMIT {CLOSED_ITEMS}",
        ):
            for (item,) in self._database.query(f"{shown} {condition}", {"at": at}):
                yield item

    def _totals(self, at: datetime) -> list[Item]:
        midnight = at.astimezone(self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        totals: dict[str, Counter[str]] = defaultdict(Counter)

        def add(path: str, what: str, number: int) -> None:
            for area in ancestors(path or self._city):
                totals[area][what] += number

        params = {"at": at, "at_ms": ms(at), "midnight": midnight, "midnight_ms": ms(midnight)}
        for path, level, stage, number, late, today in self._database.query(
            "SELECT item ->> 'area', (item ->> 'level')::int, item ->> 'stage', count(*),"
            " count(*) FILTER (WHERE (item ->> 'stage_due_at')::bigint < %(at_ms)s),"
            " count(*) FILTER (WHERE (item ->> 'reported_at')::bigint >= %(midnight_ms)s)"
            " FROM incident_states WHERE NOT final AND span @> %(at)s GROUP BY 1, 2, 3",
            params,
        ):
            for what in ("open", f"level {level}", f"stage {stage}"):
                add(path, what, number)
            add(path, "overdue", late)
            add(path, "today", today)
        for path, today, closed in self._database.query(
            "SELECT item ->> 'area', count(*) FILTER (WHERE (item ->> 'reported_at')::bigint >= %(midnight_ms)s),"
            " count(*) FILTER (WHERE item ->> 'stage' = 'closed' AND (item ->> 'closed_at')::bigint >= %(midnight_ms)s)"
            " FROM incident_states WHERE final AND lower(span) >= %(midnight)s AND lower(span) <= %(at)s"
            " AND span @> %(at)s GROUP BY 1",
            params,
        ):
            add(path, "today", today)
            add(path, "closed", closed)
        return of_areas(self._database, totals, self._city, at)

    # -- devices and warnings --------------------------------------------------------------------------------

    def _devices(self, at: datetime) -> dict[int, _Device]:
        devices = {
            number: _Device(code, kind, area, timedelta(seconds=SILENT_AFTER_PERIODS * period))
            for number, code, kind, area, period in self._database.query(
                "SELECT no, id, type, area_path, expected_period_s FROM devices"
                " WHERE NOT disabled AND registered_at <= %s",
                (at,),
            )
        }
        for number, metric, time, value in self._database.query(
            "SELECT d.no, m.id, r.time, r.value FROM devices d JOIN metrics m ON m.device_type = d.type,"
            " LATERAL (SELECT time, value FROM readings WHERE device_no = d.no AND metric_no = m.no"
            " AND time > %s AND time <= %s ORDER BY time DESC LIMIT 1) r WHERE NOT d.disabled",
            (at - VALUES_BACK, at),
        ):
            _take(devices.get(number), metric, time, value)
        for number, raised in self._database.query(
            "SELECT d.no, count(*) FROM warnings w JOIN devices d ON d.id = w.device"
            " WHERE w.created_at <= %(at)s AND (w.cleared_at IS NULL OR w.cleared_at > %(at)s) GROUP BY 1",
            {"at": at},
        ):
            if number in devices:
                devices[number].raised = raised
        return devices

    def _device_changes(self, begin: datetime, moments: Sequence[Moment], moment_of: Any) -> None:
        end = moments[-1].at
        devices = self._devices(begin)
        shown = {number: device.item(begin) for number, device in devices.items()}
        news: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        step_s = (moments[0].at - begin).total_seconds()
        for number, metric, time, value in self._database.query(
            "SELECT DISTINCT ON (device_no, metric_no, ceil(extract(epoch FROM time - %(begin)s) / %(step)s))"
            " device_no, m.id, time, value FROM readings JOIN metrics m ON m.no = metric_no"
            " WHERE time > %(begin)s AND time <= %(end)s"
            " ORDER BY device_no, metric_no, ceil(extract(epoch FROM time - %(begin)s) / %(step)s), time DESC",
            {"begin": begin, "end": end, "step": step_s},
        ):
            news[id(moment_of(time))].append((number, metric, time, value))
        raised: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, time, change in self._database.query(
            "SELECT d.no, t.at, t.change FROM warnings w JOIN devices d ON d.id = w.device,"
            " LATERAL (VALUES (w.created_at, 1), (w.cleared_at, -1)) t (at, change)"
            " WHERE t.at > %s AND t.at <= %s",
            (begin, end),
        ):
            raised[id(moment_of(time))].append((number, change))
        registered = self._database.query(
            "SELECT no, id, type, area_path, expected_period_s FROM devices"
            " WHERE NOT disabled AND registered_at > %s AND registered_at <= %s",
            (begin, end),
        )
        for number, code, kind, area, period in registered:
            devices[number] = _Device(code, kind, area, timedelta(seconds=SILENT_AFTER_PERIODS * period))
        silent = _Silences(devices, begin)
        for moment in moments:
            touched = set(silent.until(moment.at))
            for number, metric, time, value in news[id(moment)]:
                _take(devices.get(number), metric, time, value)
                touched.add(number)
            for number, change in raised[id(moment)]:
                if number in devices:
                    devices[number].raised += change
                    touched.add(number)
            for number in sorted(touched & devices.keys()):
                item = devices[number].item(moment.at)
                silent.expect(number, devices[number])
                if item != shown.get(number):
                    shown[number] = item
                    moment.items.append(item)

    def _warnings(self, at: datetime) -> list[Item]:
        return self._warning_items(
            "w.created_at <= %(at)s AND (w.cleared_at IS NULL OR w.cleared_at > %(at)s)"
            f" ORDER BY w.created_at DESC LIMIT {_WARNINGS}",
            {"at": at},
        )

    def _warning_items(self, condition: str, params: Mapping[str, Any]) -> list[Item]:
        return [item for item, _ in boards.warnings_where(self._database, condition, params)]

    def _warned(self, begin: datetime, end: datetime, moment_of: Any) -> None:
        span = {"begin": begin, "end": end}
        raised = "w.created_at > %(begin)s AND w.created_at <= %(end)s"
        for item, created in boards.warnings_where(self._database, raised, span):
            moment_of(created).items.append(item)
        for key, area, created, cleared in self._database.query(
            "SELECT id, area_path, created_at, cleared_at FROM warnings"
            " WHERE cleared_at > %(begin)s AND cleared_at <= %(end)s",
            span,
        ):
            moment = moment_of(cleared)
            if created > begin and moment_of(created) is moment:
                moment.items = [i for i in moment.items if (i["kind"], i["key"]) != ("warning", key)]
            moment.gone.append(("warning", key, area))

    # -- workers and figures ---------------------------------------------------------------------------------

    def _workers(self, after: datetime, at: datetime) -> list[Item]:
        """The newest position of each worker in (after, at]."""
        return [
            boards.worker_item(*row)
            for row in self._database.query(
                "SELECT a.login, a.name, a.unit, a.areas[1], p.lon, p.lat, p.time FROM workers w"
                " JOIN accounts a USING (login), LATERAL (SELECT lon, lat, time FROM positions"
                " WHERE worker = a.login AND time > %s AND time <= %s ORDER BY time DESC LIMIT 1) p"
                " WHERE NOT a.disabled",
                (after, at),
            )
        ]

    def _figures(self, at: datetime) -> list[Item]:
        return [
            indicator_item(name, path, Value(value, numerator, denominator), time)
            for name, path, time, value, numerator, denominator in self._database.query(
                "SELECT i.id, a.path, h.at, h.value, h.numerator, h.denominator FROM areas a,"
                " unnest(%s::text[]) i (id), LATERAL (SELECT * FROM indicator_history"
                " WHERE id = i.id AND area_code = a.code AND at > %s AND at <= %s ORDER BY at DESC LIMIT 1) h"
                " WHERE a.level NOT IN ('duty_grid', 'cell')",
                (list(BY_ID), at - FIGURES_BACK, at),
            )
        ]


def _take(device: _Device | None, metric: str, time: datetime, value: float) -> None:
    if device is None:
        return
    device.values[metric] = value
    if device.newest is None or time > device.newest:
        device.newest = time
