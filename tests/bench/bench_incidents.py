"""A million incidents in the store (issue C, "Must show" 7): the work queue page by page, search by text, place and unit,
the ranking of units, one turn of every timer, and steps of the life-cycle at 50/s, each a whole transaction of the service.

Beside each question stands the one a person would write in SQL, and every answer is held against it; counts are held
against what the generator counted. What was put in is held against the product's own writing (`stored_incidents`).
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg2
import psycopg2.errors

from data.administration import Administration
from data.audit import Audit
from data.city_facts import CellFinder, load_facts
from data.database import Busy, Database, StoreUnavailable
from data.incident_facts import FIRST_STEP, recount, recounted
from data.incident_totals import total_items
from data.indicators import incident_values
from data.questions.answers import StoreQuestions
from data.questions.incidents import INDICATOR_RECORDS
from data.uow import UnitsOfWork
from incidents import commands as c
from incidents.deadlines import recount_deadlines
from incidents.evaluation_queries import Evaluation
from incidents.model import Actor, Rejected
from incidents.service import City, CityService
from incidents.triage import escalate_due
from tests.bench.bench_spine import percentile
from tests.bench.frame import Bench, Figures
from tests.bench.stored_incidents import FAULTS, Made, make, shape_faults
from tests.bench.truth import Store
from tests.product import Product
from tests.small_city import PATTERN, light_accounts, units_of_work
from tests.working import WORKING

GOALS: Final = {
    "wrong_answers": 0,
    "queue_p95_ms": 100,
    "search_text_p95_ms": 300,
    "search_place_p95_ms": 300,
    "search_unit_p95_ms": 300,
    "advance_p99_ms": 100,
    "advance_lost": 0,
    "advance_refused": 0,
    "facts_differed": 0,
}

TOTAL: Final = 1_000_000
RATE: Final = 50
PAGE: Final = 100
PATIENCE_S: Final = 60
"""The ranking is asked no more often than fits into this; a statement that takes longer is given up."""
WORDS: Final = (
    "井盖", "路灯不亮", "垃圾 小区", "影响出行", "幼儿园", "楼门口", "飞线充电", "安全隐患 学校", "海滨", "积水 幼儿园",
)  # fmt: skip
OPEN: Final = "stage NOT IN ('closed', 'refused', 'void')"


class Timed:
    """Milliseconds of one kind of question."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def ask(self, work: Callable[..., Any], *with_: Any) -> Any:
        """Ask once."""
        began = time.perf_counter()
        answer = work(*with_)
        self.taken.append((time.perf_counter() - began) * 1000)
        return answer

    def figures(self, name: str) -> Figures:
        """p50, p95 and p99."""
        return {f"{name}_p{n}_ms": round(percentile(self.taken, n / 100), 1) for n in (50, 95, 99)}


def run(bench: Bench) -> Figures:
    """Fill, ask, step."""
    total = 20_000 if bench.quick else TOTAL
    now = datetime.now(UTC).replace(microsecond=0)
    with Product(bench.profile, bench.folder, children=()) as product:
        dsn = product.env["CHENGYUN_DSN"]
        made = make(bench, dsn, total=total, now=now, working=WORKING)
        return measure(bench, dsn, made)


