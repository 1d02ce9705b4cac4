"""A year of incidents put into a store, in the shape that the product writes.

Two weeks of lives are led by the product's own `advance`, step by step, and written by its own row codec into tables
beside the real ones. They are then repeated week by week inside of the database, each time at other places of the city:
the clocks of working time are the same in every week that has no holiday. `shape_faults` holds them against what the
service itself has written, and `faults` are invariants over every row.
"""

from __future__ import annotations

import hashlib
import io
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import psycopg2
import psycopg2.extras

from data.database import Cursor
from data.incident_rows import COLUMNS, to_row
from incidents.commands import AcceptIncident, DispatchIncident, IncidentDetail, ReportIncident, VoidIncident
from incidents.lifecycle import DEFAULT_STAGE_LIMITS_MIN, Step, advance, file_report
from incidents.model import Actor, ClockKind, Incident, Place, Policy, Stage, TimelineEntry
from incidents.service import CityService
from incidents.working_time import WorkingTime
from tests.bench.frame import Bench
from tests.bench.truth import Store

CLOSED_WEEKS: Final = 52
OPEN_WEEKS: Final = 20
OPEN_SHARE: Final = 0.2
"""A fifth of a year's incidents is open: what a city of a million a year has when ten weeks of work lie about. A desk
that copes with it copes with less."""
CHANNELS: Final = ("hotline", "grid", "phone", "citizen", "patrol", "department")
PLEAS: Final = (
    "请尽快派人处理", "已经好几天了没人管", "影响出行，存在安全隐患", "老人小孩经过很危险", "上次处理后又出现了",
    "夜间看不清，容易发生事故", "物业说不归他们管", "希望答复处理时间",
)  # fmt: skip
PHOTO: Final = hashlib.sha256(b"bench").hexdigest()
_TIMES: Final = (
    "reported_at", "stage_since", "stage_due_at", "handle_due_at", "dispatched_at", "returned_result_at", "closed_at",
    "acknowledged_at", "escalated_at", "rings_since",
)  # fmt: skip
_ENTRY: Final = (
    "incident_id", "seq", "at", "action", "from_stage", "to_stage", "actor_id", "actor_name", "role", "channel", "reason",
    "detail", "cause_id",
)  # fmt: skip
_ORDER: Final = (
    "incident_id",
    "unit",
    "worker",
    "issued_at",
    "issued_by",
    "seen_at",
    "ended_at",
    "outcome",
    "kind",
)


@dataclass(slots=True)
class Made:
    """What there is, as the generator counted it."""

    incidents: int = 0
    open: int = 0
    entries: int = 0
    sources: int = 0
    orders: int = 0
    by_class: Counter[str] = field(default_factory=Counter)
    """Class name → incidents."""
    open_by_class: Counter[str] = field(default_factory=Counter)
    open_by_unit: Counter[str] = field(default_factory=Counter)
    places: int = 0


@dataclass(slots=True)
class _City:
    """What lives need of the city: classes with their policies, who answers for them, who works there."""

    classes: list[tuple[str, str, int, Policy, list[str]]]
    units: dict[str, list[str]]
    workers: dict[str, list[Actor]]
    people: dict[str, Actor]


@dataclass(slots=True)
class _Life:
    incident: Incident
    entries: list[TimelineEntry] = field(default_factory=list)
    orders: list[list[Any]] = field(default_factory=list)


