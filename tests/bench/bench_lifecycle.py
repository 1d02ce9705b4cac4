"""The life-cycle through the one door and a real store, beside an oracle that imports nothing of the product: a Hypothesis
state machine over all actions, roles, areas and clocks; and two users racing on the same incidents. Issue C "Must show" 1.

Invariants after every step: the stage, the deadline and the refusal are the oracle's; every version has its line in the
timeline; a unit has one open order while it holds the incident and none else.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import psycopg2
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from psycopg2.extensions import make_dsn

from data.administration import Administration
from data.audit import Audit
from data.database import Database
from data.migrate import migrate
from data.questions.answers import StoreQuestions
from data.timeseries import enable
from data.uow import UnitsOfWork
from incidents import access, lifecycle
from incidents import commands as c
from incidents import handling_commands as h
from incidents.model import Actor, Rejected
from incidents.service import City, CityService
from incidents.working_time import WorkingTime
from tests.bench import lifecycle_oracle as oracle
from tests.bench.clock_oracle import year_of
from tests.bench.frame import Bench, Figures
from tests.product import Product
from tests.small_city import (
    CITY,
    GRID,
    OTHER_DISTRICT,
    PATTERN,
    ZONE,
    fill,
    light_accounts,
    place_of,
)

GOALS = {"steps": 200_000, "broken": 0, "lost_updates": 0, "mutants_found": 5}

YEAR: Final = 2027
"""Without holidays: which days are worked is `bench clocks`' question."""
LIMIT_MIN: Final = 10 * 60
STEPS: Final = 100
WALKERS: Final = 3
"""Processes, each with a database of its own: one waits for the disk while another thinks."""
RACED: Final = 1_000
FIRST: Final = datetime(YEAR, 1, 1, tzinfo=ZoneInfo(ZONE))

_DAYS: Final = [(FIRST + timedelta(days=n)).date() for n in range(365)]
WORKED: Final = year_of(YEAR, {day for day in _DAYS if day.weekday() < 5}).worked
"""Of every minute of the year, whether it is worked."""

PEOPLE: Final = tuple(
    oracle.Person(100 + n, login, role, unit, inside)
    for n, (login, role, unit, inside) in enumerate(
        (
            ("op-1", "operator", "", True), ("op-2", "operator", "", True), ("op-far", "operator", "", False),
            ("dis-1", "dispatcher", "", True), ("dis-far", "dispatcher", "", False), ("lead", "duty_leader", "", True),
            ("lead-far", "duty_leader", "", False), ("office-1", "unit_handler", "U1", True),
            ("office-2", "unit_handler", "U2", True), ("grid-worker", "grid_worker", "U1", True),
            ("w-1", "grid_worker", "U1", True), ("w-2", "grid_worker", "U2", True), ("judge", "evaluator", "", True),
            ("judge-far", "evaluator", "", False), ("theme", "theme_owner", "", True),
            ("admin", "administrator", "", True), ("auditor", "auditor", "", True), ("wall", "wall", "", True),
        )
    )
)  # fmt: skip
ACTIONS: Final = tuple(oracle.WHERE)


def actor_of(person: oracle.Person) -> Actor:
    """The product's actor for a person of the oracle."""
    area = CITY if person.inside else OTHER_DISTRICT
    area = GRID if person.role == "grid_worker" else area
    return Actor(person.id, person.login, person.login, person.role, person.unit, (area,))


def moment(minute: int) -> datetime:
    """A local minute of the year."""
    return (
        (FIRST.replace(tzinfo=None) + timedelta(minutes=minute))
        .replace(tzinfo=ZoneInfo(ZONE))
        .astimezone(UTC)
    )