def measure(bench: Bench, dsn: str, made: Made) -> Figures:
    """Everything that is asked of a store that holds `made`."""
    database, store = Database(dsn, size=24, name="bench"), Store(dsn)
    try:
        _settled(store)
        now = datetime.now(UTC).replace(microsecond=0)
        place_of = CellFinder(database, load_facts(database)).place_of
        (path,) = store.rows("SELECT path FROM areas WHERE level = 'city'")[0]
        questions = StoreQuestions(database, place_of, dict, lambda: path)
        units = UnitsOfWork(
            database, Audit(database), Administration(light_accounts(database)), place_of, lambda: WORKING
        )
        door = CityService(units, questions, lambda: datetime.now(UTC), City(PATTERN, "Asia/Shanghai", path))
        dispatcher = _actor(store, "dispatcher")
        figures: Figures = {
            "incidents": made.incidents, "open": made.open, "timeline": made.entries, "sources": made.sources,
            "orders": made.orders,
        }  # fmt: skip
        wrong = {name: int(store.one(sql)) for name, sql in FAULTS.items()}
        wrong |= shape_faults(door, store, dispatcher, made)
        figures["wrong_rows"] = sum(wrong.values())
        bench.say(f"invariants over every row: {wrong}")
        rng = random.Random(5)
        times = 20 if bench.quick else 60
        for part in (queue, search_text, search_place, search_unit):
            figures |= part(bench, door, store, dispatcher, made, rng, times)
        figures["wrong_answers"] = sum(value for name, value in figures.items() if name.endswith("_wrong"))
        figures |= timers(bench, database, store, path, now)
        figures |= steps(bench, door, store, dispatcher, rng, 10 if bench.quick else 60)
        figures |= facts(bench, database, store, now)
        figures |= peer_steps(bench, dsn, store, rng, 5 if bench.quick else 20)
        figures |= ranking(bench, dsn, path, _actor(store, "evaluator"), now, 1 if bench.quick else 5)
        figures["disk_gb"] = round(store.one("SELECT pg_database_size(current_database())") / 2**30, 2)
        figures["load_average"] = round(os.getloadavg()[0], 1)
        return figures
    finally:
        database.close()