def _city(cursor: Cursor) -> _City:
    cursor.execute("SELECT code, name, level, limit_min, clock_kind, needs_photo, keywords FROM event_classes"
                   " WHERE kind IN ('component', 'event') ORDER BY code")  # fmt: skip
    classes = [
        (code, name, level, Policy(code, 1, limit, ClockKind(clock), photo, DEFAULT_STAGE_LIMITS_MIN), words.split() or [name])
        for code, name, level, limit, clock, photo, words in cursor.fetchall()
    ]  # fmt: skip
    cursor.execute(
        "SELECT class_code, array_agg(DISTINCT unit ORDER BY unit) FROM responsibilities GROUP BY 1"
    )
    units = dict(cursor.fetchall())
    cursor.execute(
        "SELECT id, login, name, role, coalesce(unit, ''), areas FROM accounts WHERE NOT disabled ORDER BY id"
    )
    workers: dict[str, list[Actor]] = {}
    people: dict[str, Actor] = {}
    for number, login, name, role, unit, areas in cursor.fetchall():
        actor = Actor(number, login, name, role, unit, tuple(areas))
        if role in ("grid_worker", "unit_handler"):
            workers.setdefault(unit, []).append(actor)
        people.setdefault(role, actor)
    return _City([row for row in classes if row[0] in units], units, workers, people)


def _led(
    rng: random.Random, city: _City, begin: datetime, span: timedelta, working: WorkingTime, *, ends: bool
) -> _Life:
    """One life from its report to its end, or to where it is now; at least five lines of timeline."""
    code, name, level, policy, words = rng.choice(city.classes)
    unit = rng.choice(city.units[code])
    operator, dispatcher, checker = (city.people[r] for r in ("operator", "dispatcher", "evaluator"))
    crew = city.workers.get(unit) or [replace(dispatcher, id=dispatcher.id, unit=unit)]
    worker = rng.choice(crew)
    channel = rng.choice(CHANNELS)
    at = begin + timedelta(seconds=rng.randrange(int(span.total_seconds())))
    phrase = f"{rng.choice(words)}，{rng.choice(PLEAS)}"
    life = _Life(
        file_report(
            Incident(
                id=0, number="", class_code=code, class_name=name, title=phrase, text=phrase, stage=Stage.REPORTED,
                level=level, place=Place(), reported_at=at, version=1, last_actor=operator.name, correlation_id="c",
            ),
            at,
        )
    )  # fmt: skip
    detail = {
        "kind": "report",
        "device": "",
        "camera": "",
        "sensed_at": at.isoformat(),
        "received_at": at.isoformat(),
    }
    life.entries.append(
        TimelineEntry(
            at, "report", "", "reported", operator.id, operator.name, operator.role, channel, "", detail, "c"
        )
    )

    def step(action: str, actor: Actor, through: str = "desk", **more: Any) -> None:
        nonlocal at
        at += timedelta(seconds=rng.randrange(60, 3600))
        life.incident, entry, events = advance(
            life.incident, Step(action, through, cause_id="c", **more), actor, at, working
        )
        life.entries.append(entry)
        for event in events:
            match event.name:
                case "order.issued":
                    life.orders.append([unit, life.incident.worker, at, actor.login, None, None, "", "lead"])
                case "order.seen" if life.orders[-1][4] is None:
                    life.orders[-1][4] = at
                case "order.ended":
                    life.orders[-1][5:7] = [at, str(event.payload["outcome"])]

    named = worker.login if worker.role == "grid_worker" and rng.random() < 0.6 else ""
    way: list[tuple[str, Actor, str, dict[str, Any]]] = [
        ("accept", operator, "desk", {"policy": policy, "class_name": name, "level": level}),
        ("dispatch", dispatcher, "desk", {"unit": unit, "worker": named}),
        ("take", worker, "phone", {}),
        ("arrive", worker, "phone", {}),
        ("handle", worker, "phone", {"reason": "已处理", "evidence": (PHOTO,) if policy.needs_photo else ()}),
        ("feed_back", worker, "phone", {"reason": "已处理"}),
        ("pass_check", checker, "desk", {}),
        ("close", operator, "desk", {}),
    ]  # fmt: skip
    for action, actor, through, more in way if ends else way[: rng.choice((0, 1, 2, 2, 3, 3, 4, 6, 7))]:
        if action == "take" and rng.random() < 0.05:
            step("return", worker, "phone", reason="不属本单位职责", wrong_field="owner")
            step("dispatch", dispatcher, unit=unit, worker=named)
        step(action, actor, through, **more)
    while len(life.entries) < 5:
        step("note", dispatcher, reason="已电话了解情况，等候处理")
    return life