def command_of(action: str, id: int, unit: str, until: int) -> object:
    """The command of an action, complete in all that it must say."""
    why = "因为"
    made: dict[str, Callable[[], object]] = {
        "accept": lambda: c.AcceptIncident(id), "refuse": lambda: c.RefuseIncident(id, why),
        "consult": lambda: c.AnswerConsultation(id, why),
        "void": lambda: c.VoidIncident(id, why), "dispatch": lambda: c.DispatchIncident(id, unit, reason=why),
        "take": lambda: c.TakeIncident(id), "arrive": lambda: c.ArriveIncident(id),
        "finish": lambda: c.FinishIncident(id, "已处置"), "return": lambda: c.ReturnIncident(id, "owner", why),
        "pass": lambda: c.CheckIncident(id, True), "fail": lambda: c.CheckIncident(id, False, why),
        "close": lambda: c.CloseIncident(id), "note": lambda: c.NoteIncident(id, why),
        "acknowledge": lambda: c.AcknowledgeIncident(id), "ask_extension": lambda: h.AskExtension(id, why),
        "ask_parking": lambda: h.AskParking(id, moment(until), why), "grant": lambda: h.AnswerRequest(id, True),
        "deny": lambda: h.AnswerRequest(id, False, why), "unpark": lambda: h.EndParking(id, why),
        "supervise": lambda: h.SuperviseIncident(id, 2, why), "sign": lambda: h.SignSupervision(id),
        "answer": lambda: h.AnswerSupervision(id, why), "end": lambda: h.EndSupervision(id),
        "appeal": lambda: h.AppealIncident(id, "overdue", why),
        "grant_appeal": lambda: h.AnswerAppeal(id, True, why), "deny_appeal": lambda: h.AnswerAppeal(id, False, why),
        "call_back": lambda: h.CallBack(id, 4), "reopen": lambda: h.ReopenIncident(id, why),
        "ask_assist": lambda: h.AskAssist(id, [unit], why), "take_assist": lambda: h.TakeAssist(id),
        "arrive_assist": lambda: h.ArriveAssist(id), "answer_assist": lambda: h.AnswerAssist(id, "已协助"),
        "release_assist": lambda: h.ReleaseAssist(id, unit, why),
    }  # fmt: skip
    return made[action]()


class World:
    """The store, the door, and the clock that a machine turns."""

    def __init__(self, dsn: str) -> None:
        self.db = Database(dsn, size=8, name="bench")
        self.now = FIRST.astimezone(UTC)
        self._numbers = itertools.count()
        working = WorkingTime(ZONE, {YEAR: {}})
        self.units = UnitsOfWork(
            self.db, Audit(self.db), Administration(light_accounts(self.db)), place_of, lambda: working
        )
        questions = StoreQuestions(self.db, place_of, dict, lambda: CITY)
        self.door = CityService(self.units, questions, lambda: self.now, City(PATTERN, ZONE, CITY))

    def report(self) -> int:
        """A new incident."""
        # Without a place: at one spot all of them would be merged.
        command = c.ReportIncident(text="路口积水", class_code="0101", key=f"r{next(self._numbers)}")
        return int(self.door.handle(command, actor_of(PEOPLE[0]), "bench")["id"])


