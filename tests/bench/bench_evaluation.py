"""Evaluation: a year of ≥ 10,000 incidents. Of some of them every step is a command through the product's own door and store
(`evaluation_year`), of the others a step of its own `advance`, written as timelines (`evaluation_bulk`). All timelines are exported as JSON lines; every rate of every month and of the year, by area, unit, post, class and source,
recounted from that file by an oracle that imports nothing of the product, and compared to the incident. Errors planted on
purpose must be found. Then the same table with a million incidents: what the page takes. Issue C, "Must show" 6.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch
from zoneinfo import ZoneInfo

import psycopg2

from data import incident_facts, rates
from data.database import Database
from data.migrate import migrate
from data.timeseries import enable
from incidents.evaluation import BY
from incidents.evaluation_queries import Evaluation, EvaluationCases
from tests.bench import evaluation_oracle as oracle
from tests.bench.evaluation_bulk import BulkYear
from tests.bench.evaluation_year import JUDGE, NOW, YEAR, CityYear
from tests.bench.frame import Bench, Figures
from tests.product import Product
from tests.small_city import CITY, TOWN, ZONE, fill

GOALS = {"unlike": 0, "rates": 10, "incidents": 10_000, "mutants_found": 3, "page_ms": 2_000}

DOOR, BULK = 1_000, 11_500
SEED: Final = 20_270_101
MILLION: Final = 1_000_000
AREAS: Final = (CITY, TOWN)
Answer = dict[tuple[str, str], tuple[list[int], list[int]]]


def export(dsn: str, path: Path) -> int:
    """Every incident with its timeline, a line each; what it waits for now stands beside it. Returns how many."""
    sql = (
        "SELECT json_build_object('id', i.id, 'area', i.area_path, 'class', i.class_code, 'waits', json_build_object("
        "'stage_due', i.stage_due_at, 'handle_due', i.handle_due_at), 'timeline', (SELECT json_agg(json_build_object("
        "'at', t.at, 'action', t.action, 'from', t.from_stage, 'to', t.to_stage, 'role', t.role, 'channel', t.channel,"
        " 'detail', t.detail) ORDER BY t.seq) FROM timeline t WHERE t.incident_id = i.id))::text"
        " FROM incidents i ORDER BY i.id"
    )
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor, path.open("w", encoding="utf-8") as file:
            cursor.execute(sql)
            rows = cursor.fetchall()
            file.writelines(f"{row[0]}\n" for row in rows)
        return len(rows)
    finally:
        connection.close()


def periods() -> list[tuple[date, date]]:
    """Each month until the one that is not over, the year, a week across two months, a day."""
    months = [date(YEAR, m, 1) for m in range(1, 13)] + [date(YEAR + 1, 1, 1)]
    spans = [(first, after - timedelta(days=1)) for first, after in zip(months, months[1:], strict=False)]
    return [*spans, (date(YEAR, 1, 1), date(YEAR, 12, 31)), (date(YEAR, 4, 28), date(YEAR, 5, 4)),
            (date(YEAR, 9, 9), date(YEAR, 9, 9))]  # fmt: skip


def bounds(begin: date, end: date) -> tuple[datetime, datetime]:
    """The moments of a span of days in the city, until now at most."""
    zone = ZoneInfo(ZONE)
    first = datetime(begin.year, begin.month, begin.day, tzinfo=zone)
    after = end + timedelta(days=1)
    return first, min(datetime(after.year, after.month, after.day, tzinfo=zone), NOW)


def answered(world: CityYear, by: str, area: str, begin: date, end: date) -> Answer:
    """What the product says, through its door: the rates, and the incidents behind every one of them."""
    days = begin.isoformat(), end.isoformat()
    told = world.door.ask(Evaluation(*days, by, area), JUDGE)
    found: Answer = {}
    groups = [(g["group"], g["rates"]) for g in told["groups"]]
    for group, numbers in groups:
        for formula, rate in numbers.items():
            if rate["denominator"]:
                parts = [
                    list(_pages(world, formula, days, part, by, group, area))
                    for part in ("numerator", "denominator")
                ]
                assert [len(ids) for ids in parts] == [rate["numerator"], rate["denominator"]], (
                    formula,
                    group,
                )
                found[formula, group] = (parts[0], parts[1])
    return found


def _pages(
    world: CityYear, formula: str, days: tuple[str, str], part: str, by: str, group: str, area: str
) -> Iterator[int]:
    after: int | None = 0
    while after is not None:
        query = EvaluationCases(formula, *days, part, by, group, area, 1000, after)
        answer = world.door.ask(query, JUDGE)
        yield from (row["id"] for row in answer["rows"])
        after = answer["next"]


def unlike(
    world: CityYear, every: list[oracle.Told], spans: list[tuple[date, date]], groupings: Iterable[str] = BY
) -> tuple[int, int, str]:
    """(numbers compared, how many differ, the first of them)."""
    compared = wrong = 0
    first = ""
    for by in groupings:
        for area in AREAS:
            for begin, end in spans:
                wanted = oracle.recount(every, by, area, *bounds(begin, end))
                found = answered(world, by, area, begin, end)
                for key in sorted({*wanted, *found}):
                    compared += 2
                    good, bad = wanted.get(key, ([], [])), found.get(key, ([], []))
                    for part, a, b in zip(("numerator", "denominator"), good, bad, strict=True):
                        if a != b:
                            wrong += 1
                            gone = sorted({*a} ^ {*b})[:5]
                            first = first or f"{key} {part} by {by} in {area} {begin}: {gone}"
    return compared, wrong, first


@contextmanager
def told_otherwise(db: Database, before: str, after: str) -> Iterator[None]:
    """The timelines read otherwise, and everything recounted so; set right afterwards."""
    assert before in incident_facts.TOLD, before
    mutant = incident_facts.TOLD.replace(before, after)
    with patch.object(incident_facts, "TOLD", mutant):
        refill(db)
    yield
    refill(db)


def refill(db: Database) -> None:
    """All facts anew."""
    with db.transaction() as cursor:
        cursor.execute("SELECT array_agg(id) FROM incidents")
        (ids,) = cursor.fetchone() or ([],)
        cursor.execute("DELETE FROM incident_facts")
        incident_facts.keep(cursor, ids)


def mutants(db: Database) -> dict[str, Callable[[], Any]]:
    """Errors planted on purpose; each must be found by the oracle."""

    def without(fact: str, condition: str) -> Any:
        return patch.dict(rates.FACT_SQL, {fact: condition})  # type: ignore[arg-type]

    return {
        "every appeal exempts, granted or not": lambda: told_otherwise(
            db, "AND action = 'grant_appeal'", "AND action IN ('grant_appeal', 'refuse_appeal')"
        ),
        "reopening takes an exemption back": lambda: told_otherwise(
            db, "n.seq < g.seq AND n.action = 'reopen'", "n.action = 'reopen'"
        ),
        "the first result counts, not the last": lambda: told_otherwise(
            db, "max(at) FILTER (WHERE action = 'feed_back'", "min(at) FILTER (WHERE action = 'feed_back'"
        ),
        "returned for a wrong class counts as a wrong dispatch": lambda: told_otherwise(
            db, "IN ('owner', 'scope', 'place')", "IN ('owner', 'scope', 'place', 'class')"
        ),
        "parked ones stay in the rate of closing on time": lambda: without("parked", "false"),
        "void ones are to be handled": lambda: without("to_handle", rates.FACT_SQL["to_handle"].split(" AND coalesce(f.voided_at")[0] + "))"),
    }  # fmt: skip


def made_a_million(db: Database) -> int:
    """The year's facts again and again, a minute apart, until there are a million. Only here: without their incidents."""
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE incident_facts DROP CONSTRAINT incident_facts_incident_id_fkey")
        cursor.execute("SELECT count(*), max(incident_id) FROM incident_facts")
        count, top = cursor.fetchone() or (0, 0)
        names = [n for n in incident_facts.COLUMNS if n != "incident_id"]
        shifted = ", ".join(f"{n} + copy.n * interval '1 minute'" if n.endswith("_at") else n for n in names)
        cursor.execute(
            f"INSERT INTO incident_facts (incident_id, {', '.join(names)})"
            f" SELECT incident_id + copy.n * %s, {shifted} FROM incident_facts, generate_series(1, %s) copy (n)"
            " ORDER BY reported_at",
            (top, MILLION // count),
        )
        cursor.execute("ANALYZE incident_facts")
        return int(count * (1 + MILLION // count))


def page(world: CityYear, times: int = 5) -> dict[str, float]:
    """Milliseconds of what the page asks: a month and the whole year by unit; the incidents behind a number."""
    asked = {
        "page_ms": Evaluation(f"{YEAR}-11-01", f"{YEAR}-11-30", "unit"),
        "page_year_ms": Evaluation(f"{YEAR}-01-01", f"{YEAR}-12-31", "unit"),
        "behind_ms": EvaluationCases("handle_rate", f"{YEAR}-11-01", f"{YEAR}-11-30", "denominator"),
    }
    figures = {}
    for name, query in asked.items():
        took = []
        for _ in range(times):
            begin = time.perf_counter()
            world.door.ask(query, JUDGE)
            took.append((time.perf_counter() - begin) * 1e3)
        figures[name] = round(sorted(took)[len(took) // 2], 1)
    return figures


def keeping(world: CityYear, times: int) -> float:
    """Microseconds that a transaction takes longer by keeping the facts of one incident."""
    ids = [id for (id,) in world.db.query("SELECT id FROM incidents ORDER BY id LIMIT %s", (times,))]
    with world.db.transaction() as cursor:
        incident_facts.keep(cursor, ids[:1])
        cursor.execute("UPDATE incident_facts SET version = -1 WHERE incident_id = ANY(%s)", (ids,))
        begin = time.perf_counter()
        for id in ids:
            incident_facts.keep(cursor, [id])
        return (time.perf_counter() - begin) / len(ids) * 1e6


def run(bench: Bench) -> Figures:
    """The year, the export, the recount, the planted errors, the million."""
    product = Product(bench.profile, bench.folder)
    try:
        product.start_services()
        dsn = product.env["CHENGYUN_DSN"]
        db = Database(dsn, size=8, name="bench")
        migrate(db)
        enable(db)
        fill(db)
        # A year in minutes: nothing here needs to survive a power cut.
        db.query(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$"
        )
        db.close()
        db = Database(dsn, size=8, name="bench")
        db.query("UPDATE event_classes SET limit_min = 240, clock_kind = 'work_hour' WHERE code = '0101'")
        db.query("UPDATE event_classes SET needs_photo = false, limit_min = 300 WHERE code = '0201'")
        world = CityYear(db, SEED)
        world.run(DOOR // 4 if bench.quick else DOOR, bench.say)
        bulk = BulkYear(db, SEED + 1)
        bulk.begin_at(1_000_000)
        bulk.run(BULK // 20 if bench.quick else BULK, bench.say)
        by_steps = bulk.store()
        filled = time.perf_counter()
        while not (state := incident_facts.recounted(db)).rounds:
            incident_facts.recount(db, NOW)
        filled = time.perf_counter() - filled
        file = bench.folder / "timelines.jsonl"
        count = export(dsn, file)
        with file.open(encoding="utf-8") as lines:
            every = [oracle.read(json.loads(line)) for line in lines]
        happened = world.happened + bulk.happened
        bench.say(f"{count} incidents, {dict(sorted(happened.items()))}")
        with db.transaction() as cursor:
            ids = [told.id for told in every]
            apart = sum(
                a != b
                for a, b in zip(
                    incident_facts.kept(cursor, ids), incident_facts.told(cursor, ids), strict=True
                )
            )
        spans = periods()[-5:] if bench.quick else periods()
        compared, wrong, first = unlike(world, every, spans)
        bench.say(f"{compared} numbers compared, {wrong} differ {first}")
        found = {}
        for name, plant in mutants(db).items():
            with ExitStack() as stack:
                stack.enter_context(plant())
                _, differ, where = unlike(world, every, [periods()[12]], ("total",))
            found[name] = differ
            bench.say(f"planted: {name}: {differ} numbers differ, {where}")
        keep_us = keeping(world, min(count, 500))
        stored = made_a_million(db)
        figures = page(world)
        bench.say(f"{stored} incidents: {figures}")
        db.close()
    finally:
        product.stop()
    return {
        "incidents": count, "through_the_door": count - by_steps,
        "commands": sum(n for name, n in happened.items() if ":" not in name), "happened": dict(sorted(happened.items())),
        "filled_by_recount": state.filled, "differed_in_recount": state.differed,
        "recount_us_each": round(filled / count * 1e6, 1), "kept_unlike_timelines": apart, "rates": len(oracle.RATES),
        "groupings": len(BY), "periods": len(spans), "numbers_compared": compared, "unlike": wrong, "first_unlike": first,
        "in_denominators": {rate: sum(len(d) for (r, _), (_, d) in oracle.recount(every, "total", CITY, *bounds(*periods()[12])).items() if r == rate) for rate in oracle.RATES},
        "mutants_found": sum(n > 0 for n in found.values()), "mutants_differ_in": found,
        "keep_us": round(keep_us, 1), "stored_incidents": stored, **figures,
    }  # fmt: skip