def _settled(store: Store) -> None:
    connection = psycopg2.connect(store.dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for table in ("incidents", "incident_said", "incident_said_open", "timeline", "intake", "orders"):
            cursor.execute(f"VACUUM (ANALYZE) {table}")
    connection.close()


def _actor(store: Store, role: str) -> Actor:
    number, login, name, unit, areas = store.rows(
        "SELECT id, login, name, coalesce(unit, ''), areas FROM accounts WHERE role = %s ORDER BY id LIMIT 1",
        (role,),
    )[0]
    return Actor(number, login, name, role, unit, tuple(areas))


def _ids(answer: dict[str, Any]) -> list[int]:
    return [row["id"] for row in answer["rows"]]


def queue(
    bench: Bench, door: CityService, store: Store, person: Actor, made: Made, rng: random.Random, times: int
) -> Figures:
    """The desk's queue, newest and by the time that is left, five pages of each; a village's; a unit's tasks."""
    first, later, village, tasks, hand = Timed(), Timed(), Timed(), Timed(), Timed()
    wrong = 0
    for order, sql in (("newest", "reported_at DESC, id DESC"), ("due", "stage_due_at NULLS LAST, id")):
        for turn in range(times // 2):
            found = first.ask(door.ask, c.IncidentList(order=order, limit=PAGE), person)
            pages, after = _ids(found), found["next"]
            for _ in range(4):
                answer = later.ask(door.ask, c.IncidentList(order=order, limit=PAGE, after=after), person)
                pages, after = [*pages, *_ids(answer)], answer["next"]
            if turn == 0:
                rows = hand.ask(
                    store.rows, f"SELECT id FROM incidents WHERE {OPEN} ORDER BY {sql} LIMIT {5 * PAGE}"
                )
                counted = hand.ask(store.one, f"SELECT count(*) FROM incidents WHERE {OPEN}")
                wrong += pages != [id for (id,) in rows]
                wrong += counted != made.open or found["total"] != min(made.open, c.IncidentList().most)
    areas = [p for (p,) in store.rows("SELECT path FROM areas WHERE level = 'village' ORDER BY path")]
    for number in range(times):
        area = rng.choice(areas)
        worker = Actor(1, "operator", "坐席", "operator", "", (area,))
        answer = village.ask(door.ask, c.IncidentList(limit=PAGE, most=1_000_000), worker)
        if number < 5:
            sql = f"SELECT count(*) FROM incidents WHERE {OPEN} AND starts_with(area_path, %s)"
            wrong += answer["total"] != store.one(sql, (area,))
    for unit, count in rng.choices(sorted(made.open_by_unit.items()), k=times):
        handler = Actor(2, "handler", "值班员", "unit_handler", unit, (person.areas[0],))
        tasks.ask(door.ask, c.MyTasks(), handler)
        if unit:
            wrong += door.ask(c.IncidentList(unit=unit, most=1_000_000, limit=1), person)["total"] != count
    figures = {**first.figures("queue"), **later.figures("queue_next"), **village.figures("queue_village"),
               **tasks.figures("unit_tasks"), "queue_by_hand_ms": round(max(hand.taken), 1), "queue_wrong": wrong}  # fmt: skip
    bench.say(str(figures))
    return figures


def search_text(
    bench: Bench, door: CityService, store: Store, person: Actor, made: Made, rng: random.Random, times: int
) -> Figures:
    """Common and rare words, names of places, of units and people, and numbers; open ones and all."""
    said, hand = Timed(), Timed()
    names = [n for (n,) in store.rows("SELECT name FROM places ORDER BY name")]
    units = [n for (n,) in store.rows("SELECT name FROM units ORDER BY code")]
    numbers = [
        n for (n,) in store.rows("SELECT number FROM incidents WHERE id % 997 = 1 ORDER BY id LIMIT 500")
    ]
    people = [n for (n,) in store.rows("SELECT name FROM accounts WHERE role = 'grid_worker' ORDER BY id")]
    kinds: dict[str, Callable[[], str]] = {
        "common": lambda: rng.choice(WORDS),
        "class": lambda: rng.choice(sorted(made.by_class)),
        "place": lambda: rng.choice(names),
        "number": lambda: rng.choice(numbers)[-8:],
        "unit": lambda: rng.choice(units),
        "worker": lambda: rng.choice(people),
        "unit and word": lambda: f"{rng.choice(units)} {rng.choice(WORDS).split()[0]}",
        "nothing": lambda: "查无此" + rng.choice(names),
    }
    slowest: dict[str, float] = {}
    wrong = 0
    for (kind, text), scope in itertools.product(kinds.items(), ("open", "all")):
        each = Timed()
        for number in range(max(3, times // 6)):
            query = c.IncidentList(scope=scope, text=text(), limit=PAGE)
            answer = each.ask(door.ask, query, person)
            if number == 0:
                wrong += hand.ask(_unlike, store, query, answer)
        said.taken += each.taken
        slowest[f"{kind}, {scope}"] = round(max(each.taken), 1)
    bench.say(f"slowest searches in ms: {slowest}")
    figures = {**said.figures("search_text"), "search_text_by_hand_ms": round(percentile(hand.taken, 0.5), 1),
               "search_text_slowest_ms": slowest, "search_text_wrong": wrong}  # fmt: skip
    bench.say(str(figures))
    return figures


def _unlike(store: Store, query: c.IncidentList, answer: dict[str, Any]) -> bool:
    """Is the page another one than reading every incident gives? And the count, where it claims to be all."""
    words = [f"%{word}%" for word in query.text.split()]
    scope = f"i.{OPEN}" if query.scope == "open" else "true"
    rows = store.rows(
        "SELECT i.id FROM incidents i LEFT JOIN units u ON u.code = i.unit LEFT JOIN accounts a ON a.login = i.worker"
        f" WHERE {scope} AND concat_ws(' ', i.number, i.title, i.class_name, i.address, u.name, a.name) LIKE ALL(%s)"
        " ORDER BY i.reported_at DESC, i.id DESC",
        (words,),
    )
    ids = [id for (id,) in rows]
    counted = answer["total"] <= len(ids) if answer["capped"] else answer["total"] == len(ids)
    return _ids(answer) != ids[:PAGE] or not counted


def search_place(
    bench: Bench, door: CityService, store: Store, person: Actor, made: Made, rng: random.Random, times: int
) -> Figures:
    """What lies in a box of 500 m, and what may be the same as a report there."""
    boxes, alike, hand = Timed(), Timed(), Timed()
    spots = store.rows("SELECT lon, lat FROM places WHERE cell <> '' ORDER BY id")
    wrong = 0
    for number, scope in zip(range(times), itertools.cycle(("open", "all"))):
        lon, lat = rng.choice(spots)
        sides = (lon - 0.0025, lat - 0.0025, lon + 0.0025, lat + 0.0025)
        query = c.IncidentList(scope=scope, bbox=",".join(map(str, sides)), limit=PAGE, most=1_000_000)
        answer = boxes.ask(door.ask, query, person)
        alike.ask(door.ask, c.SimilarIncidents(text="井盖没了", lon=lon, lat=lat), person)
        if number < 6:
            rows = hand.ask(store.rows, "SELECT id FROM incidents WHERE lon >= %s AND lat >= %s AND lon <= %s AND lat <= %s AND"
                    f" {OPEN if scope == 'open' else 'true'} ORDER BY reported_at DESC, id DESC", sides,)  # fmt: skip
            wrong += _ids(answer) != [id for (id,) in rows][:PAGE] or answer["total"] != len(rows)
    figures = {**boxes.figures("search_place"), **alike.figures("similar"),
               "search_place_by_hand_ms": round(percentile(hand.taken, 0.5), 1), "search_place_wrong": wrong}  # fmt: skip
    bench.say(str(figures))
    return figures


def search_unit(
    bench: Bench, door: CityService, store: Store, person: Actor, made: Made, rng: random.Random, times: int
) -> Figures:
    """What one unit has, open and ever."""
    found, hand = Timed(), Timed()
    units = [u for (u,) in store.rows("SELECT code FROM units ORDER BY code")]
    wrong = 0
    for number, scope in zip(range(times), itertools.cycle(("open", "all"))):
        unit = rng.choice(units)
        query = c.IncidentList(scope=scope, unit=unit, limit=PAGE)
        answer = found.ask(door.ask, query, person)
        if number < 6:
            rows = hand.ask(store.rows, f"SELECT id FROM incidents WHERE unit = %s AND {OPEN if scope == 'open' else 'true'}"
                    " ORDER BY reported_at DESC, id DESC", (unit,),)  # fmt: skip
            wrong += _ids(answer) != [id for (id,) in rows][:PAGE] or answer["total"] != min(
                len(rows), c.IncidentList().most
            )
    figures = {**found.figures("search_unit"), "search_unit_by_hand_ms": round(percentile(hand.taken, 0.5), 1),
               "search_unit_wrong": wrong}  # fmt: skip
    bench.say(str(figures))
    return figures


def facts(bench: Bench, database: Database, store: Store, now: datetime) -> Figures:
    """What evaluation keeps of every incident, filled from the timelines as it is for a store older than that table."""
    store.rows("UPDATE incident_facts_check SET first_to = (SELECT max(id) FROM incidents)")
    begun = time.perf_counter()
    filled = 0
    while done := recount(database, now):
        filled += done
        if done < FIRST_STEP:
            break
    per_s = round(filled / (time.perf_counter() - begun))
    figures = {"facts_filled": filled, "facts_per_s": per_s, "facts_differed": recounted(database).differed}
    bench.say(str(figures))
    return figures


def ranking(bench: Bench, dsn: str, path: str, person: Actor, now: datetime, times: int) -> Figures:
    """Units ranked by the formulas of evaluation over the last whole month; given up after PATIENCE_S a statement."""
    database = Database(
        f"{dsn}{'&' if '?' in dsn else '?'}options=-c%20statement_timeout%3D{PATIENCE_S}s", name="ranking"
    )
    questions = StoreQuestions(
        database, CellFinder(database, load_facts(database)).place_of, dict, lambda: path
    )
    last = now.astimezone(ZoneInfo("Asia/Shanghai")).date().replace(day=1) - timedelta(days=1)
    query = Evaluation(begin=last.replace(day=1).isoformat(), end=last.isoformat(), by="unit")
    asked = Timed()
    begun = time.monotonic()
    answer: dict[str, Any] = {"groups": []}
    try:
        while len(asked.taken) < times and (not asked.taken or time.monotonic() - begun < PATIENCE_S):
            answer = asked.ask(questions.answer, query, person, now)
    except psycopg2.errors.QueryCanceled:
        bench.say(f"unit ranking: given up after {PATIENCE_S} s")
    finally:
        database.close()
    figures = {"unit_ranking_asked": len(asked.taken), "unit_ranking_units": len(answer["groups"])}
    figures |= asked.figures("unit_ranking") if asked.taken else {"unit_ranking_given_up_after_s": PATIENCE_S}
    bench.say(str(figures))
    return figures


def timers(bench: Bench, database: Database, store: Store, path: str, now: datetime) -> Figures:
    """One turn of what the relay does by the clock, with all these incidents open."""
    units = units_of_work(database)
    figures: Figures = {}

    def turn(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        answer = work()
        figures[f"timer_{name}_ms"] = round((time.perf_counter() - began) * 1000, 1)
        return answer

    def deadlines() -> Any:
        with units() as uow:
            return recount_deadlines(uow, now)

    def escalate() -> Any:
        with units() as uow:
            return escalate_due(uow, now)

    def shifted() -> Any:
        with units() as uow:
            return uow.sent_points(now - timedelta(days=1))

    turn("deadlines", deadlines)
    figures["timer_escalate_incidents"] = turn("escalate_with_200_due", escalate)
    turn("shifted", shifted)
    turn("totals", lambda: total_items(database, path, now, ZoneInfo("Asia/Shanghai")))
    turn("indicators", lambda: incident_values(database, INDICATOR_RECORDS, path, now))
    bench.say(str(figures))
    return figures


WAY: Final[dict[str, Callable[[int, int], object]]] = {
    "dispatched": lambda id, version: c.TakeIncident(id, version=version),
    "taken": lambda id, version: c.ArriveIncident(id, version=version),
    "returned_result": lambda id, version: c.CheckIncident(id, passed=True, version=version),
    "checked": lambda id, version: c.CloseIncident(id, version=version),
}


def _paced(
    rate: int, jobs: Sequence[Callable[[], object]], threads: int = 16
) -> tuple[list[float], list[float], int]:
    """Start a job every 1/rate s whatever the others do. (ms from when it was due, ms of work alone, how many failed)."""
    waited, worked = [0.0] * len(jobs), [0.0] * len(jobs)
    failed = itertools.count()
    begin = time.perf_counter() + 0.2

    def one(number: int) -> None:
        due = begin + number / rate
        started = time.perf_counter()
        try:
            jobs[number]()
        except (Rejected, StoreUnavailable, Busy) as error:
            if next(failed) < 3:
                print(f"bench incidents: {error!r}", flush=True)
        ended = time.perf_counter()
        waited[number], worked[number] = (ended - due) * 1000, (ended - started) * 1000

    alarm = threading.Event()
    with ThreadPoolExecutor(threads) as pool:
        for number in range(len(jobs)):
            alarm.wait(max(0.0, begin + number / rate - time.perf_counter()))
            pool.submit(one, number)
    return waited, worked, next(failed)


def _stepped(store: Store, rng: random.Random, count: int) -> Iterator[tuple[int, int, object, Actor]]:
    """`count` open incidents, each with its next step and who may do it."""
    desk = _actor(store, "operator")
    areas = store.rows("SELECT path FROM areas WHERE level = 'city'")[0]
    rows = store.rows(
        "SELECT id, version, stage, unit, handled_by FROM incidents WHERE stage = ANY(%s) ORDER BY md5(id::text) LIMIT %s",
        (list(WAY), count),
    )
    for id, version, stage, unit, handler in rows:
        field = Actor(900_000 + rng.randrange(1000), "field", "处置员", "unit_handler", unit, areas)
        actor = desk if stage in ("returned_result", "checked") else field
        if handler != actor.id:
            yield id, version, WAY[stage](id, version), actor


def steps(
    bench: Bench, door: CityService, store: Store, person: Actor, rng: random.Random, seconds: int
) -> Figures:
    """RATE steps a second, each through the service with its transaction: incident, timeline, order, outbox, audit, key."""
    chosen = list(_stepped(store, rng, RATE * seconds))
    ids = [id for id, *_ in chosen]
    before = _state(store, ids)
    jobs = [partial(door.handle, command, actor, "desk") for _, _, command, actor in chosen]
    waited, worked, refused = _paced(RATE, jobs)
    after = _state(store, ids)
    lost = sum(
        after[id] != (version + 1, lines + 1, audited + 1, told + 1)
        for id, (version, lines, audited, told) in before.items()
    )
    figures: Figures = {
        "advance_steps": len(chosen),
        "advance_per_s": round(len(chosen) / seconds, 1),
        **{f"advance_p{n}_ms": round(percentile(waited, n / 100), 1) for n in (50, 95, 99)},
        "advance_work_p99_ms": round(percentile(worked, 0.99), 1),
        "advance_refused": refused,
        "advance_lost": lost - refused,
    }
    reports = Timed()
    spots = store.rows("SELECT lon, lat FROM places WHERE cell <> '' ORDER BY id")
    for number in range(seconds):
        lon, lat = rng.choice(spots)
        command = c.ReportIncident(
            text=f"路边井盖没有了，请处理 {number}", class_code="C0101", channel="hotline", lon=lon, lat=lat,
            key=f"bench-report-{number}-{time.time()}",
        )  # fmt: skip
        reports.ask(door.handle, command, person, "desk")
    figures |= reports.figures("report")
    bench.say(str(figures))
    return figures


def _state(store: Store, ids: list[int]) -> dict[int, tuple[int, int, int, int]]:
    """Id → (version, lines of timeline, lines of audit, messages that tell of it)."""
    rows = store.rows(
        "SELECT i.id, i.version, (SELECT count(*) FROM timeline WHERE incident_id = i.id),"
        " coalesce(a.n, 0), coalesce(o.n, 0) FROM incidents i"
        " LEFT JOIN (SELECT split_part(thing, ':', 2) AS id, count(*) AS n FROM audit WHERE allowed GROUP BY 1) a"
        " ON a.id = i.id::text"
        " LEFT JOIN (SELECT key, count(*) AS n FROM outbox WHERE topic = 'city.incident.v1' GROUP BY 1) o"
        " ON o.key = i.id::text WHERE i.id = ANY(%s)",
        (ids,),
    )
    return {id: (version, lines, audited, told) for id, version, lines, audited, told in rows}


def peer_steps(bench: Bench, dsn: str, store: Store, rng: random.Random, seconds: int) -> Figures:
    """The least that could be: one UPDATE and one INSERT a step, by hand, at the same rate; no rights, no audit, no outbox."""
    database = Database(dsn, size=24, name="peer")
    rows = store.rows(
        f"SELECT id, version, stage FROM incidents WHERE {OPEN} ORDER BY md5('p' || id::text) LIMIT %s",
        (RATE * seconds,),
    )

    def job(id: int, version: int, stage: str) -> None:
        with database.transaction() as cursor:
            cursor.execute(
                "UPDATE incidents SET last_action = 'note', version = version + 1 WHERE id = %s AND version = %s",
                (id, version),
            )
            cursor.execute(
                "INSERT INTO timeline VALUES (%s, %s, now(), 'note', %s, %s, 0, 'peer', 'system', 'desk', 'by hand')",
                (id, version + 1, stage, stage),
            )

    try:
        waited, _, failed = _paced(RATE, [partial(job, *row) for row in rows])
    finally:
        database.close()
    figures = {"advance_by_hand_p99_ms": round(percentile(waited, 0.99), 1), "advance_by_hand_failed": failed}
    bench.say(str(figures))
    return figures