class Machine(RuleBasedStateMachine):
    """One incident, one year, people who try everything."""

    world: ClassVar[World]
    count: ClassVar[Counter[str]]
    broken: ClassVar[list[str]]
    worked: ClassVar[Any]

    @initialize(minute=st.integers(0, 330 * 1440))
    def begin(self, minute: int) -> None:
        """A report at any minute of the year."""
        self.minute = minute
        self.world.now = moment(minute)
        self.id = self.world.report()
        self.case = oracle.Case(self.worked, LIMIT_MIN)
        self.history: list[str] = []

    @rule(
        dice=st.integers(0, 2**32), later=st.sampled_from([0, 1, 7, 45, 200, 600, 3000]),
        unit=st.sampled_from(["U1", "U2"]), days=st.sampled_from([-1, 0, 1, 4, 400]),
    )  # fmt: skip
    def act(self, dice: int, later: int, unit: str, days: int) -> None:
        """Mostly something that is possible by somebody who may; sometimes anything by anybody.

        What breaks is kept, not raised: Hypothesis would run it again, and the store is another one by then.
        """
        if self.broken:
            return
        if self.minute + later >= 365 * 1440:
            later = 0
        self.minute += later
        self.world.now = moment(self.minute)
        # Hypothesis likes small numbers too much to walk far with them alone.
        rng = random.Random(f"{dice} {len(self.history)} {self.id}")
        until = self.minute + days * 1440
        action, who = self.choice(rng, unit, until)
        self.history.append(f"{self.minute} {action} {who.login} {unit} {until}")
        wanted = self.case.act(action, who, self.minute, unit, until)
        found = ""
        try:
            self.world.door.handle(command_of(action, self.id, unit, until), actor_of(who), "bench")
        except Rejected as refused:
            found = refused.code
        except Exception as error:  # noqa: BLE001 - whatever it is, the walk tells it
            found = repr(error)
        self.count["steps"] += 1
        self.count[f"{action}{':' if found else ''}{found}"] += 1
        fault = f"{wanted or 'done'} expected, {found or 'done'} found" if wanted != found else self.look()
        if fault:
            self.broken.append(f"{fault} after {self.history[-8:]}")

    def choice(self, rng: random.Random, unit: str, until: int) -> tuple[str, oracle.Person]:
        """Mostly what leads on; often what is possible from this stage; sometimes anything."""
        pairs = [(action, person) for action in ACTIONS for person in PEOPLE]
        mood = rng.random()
        if mood < 0.75:
            rng.shuffle(pairs)
            ends = ("refuse", "consult", "void") if rng.random() < 0.97 else ()
            on = (p for p in pairs if p[0] not in ends and not self.case.would(*p, self.minute, unit, until))
            # By action first: of many people who may, one is as good as another.
            wanted = {action: (action, person) for action, person in on}
            if wanted:
                return rng.choice(list(wanted.values()))
        if mood < 0.95:
            pairs = [p for p in pairs if self.case.stage in oracle.WHERE[p[0]]] or pairs
        return rng.choice(pairs)

    def look(self) -> str:
        """What does not hold of the stored incident; '' when all does."""
        row = self.world.db.query(
            "SELECT stage, version, unit, handle_due_at, overdue, returns, reworks, closed_at IS NULL,"
            " (SELECT count(*) FROM timeline t WHERE t.incident_id = i.id),"
            " (SELECT count(*) FROM orders o WHERE o.incident_id = i.id AND o.kind = 'lead' AND o.ended_at IS NULL),"
            " (SELECT coalesce(array_agg(a->>'unit' ORDER BY a->>'unit'), '{}') FROM jsonb_array_elements(assists) a"
            "  WHERE a->>'done_at' IS NULL AND a->>'released_at' IS NULL),"
            " (SELECT coalesce(array_agg(unit ORDER BY unit), '{}') FROM orders o WHERE o.incident_id = i.id"
            "  AND o.kind = 'assist' AND o.ended_at IS NULL)"
            " FROM incidents i WHERE id = %s",
            (self.id,),
        )[0]
        case, due = self.case, self.case.due(self.minute)
        wanted = (
            case.stage, case.version, case.unit,
            None if due in (None, oracle.UNKNOWN) else moment(due), case.overdue, case.returns, case.reworks,
            case.stage not in oracle.FINAL, case.version, int(case.stage in oracle.HELD),
            *[sorted(help.unit for help in case.helps if help.open)] * 2,
        )  # fmt: skip
        names = (
            "stage",
            "version",
            "unit",
            "due",
            "overdue",
            "returns",
            "reworks",
            "open",
            "lines",
            "orders",
            "waiting for",
            "orders to assist",
        )
        return "; ".join(
            f"{name}: {good} expected, {bad} found"
            for name, good, bad in zip(names, wanted, row, strict=True)
            if good != bad
        )


