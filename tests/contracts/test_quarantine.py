"""Unknown devices: held, listed, adopted with every message stored exactly once, or set aside with a reason.

Real stores; the bus is the embedded one, with the real relay and the real ingest.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import redis

from data import device_registry, quarantine
from data.database import Database
from data.outbox import Outbox
from data.questions.answers import StoreQuestions
from data.reconcile import Reconciler
from data.store_counts import store_counts
from deploy.embedded import Embedded
from incidents import commands as c
from incidents.model import Rejected
from incidents.ports import Bus
from incidents.service import City, CityService
from streams import topics
from streams.bus import open_bus
from streams.relay import Relay
from tests.conftest import STORES
from tests.small_city import CELL, CITY, DISTRICT, PATTERN, WEST, ZONE, actor, place_of, units_of_work
from tests.streams.city_messages import alarm, reading
from tests.streams.test_consumer import Ingest, publish

pytestmark = pytest.mark.timeout(120, func_only=True)
ADMIN: Final = actor("administrator")
UNKNOWN: Final = "NEW-7"


@pytest.fixture(params=STORES)
def db(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Database:
    """A fresh store that holds the small city."""
    return fresh_database(str(request.param))


@pytest.fixture
def bus(servers: Embedded) -> Bus:
    """The embedded bus, empty, with its topics."""
    redis.Redis.from_url(servers.bus_url).flushall()
    bus = open_bus(servers.bus_url, 1)
    bus.inspector().ensure_topics(dict.fromkeys(topics.ALL_TOPICS, 1))
    return bus


def now() -> datetime:
    return datetime.now(UTC)


def door(db: Database) -> CityService:
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)
    return CityService(units_of_work(db), questions, now, City(PATTERN, ZONE, CITY))


def adopt(**more: Any) -> c.AdoptDevice:
    return c.AdoptDevice(**{"id": UNKNOWN, "type": "water", "lon": WEST[0], "lat": WEST[1], **more})


def ingest(bus: Bus, db: Database, total: int) -> None:
    Ingest(bus, "g", db, total).run_until_read()


def relay(db: Database, bus: Bus, outbox: Callable[[Database], Outbox] = Outbox) -> None:
    """The real relay until nothing waits."""
    stop = threading.Event()

    class Screens:
        def apply(self, set_items: Any = (), del_keys: Any = ()) -> None:
            pass

    class Ending(Outbox):
        def waiting(self, limit: int = 500) -> Any:
            found = super().waiting(limit)
            if not found:
                stop.set()
            return found

        def settle(self, ids: Sequence[int], now: datetime) -> None:
            outbox(db).settle(ids, now)

    Relay(Ending(db), bus.producer(), Screens(), now, (ConnectionError,)).run(stop)


def values(db: Database, device: str = UNKNOWN) -> list[float]:
    rows = db.query("SELECT r.value FROM readings r JOIN devices d ON d.no = r.device_no WHERE d.id = %s ORDER BY r.time",
                    (device,))  # fmt: skip
    return [value for (value,) in rows]


def ledger(db: Database) -> dict[str, int]:
    row = db.query("SELECT sum(stored), sum(rejected), sum(duplicate), sum(held) FROM ledger")[0]
    return dict(zip(("stored", "rejected", "duplicate", "held"), map(int, row), strict=True))


def agrees(db: Database, bus: Bus) -> bool:
    """The ledger agrees with the bus and with the rows that are there."""
    return Reconciler(db, bus.inspector).run(now(), whole=True) == []


def test_adopted_every_held_message_is_stored_once(db: Database, bus: Bus) -> None:
    begun = now()
    sent = [reading(UNKNOWN, {"level": n / 10}, begun - timedelta(minutes=5 - n), f"u{n}") for n in range(5)]
    publish(
        bus,
        [*sent, reading("OTHER-1", {"pm25": 9.0}, begun, "o"), reading("WL-1", {"level": 1.0}, begun, "k")],
    )
    ingest(bus, db, 7)
    assert ledger(db) == {"stored": 1, "rejected": 0, "duplicate": 0, "held": 6}
    listed = door(db).ask(c.Quarantine(), ADMIN)
    first = listed["rows"][0]
    assert (listed["total"], listed["messages"], first["thing"], first["messages"]) == (2, 6, UNKNOWN, 5)
    assert first["metrics"] == [{"id": "level", "value": 0.4, "declared": True}]
    assert (
        [kind["id"] for kind in first["types"]] == ["water"]
        and first["kind"] == "device"
        and not first["registered"]
    )

    answer = door(db).handle(adopt(name="新水位计", unit="U1"), ADMIN, "desk")
    assert (answer["released"], answer["follow"]) == (5, 0)
    assert answer["after"]["area"] == CELL and answer["after"]["expected_period_s"] == 60.0
    relay(db, bus)
    ingest(bus, db, 12)
    assert values(db) == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert ledger(db) == {"stored": 6, "rejected": 0, "duplicate": 0, "held": 6}, "each place of the bus once"
    assert store_counts(db)["held", "waiting"] == 1 and agrees(db, bus)
    with pytest.raises(Rejected, match="is registered already"):
        door(db).handle(adopt(), ADMIN, "desk")
    assert quarantine.tend(db, now()) == 0, "nothing is released twice"
    audit = db.query("SELECT actor, thing FROM audit WHERE action = 'device.manage' AND allowed")
    assert audit == [("administrator", f"adopt_device:{UNKNOWN}")]


class Died(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("step", ["write", "look_into", "release", "replay_payload"])
def test_a_crash_in_the_middle_of_an_adoption_leaves_nothing_and_doubles_nothing(
    db: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Killed before, between and after the parts of the release; then adopted again."""
    begun = now()
    publish(
        bus, [reading(UNKNOWN, {"level": float(n)}, begun - timedelta(minutes=n), f"u{n}") for n in range(3)]
    )
    ingest(bus, db, 3)
    module: Any = device_registry if step == "write" else quarantine
    real = getattr(module, step)

    def dies(*args: Any, **more: Any) -> Any:
        real(*args, **more)
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(module, step, dies)
        with pytest.raises(Died):
            door(db).handle(adopt(), ADMIN, "desk")
    assert db.query("SELECT count(*) FROM devices WHERE id = %s", (UNKNOWN,)) == [(0,)]
    assert db.query("SELECT count(*) FROM outbox WHERE topic = 'replay'") == [(0,)]
    assert db.query("SELECT state, count(*) FROM held GROUP BY 1") == [("waiting", 3)]
    door(db).handle(adopt(), ADMIN, "desk")
    relay(db, bus)
    ingest(bus, db, 6)
    assert sorted(values(db)) == [0.0, 1.0, 2.0] and agrees(db, bus)


