"""What the screens show, as live items read from the store: for a rebuild, and what is computed by the clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from data.database import Database
from data.feed_states import feed_facts
from data.incident_rows import COLUMNS, live_item, ms, to_incident
from incidents.feeds import live_status
from incidents.indicators import SILENT_AFTER_PERIODS, ancestors

OPEN_ITEMS: Final = 3000
CLOSED_ITEMS: Final = 300

Item = dict[str, Any]


def incident_items(database: Database) -> Iterator[Item]:
    """The open incidents that live state keeps, and the last closed ones; oldest first."""
    select = (
        f"SELECT i.id, {', '.join('i.' + name for name in COLUMNS)}, u.name, a.name FROM incidents i"
        " LEFT JOIN units u ON u.code = i.unit LEFT JOIN accounts a ON a.login = i.worker"
    )
    closed = database.query(
        f"{select} WHERE i.stage IN ('closed', 'refused', 'void') ORDER BY i.closed_at DESC LIMIT %s",
        (CLOSED_ITEMS,),
    )
    worst = database.query(
        f"{select} WHERE i.stage NOT IN ('closed', 'refused', 'void') AND i.level <= 2 ORDER BY i.reported_at"
    )
    rest = database.query(
        f"{select} WHERE i.stage NOT IN ('closed', 'refused', 'void') AND i.level > 2"
        " ORDER BY i.reported_at DESC LIMIT %s",
        (OPEN_ITEMS,),
    )
    for *columns, unit_name, worker_name in [*reversed(closed), *worst, *reversed(rest)]:
        yield live_item(to_incident(columns), unit_name, worker_name)


def device_items(database: Database, now: datetime) -> Iterator[Item]:
    """Every registered device with its newest values."""
    raised = {row[0] for row in database.query("SELECT DISTINCT device_no FROM rule_states WHERE raised")}
    values: dict[int, dict[str, tuple[datetime, float]]] = defaultdict(dict)
    for number, metric, time, value in database.query(
        "SELECT d.no, m.id, r.time, r.value FROM devices d JOIN metrics m ON m.device_type = d.type,"
        " LATERAL (SELECT time, value FROM readings WHERE device_no = d.no AND metric_no = m.no"
        " AND time > %s ORDER BY time DESC LIMIT 1) r",
        (now - timedelta(days=3),),
    ):
        values[number][metric] = (time, value)
    for number, code, kind, area, period in database.query(
        "SELECT no, id, type, area_path, expected_period_s FROM devices WHERE NOT disabled"
    ):
        found = values.get(number, {})
        newest = max((time for time, _ in found.values()), default=None)
        silent = newest is None or (now - newest).total_seconds() > SILENT_AFTER_PERIODS * period
        yield {
            "kind": "device",
            "key": code,
            "area": area,
            "type": kind,
            "values": {metric: value for metric, (_, value) in found.items()},
            "t": ms(newest) or 0,
            "status": "silent" if silent else "warning" if number in raised else "online",
        }


def worker_items(database: Database) -> Iterator[Item]:
    """Workers whose position is known."""
    for login, name, unit, area, lon, lat, at in database.query(
        "SELECT a.login, a.name, a.unit, a.areas[1], w.lon, w.lat, w.located_at FROM workers w"
        " JOIN accounts a USING (login) WHERE NOT a.disabled AND w.located_at IS NOT NULL"
    ):
        yield worker_item(login, name, unit, area, lon, lat, at)


def worker_item(login: str, name: str, unit: str, area: str, lon: float, lat: float, at: datetime) -> Item:
    """A worker's position as a live item."""
    return {
        "kind": "worker",
        "key": login,
        "area": area or "",
        "unit": unit or "",
        "worker": login,
        "name": name,
        "lon": lon,
        "lat": lat,
        "t": ms(at),
    }


def workers_shown(database: Database, places: Mapping[str, tuple[float, float, int]]) -> list[Item]:
    """Items of workers at new places: login → (lon, lat, ms)."""
    rows = database.query(
        "SELECT login, name, coalesce(unit, ''), areas[1] FROM accounts WHERE login = ANY(%s)",
        (list(places),),
    )
    return [
        worker_item(login, name, unit, area, lon, lat, datetime.fromtimestamp(at / 1000, UTC))
        for login, name, unit, area in rows
        for lon, lat, at in (places[login],)
    ]


def newest_values(database: Database, devices: list[str]) -> dict[str, dict[str, float]]:
    """Device id → metric id → newest value."""
    found: dict[str, dict[str, float]] = {}
    for device, metric, value in database.query(
        "SELECT d.id, m.id, r.value FROM devices d JOIN metrics m ON m.device_type = d.type, LATERAL"
        " (SELECT value FROM readings WHERE device_no = d.no AND metric_no = m.no ORDER BY time DESC LIMIT 1) r"
        " WHERE d.id = ANY(%s)",
        (devices,),
    ):
        found.setdefault(device, {})[metric] = value
    return found


def warning_items(database: Database) -> Iterator[Item]:
    """Warnings that stand now."""
    standing = "w.cleared_at IS NULL ORDER BY w.created_at DESC LIMIT 1000"
    for item, _ in warnings_where(database, standing, {}):
        yield item