def copied(values: Iterable[Any]) -> str:
    """One line of COPY's text form."""
    return "\t".join(map(_cell, values)) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, psycopg2.extras.Json):
        value = orjson.dumps(value.adapted).decode()
    elif isinstance(value, list | tuple):
        value = (
            "{" + ",".join('"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"' for v in value) + "}"
        )
    elif isinstance(value, datetime):
        return value.isoformat()
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _copy(cursor: Cursor, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO("".join(copied(row) for row in rows))
    cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", text)


def make(bench: Bench, dsn: str, *, total: int, now: datetime, working: WorkingTime) -> Made:
    """`total` incidents of the year before `now`."""
    rng = random.Random(4)
    made = Made()
    ended, still = round(total * (1 - OPEN_SHARE) / CLOSED_WEEKS), round(total * OPEN_SHARE / OPEN_WEEKS)
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            city = _city(cursor)
            _places(cursor)
            cursor.execute("SELECT count(*) FROM bench_places")
            made.places = (cursor.fetchone() or (0,))[0]
        for name, lives, weeks, ends in (
            ("ended", ended, CLOSED_WEEKS, True),
            ("still", still, OPEN_WEEKS, False),
        ):
            # A life takes less than five days; the newest week ends so long ago that all of it lies before now.
            begin = now - timedelta(days=12 if ends else 9)
            led = [_led(rng, city, begin, timedelta(days=7), working, ends=ends) for _ in range(lives)]
            for life in led:
                _count(made, life, weeks)
            with connection, connection.cursor() as cursor:
                _master(cursor, name, led)
            bench.say(f"{lives} lives led for {weeks} weeks ({name})")
        with connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            kept = _without_indexes(cursor)
            cursor.execute(
                "INSERT INTO photos (sha256, mime, width, height, bytes, stored_at, stored_by)"
                " VALUES (%s, 'image/jpeg', 1, 1, 'bench', %s, 'bench') ON CONFLICT DO NOTHING",
                (PHOTO, now),
            )
        first = 1
        for name, lives, weeks in (("ended", ended, CLOSED_WEEKS), ("still", still, OPEN_WEEKS)):
            for week in range(weeks):
                with connection, connection.cursor() as cursor:
                    cursor.execute("SET TIME ZONE 'UTC'")
                    cursor.execute("SET jit = off")
                    _week(cursor, name, first, week, made.places)
                first += lives
                if week % 10 == 9:
                    bench.say(f"{first - 1} of {total} incidents stored")
        for statement in kept:
            with connection, connection.cursor() as cursor:
                cursor.execute("SET maintenance_work_mem = '256MB'")
                cursor.execute(statement)
        bench.say(f"{len(kept)} indexes made again")
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT setval(pg_get_serial_sequence('incidents', 'id'), %s)", (first,))
            cursor.execute("SELECT setval('incident_numbers', %s)", (first,))
            cursor.execute("DROP TABLE bench_places, bench_ended, bench_still, bench_ended_entries, bench_still_entries,"
                           " bench_ended_orders, bench_still_orders")  # fmt: skip
    finally:
        connection.close()
    return made


def _count(made: Made, life: _Life, weeks: int) -> None:
    found = life.incident
    made.incidents += weeks
    made.sources += weeks
    made.entries += weeks * len(life.entries)
    made.orders += weeks * len(life.orders)
    made.by_class[found.class_name] += weeks
    if found.open:
        made.open += weeks
        made.open_by_class[found.class_name] += weeks
        made.open_by_unit[found.unit] += weeks


def _places(cursor: Cursor) -> None:
    """Every named place of the city with house numbers along its street: where incidents are, and how it is said."""
    cursor.execute("DROP TABLE IF EXISTS bench_places")
    cursor.execute(
        "CREATE TABLE bench_places AS SELECT row_number() OVER (ORDER BY p.id, n) - 1 AS no, p.lon + n * 1e-5 AS lon,"
        " p.lat + n * 1e-5 AS lat, p.cell, p.area_path, CASE WHEN n = 0 THEN p.name ELSE p.road || (n * 2 + p.id % 90)"
        " || '号' || p.name || '旁' END AS address FROM places p, generate_series(0, 9) n WHERE p.cell <> ''"
    )
    cursor.execute("CREATE UNIQUE INDEX ON bench_places (no)")


def _master(cursor: Cursor, name: str, led: Sequence[_Life]) -> None:
    for table, like in (
        (f"bench_{name}", "incidents"),
        (f"bench_{name}_entries", "timeline"),
        (f"bench_{name}_orders", "orders"),
    ):
        cursor.execute(f"DROP TABLE IF EXISTS {table}")
        cursor.execute(f"CREATE TABLE {table} (LIKE {like})")
    cursor.execute(f"ALTER TABLE bench_{name}_orders DROP COLUMN id")
    _copy(cursor, f"bench_{name}", ("id", "apart", *COLUMNS),
          ([n, "{}", *to_row(life.incident)] for n, life in enumerate(led)))  # fmt: skip
    _copy(
        cursor, f"bench_{name}_entries", _ENTRY,
        (
            [n, seq, e.at, e.action, e.from_stage, e.to_stage, e.actor_id, e.actor_name, e.role, e.channel, e.reason,
             psycopg2.extras.Json(dict(e.detail)), e.cause_id]
            for n, life in enumerate(led) for seq, e in enumerate(life.entries, start=1)
        ),
    )  # fmt: skip
    _copy(
        cursor, f"bench_{name}_orders", _ORDER, ([n, *o] for n, life in enumerate(led) for o in life.orders)
    )


def _without_indexes(cursor: Cursor) -> list[str]:
    """Drop what can be made again by its own words; returns the words."""
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = ANY("
        "ARRAY['incidents', 'timeline', 'intake', 'orders', 'incident_said', 'incident_said_open']::regclass[]) AND NOT indisunique"
    )
    found = cursor.fetchall()
    for index, _ in found:
        cursor.execute(f"DROP INDEX {index}")
    return [words for _, words in found]


_SHIFTED: Final = "to_jsonb(({0})::timestamptz - %(by)s)"


def _week(cursor: Cursor, name: str, first: int, week: int, places: int) -> None:
    """All lives of one week, `week` weeks before the newest, at places of their own; ids from `first` on."""
    params = {"first": first, "by": timedelta(days=7 * week), "places": places}
    moved = {column: f"m.{column} - %(by)s" for column in _TIMES}
    moved |= {
        "number": "'LL' || to_char((m.reported_at - %(by)s) AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD')"
        " || lpad((m.id + %(first)s)::text, greatest(5, length((m.id + %(first)s)::text)), '0')",
        "title": "left(p.address || m.title, 60)", "text": "p.address || m.text",
        "lon": "p.lon", "lat": "p.lat", "address": "p.address", "cell": "p.cell", "area_path": "p.area_path",
        "clock": f"CASE WHEN m.clock ->> 'since' IS NULL THEN m.clock ELSE jsonb_set(m.clock, '{{since}}',"
        f" {_SHIFTED.format('''m.clock ->> 'since' ''')}) END",
        "correlation_id": "'bench-' || m.id + %(first)s",
    }  # fmt: skip
    cursor.execute(
        f"INSERT INTO incidents (id, apart, {', '.join(COLUMNS)}) SELECT m.id + %(first)s, m.apart,"
        f" {', '.join(moved.get(column, 'm.' + column) for column in COLUMNS)} FROM bench_{name} m"
        " JOIN bench_places p ON p.no = (m.id + %(first)s) * 7919 %% %(places)s ORDER BY m.id",
        params,
    )
    detail = "e.detail"
    for key in ("due", "sensed_at", "received_at"):
        detail = (
            f"CASE WHEN e.detail ? '{key}' THEN jsonb_set({detail}, '{{{key}}}',"
            f" {_SHIFTED.format(f'''e.detail ->> '{key}' ''')}) ELSE {detail} END"
        )
    cursor.execute(
        f"INSERT INTO timeline ({', '.join(_ENTRY)}) SELECT e.incident_id + %(first)s, e.seq, e.at - %(by)s, e.action,"
        f" e.from_stage, e.to_stage, e.actor_id, e.actor_name, e.role, e.channel, e.reason, {detail},"
        f" 'bench-' || e.incident_id + %(first)s FROM bench_{name}_entries e ORDER BY e.incident_id, e.seq",
        params,
    )
    cursor.execute(
        f"INSERT INTO orders ({', '.join(_ORDER)}) SELECT incident_id + %(first)s, unit, worker, issued_at - %(by)s,"
        f" issued_by, seen_at - %(by)s, ended_at - %(by)s, outcome, kind FROM bench_{name}_orders ORDER BY incident_id",
        params,
    )
    cursor.execute(
        "INSERT INTO intake (source, message_id, digest, kind, received_at, time, channel, class_code, level, title, text,"
        " lon, lat, address, cell, area_path, reporter, photos, correlation_id, incident_id) SELECT"
        " 'urn:chengyun:' || e.channel || ':operator', 'bench-' || i.id, sha256(i.text::bytea), 'report', i.reported_at,"
        " i.reported_at, e.channel, i.class_code, NULL, i.title, i.text, i.lon, i.lat, i.address, i.cell, i.area_path,"
        " jsonb_build_object('name', '王女士', 'phone', '1380000' || lpad((i.id %% 10000)::text, 4, '0'), 'account', 'operator'),"
        " '{}', i.correlation_id, i.id FROM incidents i JOIN timeline e ON e.incident_id = i.id AND e.seq = 1"
        " WHERE i.id >= %(first)s ORDER BY i.id",
        params,
    )
    cursor.execute(
        "INSERT INTO incident_photos SELECT t.incident_id, %(photo)s, 'handle', t.at, 'operator' FROM timeline t"
        " WHERE t.incident_id >= %(first)s AND t.action = 'handle' AND t.detail ? 'evidence' ON CONFLICT DO NOTHING",
        {**params, "photo": PHOTO},
    )


FAULTS: Final = {
    "incidents without five lines": "SELECT count(*) FROM incidents i WHERE (SELECT count(*) FROM timeline"
    " WHERE incident_id = i.id) < 5",
    "version is not the number of lines": "SELECT count(*) FROM incidents i JOIN (SELECT incident_id, count(*) AS n,"
    " max(seq) AS last FROM timeline GROUP BY 1) t ON t.incident_id = i.id WHERE i.version <> t.n OR t.last <> t.n",
    "stage is not that of the last line": "SELECT count(*) FROM incidents i JOIN timeline t ON t.incident_id = i.id"
    " AND t.seq = i.version WHERE t.to_stage <> i.stage OR t.action <> i.last_action",
    "lines of one incident not in order": "SELECT count(*) FROM timeline t JOIN timeline n ON n.incident_id ="
    " t.incident_id AND n.seq = t.seq + 1 WHERE n.at < t.at OR n.from_stage <> t.to_stage",
    "closed without an end, or open with one": "SELECT count(*) FROM incidents WHERE (closed_at IS NULL) ="
    " (stage IN ('closed', 'refused', 'void'))",
    "held by a unit without an open order": "SELECT count(*) FROM incidents i WHERE stage IN ('dispatched', 'taken',"
    " 'on_site') AND NOT EXISTS (SELECT 1 FROM orders WHERE incident_id = i.id AND kind = 'lead'"
    " AND ended_at IS NULL)",
    "closed with an open order": "SELECT count(*) FROM incidents i JOIN orders o ON o.incident_id = i.id"
    " WHERE i.stage = 'closed' AND o.ended_at IS NULL",
    "without a source": "SELECT count(*) FROM incidents i WHERE NOT EXISTS (SELECT 1 FROM intake WHERE incident_id = i.id)",
}
"""What would be wrong → how many there are, over every row."""


def shape_faults(door: CityService, store: Store, person: Actor, made: Made) -> dict[str, int]:
    """What was put in, read back through the product, and held against a life that the service itself writes.

    One incident is reported, accepted and dispatched through the service; every table's columns and JSON keys that it
    fills must be those that a made one in the same stage fills.
    """
    units = store.rows("SELECT class_code, min(unit) FROM responsibilities GROUP BY 1 ORDER BY 1 LIMIT 1")[0]
    told = door.handle(
        ReportIncident(
            text="形状对照", class_code=units[0], channel="hotline", key=f"bench-shape-{time.time_ns()}"
        ),
        person,
        "desk",
    )
    for command in (AcceptIncident(told["id"]), DispatchIncident(told["id"], unit=units[1])):
        door.handle(command, replace(person, role="dispatcher"), "desk")
    ours = store.rows(
        "SELECT min(id) FROM incidents WHERE stage = 'dispatched' AND worker = '' AND level > 2 AND handle_due_at IS NOT NULL"
        " AND returns = 0 AND id <> %s", (told["id"],),
    )[0][0]  # fmt: skip
    unlike = 0
    for table, key in (
        ("incidents", "id"),
        ("timeline", "incident_id"),
        ("intake", "incident_id"),
        ("orders", "incident_id"),
    ):
        forms = [
            {
                (
                    column,
                    tuple(sorted(value))
                    if isinstance(value, dict) and table != "timeline"
                    else value is None,
                )
                for row in _records(store, table, key, id)
                for column, value in row.items()
                if column not in _FREE
            }
            for id in (told["id"], ours)
        ]
        unlike += len(forms[0] ^ forms[1])
        if forms[0] != forms[1]:
            print(f"bench incidents: {table}: {sorted(forms[0] ^ forms[1], key=str)}", file=sys.stderr)
    door.handle(VoidIncident(told["id"], reason="形状对照完成"), replace(person, role="dispatcher"), "desk")
    read = 0
    for (id,) in store.rows(
        "SELECT id FROM incidents WHERE id %% %s = 1 ORDER BY id LIMIT 200", (max(made.incidents // 200, 2),)
    ):
        detail = door.ask(IncidentDetail(id), person)
        read += len(detail["timeline"]) != detail["version"] or len(detail["source_list"]) < 1
    rows = dict(
        store.rows("SELECT class_name, count(*) FROM incidents WHERE id <> %s GROUP BY 1", (told["id"],))
    )
    counts = sum(rows.get(name, 0) != count for name, count in made.by_class.items())
    tables = {
        "incidents": made.incidents + 1,
        "timeline": made.entries + 4,
        "intake": made.sources + 1,
        "orders": made.orders + 1,
    }
    counts += sum(store.one(f"SELECT count(*) FROM {table}") != count for table, count in tables.items())
    return {
        "columns unlike the service's": unlike,
        "read back otherwise": read,
        "counts unlike the generator's": counts,
    }


_FREE: Final = frozenset({"lon", "lat", "address", "cell", "merge_key", "level", "title", "place_read"})
"""A report may come with or without them."""


def _records(store: Store, table: str, key: str, id: int) -> list[dict[str, Any]]:
    return [dict(row) for (row,) in store.rows(f"SELECT to_jsonb(t) FROM {table} t WHERE {key} = %s", (id,))]