def test_a_relay_that_dies_after_publishing_doubles_nothing_in_the_store(db: Database, bus: Bus) -> None:
    publish(
        bus, [reading(UNKNOWN, {"level": float(n)}, now() - timedelta(minutes=n), f"u{n}") for n in range(3)]
    )
    ingest(bus, db, 3)
    door(db).handle(adopt(), ADMIN, "desk")

    class Forgetful(Outbox):
        def settle(self, ids: Sequence[int], at: datetime) -> None:
            raise Died

    with pytest.raises(Died):
        relay(db, bus, Forgetful)
    relay(db, bus)
    ingest(bus, db, 9)
    assert sorted(values(db)) == [0.0, 1.0, 2.0] and agrees(db, bus)
    assert ledger(db) == {"stored": 3, "rejected": 0, "duplicate": 3, "held": 3}


def test_what_was_still_on_its_way_follows_by_itself(db: Database, bus: Bus) -> None:
    """Messages that came to quarantine just as their device was registered, and devices registered another way."""
    publish(bus, [reading(UNKNOWN, {"level": 1.0}, now(), "late")])
    ingest(bus, db, 1)
    door(db).handle(c.SaveDevice(UNKNOWN, type="water", lon=WEST[0], lat=WEST[1]), ADMIN, "desk")
    assert quarantine.tend(db, now()) == 1
    assert db.query("SELECT state, settled_by, thing FROM held") == [("released", "relay", UNKNOWN)]
    assert quarantine.tend(db, now()) == 0
    relay(db, bus)
    ingest(bus, db, 2)
    assert values(db) == [1.0] and agrees(db, bus)


def test_more_than_one_step_holds_is_released_in_steps(
    db: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "AT_ONCE", 4)
    publish(
        bus, [reading(UNKNOWN, {"level": float(n)}, now() - timedelta(minutes=n), f"u{n}") for n in range(10)]
    )
    ingest(bus, db, 10)
    answer = door(db).handle(adopt(), ADMIN, "desk")
    assert (answer["released"], answer["follow"]) == (4, 6)
    assert [quarantine.tend(db, now()) for _ in range(4)] == [4, 2, 0, 0]
    relay(db, bus)
    ingest(bus, db, 20)
    assert sorted(values(db)) == [float(n) for n in range(10)] and agrees(db, bus)


def test_old_readings_are_stored_as_history_and_ring_nobody(db: Database, bus: Bus) -> None:
    """Held so long that ingest would refuse them for their age: marked, stored, not judged. Fresh ones are judged."""
    publish(bus, [reading(UNKNOWN, {"level": 9.0}, now() - timedelta(hours=71), "old"),
                  reading(UNKNOWN, {"level": 8.0}, now() - timedelta(minutes=2), "fresh")])  # fmt: skip
    ingest(bus, db, 2)
    with units_of_work(db)() as uow:
        uow.administer(adopt(), ADMIN, now() + timedelta(hours=0))
    rows = [
        json.loads(bytes.fromhex(p["value"])) for (p,) in db.query("SELECT payload FROM outbox ORDER BY id")
    ]
    assert [row["data"].get("history", False) for row in rows] == [True, False]
    relay(db, bus)
    ingest(bus, db, 4)
    assert values(db) == [9.0, 8.0]
    assert db.query("SELECT value FROM warnings") == [(8.0,)]