def walk(world: World, runs: int, seed: int) -> tuple[int, list[str], Counter[str]]:
    """So many incidents of up to STEPS steps; (steps, what broke, what happened). Ends at the first that breaks."""

    class Walk(Machine):
        count: ClassVar[Counter[str]] = Counter()
        broken: ClassVar[list[str]] = []
        worked: ClassVar[Any] = WORKED

    Walk.world = world
    rules = settings(
        max_examples=runs, stateful_step_count=STEPS, deadline=None, database=None, report_multiple_bugs=False,
        phases=(Phase.generate,), suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    run_state_machine_as_test(seeded(seed)(Walk), settings=rules)
    return Walk.count["steps"], Walk.broken, Walk.count


def race(world: World, count: int) -> dict[str, int]:
    """Two users at each of `count` incidents at the same moment: one accepts, one refuses; both leave a note."""
    numbers = [world.report() for _ in range(count)]
    told: Counter[str] = Counter()
    gate = threading.Barrier(2)

    def user(person: oracle.Person, decide: Callable[[int], object]) -> None:
        actor = actor_of(person)
        for id in numbers:
            gate.wait()
            for command in (decide(id), c.NoteIncident(id, "备注")):
                try:
                    world.door.handle(command, actor, "bench")
                    told[f"{id}"] += 1
                    told[type(command).__name__] += 1
                except Rejected as refused:
                    told[refused.code] += 1

    both = [
        threading.Thread(target=user, args=(PEOPLE[0], lambda id: c.AcceptIncident(id, version=1))),
        threading.Thread(target=user, args=(PEOPLE[1], lambda id: c.RefuseIncident(id, "不受理", version=1))),
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    rows = world.db.query(
        "SELECT id, version, (SELECT count(*) FROM timeline t WHERE t.incident_id = i.id) FROM incidents i"
        " WHERE id = ANY(%s)",
        (numbers,),
    )
    lost = sum(version != lines or version != 1 + told[f"{id}"] for id, version, lines in rows)
    return {
        "raced": len(rows), "lost_updates": lost, "accepted": told["AcceptIncident"], "refused": told["RefuseIncident"],
        "notes": told["NoteIncident"], "stale": told["stale"] + told["stage"],
    }  # fmt: skip


@contextmanager
def patched(thing: Any, name: str, value: Any) -> Iterator[None]:
    """Something of the product replaced for a while."""
    before = getattr(thing, name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        setattr(thing, name, before)


def mutants() -> dict[str, Callable[[], Any]]:
    """Errors planted on purpose; each must be found by the oracle."""
    table = lifecycle._BY_ACTION
    checked = {**table, "close": replace(table["close"], sources=frozenset({lifecycle.S.RETURNED_RESULT}))}
    more = {**access.RIGHTS, "operator": access.RIGHTS["operator"] | {"incident.dispatch"}}
    stands = lifecycle._standing

    def runs_on(new: Any, old: Any, now: Any, working: Any) -> Any:
        return replace(stands(new, old, now, working), clock=old.clock)

    return {
        "closed without a check": lambda: patched(lifecycle, "_BY_ACTION", checked),
        "operators dispatch": lambda: patched(access, "RIGHTS", more),
        "nobody is ever late": lambda: patched(lifecycle, "_late", lambda incident, now, working: False),
        "the clock runs on at the dispatcher": lambda: patched(lifecycle, "_standing", runs_on),
        "no assisting unit is waited for": lambda: patched(
            lifecycle.assisting, "waiting", lambda assists: ()
        ),
    }


def new_world(dsn: str) -> World:
    """A world in a fresh database of the store. Commits do not wait for the disk: what a crash costs is `bench kill-drill`'s."""
    name = f"lifecycle_{os.getpid()}"
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name} TEMPLATE template0")
    world = World(make_dsn(dsn, dbname=name, options="-c synchronous_commit=off"))
    migrate(world.db)
    enable(world.db)
    fill(world.db)
    world.db.query(
        "UPDATE event_classes SET limit_min = %s, clock_kind = 'work_hour' WHERE code = '0101'", (LIMIT_MIN,)
    )
    return world


_WORLDS: Final[list[World]] = []
"""Of a walking process: its one world."""


def _begin(dsn: str) -> None:
    _WORLDS.append(new_world(dsn))


def _walk(seed: int) -> tuple[int, list[str], Counter[str]]:
    return walk(_WORLDS[0], 50, seed)


def run(bench: Bench) -> Figures:
    """The walk, the mutants, the race."""
    wanted = 5_000 if bench.quick else GOALS["steps"]
    product = Product(bench.profile, bench.folder)
    try:
        product.start_services()
        dsn = product.env["CHENGYUN_DSN"]
        steps, broken, happened = 0, list[str](), Counter[str]()
        seed, began = 0, time.perf_counter()
        with ProcessPoolExecutor(WALKERS, get_context("spawn"), _begin, (dsn,)) as walkers:
            while steps < wanted and not broken:
                seeds = range(seed + 1, seed + 1 + 2 * WALKERS)
                for walked, faults, counted in walkers.map(_walk, seeds):
                    steps += walked
                    broken += faults
                    happened += counted
                seed = seeds[-1]
                bench.say(f"{steps} steps, {len(broken)} broken {broken[:1]}")
        took = time.perf_counter() - began
        world = new_world(dsn)
        found = {}
        for name, plant in mutants().items():
            with plant():
                found[name] = any(walk(world, 100, 1_000 + n)[1] for n in range(6))
            bench.say(f"planted: {name}: {'found' if found[name] else 'NOT FOUND'}")
        raced = race(world, RACED // 10 if bench.quick else RACED)
        bench.say(f"raced: {raced}")
    finally:
        product.stop()
    done = {name: n for name, n in sorted(happened.items()) if name != "steps"}
    return {
        "steps": steps, "broken": len(broken), "first_broken": broken[:1], "incidents": seed * 50,
        "actions_done": sum(":" not in name for name in done), "actions": len(ACTIONS), "outcomes": done,
        "steps_per_s": round(steps / took), "mutants": found, "mutants_found": sum(found.values()), **raced,
    }  # fmt: skip