def warnings_where(
    database: Database, condition: str, params: Mapping[str, Any]
) -> Iterator[tuple[Item, datetime]]:
    """Warnings `w` of a condition as live items, each with the moment it was shown first."""
    for row in database.query(
        "SELECT w.id, w.area_path, w.device, coalesce(d.name, ''), w.metric, w.value, w.threshold, w.level,"
        " w.message, w.lon, w.lat, w.time, w.created_at FROM warnings w LEFT JOIN devices d ON d.id = w.device"
        f" WHERE {condition}",
        params,
    ):
        key, area, device, name, metric, value, threshold, level, message, lon, lat, time, created = row
        yield (
            {
                "kind": "warning", "key": key, "area": area, "device": device, "name": name, "metric": metric,
                "value": value, "threshold": threshold, "level": level, "message": message, "lon": lon,
                "lat": lat, "t": ms(time),
            },
            created,
        )  # fmt: skip


def feed_items(database: Database, city: str, now: datetime) -> list[Item]:
    """The feeds with their status; they belong to the whole city."""
    rows = database.dicts(
        "SELECT f.id, f.name, f.topics, f.demo, f.disabled, f.last_message_at, f.expected_period_s,"
        " coalesce(s.failure, '') AS failure FROM feeds f LEFT JOIN feed_states s ON s.feed = f.id"
        " WHERE NOT f.disabled ORDER BY f.id"
    )
    return [
        {
            "kind": "feed",
            "key": row["id"],
            "area": city,
            "name": row["name"],
            "topics": row["topics"],
            "demo": row["demo"],
            "last": ms(row["last_message_at"]),
            "period_s": row["expected_period_s"],
            "status": live_status(feed_facts(row), now),
        }
        for row in rows
    ]


def demo_item(database: Database) -> Item:
    """演示数据: on while a demo feed is on. Everybody sees it, so it has no area of its own."""
    on = database.query("SELECT count(*) FROM feeds WHERE demo AND NOT disabled")[0][0] > 0
    return {"kind": "link", "key": "demo", "area": "", "on": on}


def alert_item(database: Database, city: str) -> Item:
    """Open mismatches of the loss ledger."""
    rows = database.query(
        "SELECT count(*), coalesce(sum(abs(expected - found)), 0) FROM ledger_mismatches WHERE resolved_at IS NULL"
    )
    return {
        "kind": "alert",
        "key": "ledger",
        "area": city,
        "mismatches": rows[0][0],
        "messages": int(rows[0][1]),
    }


def trend_items(database: Database, city: str, now: datetime) -> list[Item]:
    """Curves of the wall: incidents per hour (city and districts), readings per minute, open incidents."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [hour - timedelta(hours=n) for n in range(23, -1, -1)]
    reported: dict[str, dict[datetime, int]] = defaultdict(lambda: defaultdict(int))
    closed: dict[str, dict[datetime, int]] = defaultdict(lambda: defaultdict(int))
    for column, table in (("reported_at", reported), ("closed_at", closed)):
        rows = database.query(
            f"SELECT coalesce(nullif(area_path, ''), %s), date_trunc('hour', {column}), count(*) FROM incidents"
            f" WHERE {column} >= %s GROUP BY 1, 2",
            (city, hours[0]),
        )
        for path, at, number in rows:
            for area in ancestors(path)[:2]:
                table[area][at] += number
    items = []
    for area in {city, *reported, *closed}:
        t = [ms(at) for at in hours]
        series = [
            {"name": "reported", "t": t, "v": [reported[area][at] for at in hours]},
            {"name": "closed", "t": t, "v": [closed[area][at] for at in hours]},
        ]
        items.append(_trend("incidents_per_hour", area, series, now))
    minute = now.replace(second=0, microsecond=0)
    minutes = [minute - timedelta(minutes=n) for n in range(60, 0, -1)]
    counted: Mapping[datetime, int] = dict(
        database.query(
            "SELECT minute, sum(records_stored)::bigint FROM ledger WHERE minute >= %s GROUP BY 1",
            (minutes[0],),
        )
    )
    series = [{"name": "readings", "t": [ms(m) for m in minutes], "v": [counted.get(m, 0) for m in minutes]}]
    items.append(_trend("readings_per_minute", city, series, now))
    rows = database.query(
        "SELECT date_trunc('minute', at), (array_agg(value ORDER BY at DESC))[1] FROM indicator_history"
        " WHERE id = 'open' AND area_code = %s AND at > %s GROUP BY 1 ORDER BY 1",
        (city.rstrip("/"), now - timedelta(hours=6)),
    )
    series = [{"name": "open", "t": [ms(at) for at, _ in rows], "v": [value for _, value in rows]}]
    items.append(_trend("open_incidents", city, series, now))
    rows = database.query(
        "SELECT coalesce(nullif(class_name, ''), '未立案'), count(*) FROM incidents WHERE reported_at > %s"
        " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 8",
        (now - timedelta(hours=24),),
    )
    series = [{"name": "classes", "x": [name for name, _ in rows], "v": [number for _, number in rows]}]
    items.append(_trend("classes_24h", city, series, now))
    return items


def _trend(name: str, area: str, series: list[dict[str, Any]], now: datetime) -> Item:
    code = area.rstrip("/").rsplit("/", 1)[-1]
    return {"kind": "trend", "key": f"{name}@{code}", "area": area, "series": series, "as_of": ms(now)}


def newly_silent(items: Mapping[str, Item], periods: Mapping[str, float], now: datetime) -> list[Item]:
    """Devices that have not been heard of for three expected periods, as items with their new status."""
    at = now.timestamp() * 1000
    return [
        {**item, "status": "silent"}
        for key, item in items.items()
        if item["status"] != "silent" and at - item["t"] > SILENT_AFTER_PERIODS * 1000 * periods.get(key, 1e9)
    ]