def test_the_device_in_the_message_counts_not_its_key(db: Database, bus: Bus) -> None:
    one = reading(UNKNOWN, {"level": 1.0}, now(), "a")
    publish(bus, [type(one)(one.topic, "any-key", one.value)])
    ingest(bus, db, 1)
    assert quarantine.tend(db, now()) == 0
    assert door(db).ask(c.Quarantine(), ADMIN)["rows"][0]["thing"] == UNKNOWN
    assert door(db).handle(adopt(), ADMIN, "desk")["released"] == 1


def test_rejected_with_a_reason_and_taken_back(db: Database, bus: Bus) -> None:
    publish(bus, [reading(UNKNOWN, {"level": 1.0}, now(), "a"), reading(UNKNOWN, {"level": 2.0}, now(), "b")])
    ingest(bus, db, 2)
    with pytest.raises(Rejected, match="reason"):
        door(db).handle(c.RejectHeld(UNKNOWN, " "), ADMIN, "desk")
    assert door(db).handle(c.RejectHeld(UNKNOWN, "测试设备"), ADMIN, "desk")["rejected"] == 2
    assert store_counts(db)["held", "waiting"] == 0 and door(db).ask(c.Quarantine(), ADMIN)["rows"] == []
    (row,) = door(db).ask(c.Quarantine("rejected"), ADMIN)["rows"]
    assert (row["thing"], row["messages"], row["reason"]) == (UNKNOWN, 2, "测试设备")
    with pytest.raises(Rejected, match="nothing of it is held"):
        door(db).handle(c.RejectHeld(UNKNOWN, "again"), ADMIN, "desk")
    assert agrees(db, bus), "what is set aside is still there"
    assert door(db).handle(adopt(rejected=True), ADMIN, "desk")["released"] == 2


def test_alarms_wait_for_a_person(db: Database, bus: Bus) -> None:
    """A camera that is registered later: its alarms of then are not put back by themselves."""
    camera = "99010100001320000077"
    publish(bus, [alarm(camera, "flood", now(), "a")])
    ingest(bus, db, 1)
    with pytest.raises(Rejected, match="is no registered camera"):
        door(db).handle(c.ReleaseHeld(camera, "camera"), ADMIN, "desk")
    db.query("INSERT INTO cameras (code, name) VALUES (%s, '路口')", (camera,))
    assert quarantine.tend(db, now()) == 0
    (row,) = door(db).ask(c.Quarantine(), ADMIN)["rows"]
    assert (row["kind"], row["registered"], row["metrics"]) == ("camera", True, [])
    assert door(db).handle(c.ReleaseHeld(camera, "camera"), ADMIN, "desk")["released"] == 1
    db.query("UPDATE registry_version SET n = n + 1")
    relay(db, bus)
    ingest(bus, db, 2)
    assert db.query("SELECT camera FROM intake") == [(camera,)]


def test_a_release_that_the_bus_refuses_is_set_aside_with_its_words(db: Database, bus: Bus) -> None:
    publish(bus, [reading(UNKNOWN, {"level": 1.0}, now(), "a")])
    ingest(bus, db, 1)
    door(db).handle(adopt(), ADMIN, "desk")
    (waiting,) = Outbox(db).waiting()
    Outbox(db).set_aside(waiting.id, "12582913 bytes; the limit is 11534336 bytes", now())
    (row,) = door(db).ask(c.Quarantine("rejected"), ADMIN)["rows"]
    assert row["reason"].startswith("12582913 bytes") and row["settled_by"] == "bus"


def test_nobody_adopts_into_an_area_of_others(db: Database, bus: Bus) -> None:
    publish(bus, [reading(UNKNOWN, {"level": 1.0}, now(), "a")])
    ingest(bus, db, 1)
    other = actor("administrator", "990100/990102/", login="other-admin")
    with pytest.raises(Rejected) as refused:
        door(db).handle(adopt(), other, "desk")
    assert refused.value.code == "forbidden"
    own = actor("administrator", DISTRICT, login="own-admin")
    for query in (c.Quarantine(),):
        with pytest.raises(Rejected):
            door(db).ask(query, own)
    with pytest.raises(Rejected):
        door(db).handle(c.RejectHeld(UNKNOWN, "r"), own, "desk")
    assert door(db).handle(adopt(), own, "desk")["released"] == 1, "his own district is his"
