"""Dead letters: looked at, put back by the page or the command line, and what the bus will never take."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import redis

from callbacks.ops import editable, edited
from data.database import Database
from data.outbox import Outbox
from data.questions import operations
from data.questions.answers import StoreQuestions
from data.store_counts import store_counts
from deploy.embedded import Embedded
from incidents import commands as c
from incidents.model import Rejected
from incidents.service import City, CityService
from incidents.triage import escalate_due, triage
from streams import topics
from streams.adapters.letter import letter_of
from streams.bus import open_bus
from streams.envelope import Bad
from streams.relay import Relay
from tests.product import ROOT
from tests.small_city import CAMERA, CITY, PATTERN, ZONE, actor, place_of, units_of_work
from tests.streams.city_messages import alarm, reading
from tests.streams.test_consumer import Ingest, publish

pytestmark = pytest.mark.timeout(120, func_only=True)
ADMIN: Final = actor("administrator")
NOW: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.fixture
def cli(servers: Embedded, city: Database) -> Iterator[Callable[..., str]]:
    """`python app.py WORDS` over the small city and an empty bus; what it prints."""
    redis.Redis.from_url(servers.bus_url).flushall()
    open_bus(servers.bus_url, 1).inspector().ensure_topics(dict.fromkeys(topics.ALL_TOPICS, 1))
    env = {**os.environ, "CHENGYUN_DSN": city.dsn, "CHENGYUN_BUS": servers.bus_url,
           "CHENGYUN_LIVE_URL": servers.live_url, "PYTHONPATH": str(ROOT)}  # fmt: skip

    def run(*words: str) -> str:
        done = subprocess.run([sys.executable, "app.py", *words], cwd=ROOT, env=env, capture_output=True,
                              text=True, timeout=60)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    yield run


def letter(db: Database, offset: int, value: bytes, reason: str = "malformed") -> None:
    """A dead letter as a flush leaves it."""
    (ledger,) = db.query(
        "INSERT INTO ledger (topic, partition, minute, feed) VALUES (%s, 0, %s, 'sensors')"
        " ON CONFLICT (topic, partition, minute, feed) DO UPDATE SET feed = EXCLUDED.feed RETURNING id",
        (topics.READING, NOW),
    )
    db.query(
        'INSERT INTO dead_letters (topic, partition, "offset", feed, ledger_id, key, value, reason, received_at)'
        " VALUES (%s, 0, %s, 'sensors', %s, 'k', %s, %s, %s)",
        (topics.READING, offset, ledger[0], value, reason, NOW + timedelta(seconds=offset)),
    )


def shown(db: Database, offset: int) -> dict[str, Any]:
    """One letter by its key, as the page asks for it."""
    questions = StoreQuestions(db, place_of, dict, lambda: CITY)
    asked = c.DeadLetters("all", topics.READING, limit=1, partition=0, offset=offset)
    (row,) = questions.answer(asked, ADMIN, NOW)["rows"]
    found: dict[str, Any] = row
    return found


def test_a_row_of_the_ledger_opens_its_own_letters(city: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejected and held of one feed and minute, not those of others; rows beyond the limit are told, not passed over."""
    for offset, minute in ((1, 0), (2, 0), (3, 1)):
        letter(city, offset, b"x")
        row = "INSERT INTO ledger (topic, partition, minute, feed) VALUES (%s, 0, %s, 'sensors')"
        row += " ON CONFLICT (topic, partition, minute, feed) DO UPDATE SET feed = EXCLUDED.feed RETURNING id"
        (found,) = city.query(row, (topics.READING, NOW - timedelta(minutes=minute)))
        city.query('UPDATE dead_letters SET ledger_id = %s WHERE "offset" = %s', (found[0], offset))
        city.query(
            'INSERT INTO held (topic, partition, "offset", feed, ledger_id, key, value, received_at)'
            " VALUES (%s, 0, %s, 'sensors', %s, %s, 'x', %s)",
            (topics.READING, offset, found[0], f"thing-{minute}", NOW),
        )
    questions = StoreQuestions(city, place_of, dict, lambda: CITY)
    rows = questions.answer(c.Ledger(60), ADMIN, NOW)["rows"]
    assert len(rows) == 2
    for row, offsets in zip(rows, ({1, 2}, {3}), strict=True):
        letters = questions.answer(c.DeadLetters("all", ledger=row["ledger"]), ADMIN, NOW)
        assert {r["offset"] for r in letters["rows"]} == offsets and letters["total"] == len(offsets)
        assert questions.answer(c.Held(ledger=row["ledger"]), ADMIN, NOW)["total"] == len(offsets)
    assert (
        questions.answer(c.DeadLetters("all"), ADMIN, NOW)["total"]
        == 3
        == questions.answer(c.Held(), ADMIN, NOW)["total"]
    )
    monkeypatch.setattr(operations, "LEDGER_ROWS", 1)
    answer = questions.answer(c.Ledger(60), ADMIN, NOW)
    assert (len(answer["rows"]), answer["total"]) == (1, 2)


def door(db: Database) -> CityService:
    return CityService(
        units_of_work(db),
        StoreQuestions(db, place_of, dict, lambda: CITY),
        lambda: NOW,
        City(PATTERN, ZONE, CITY),
    )


@pytest.mark.parametrize("value", [
    b'{"a":1.10,"b":1}', b"no json\r\nat all", b"\xff\x00binary", b'"' + b"x" * 30_000 + b'"', "路".encode() * 7000,
    b"\\xff",
])  # fmt: skip
def test_an_opened_letter_goes_back_as_its_very_bytes(city: Database, value: bytes) -> None:
    letter(city, 7, value)
    letter(city, 8, b"{}")
    found = shown(city, 7)
    assert found["bytes"] == len(value) and len(found["value"].encode()) <= 4 * 20_000
    text = editable(found)
    whole = len(value) <= 20_000 and b"\xff\x00" not in value
    assert found["whole"] is whole and bool(text) is whole
    # A browser's text area ends its lines with LF.
    assert edited(found, text) == "" == edited(found, text.replace("\r\n", "\n"))
    assert edited(found, text + " ") == (text + " " if whole else ""), (
        "only what was wholly shown can be edited"
    )
    door(city).handle(c.ReplayDeadLetter(topics.READING, 0, 7, edited(found, text)), ADMIN, "desk")
    ((payload,),) = city.query("SELECT payload FROM outbox WHERE topic = 'replay'")
    assert bytes.fromhex(payload["value"]) == value


def test_what_was_sent_instead_and_why_not_is_kept(city: Database) -> None:
    """Beside what was refused, which stays as it came."""
    letter(city, 1, b'{"a":1')
    letter(city, 2, b"rubbish")
    letter(city, 3, b"{}")
    door(city).handle(c.ReplayDeadLetter(topics.READING, 0, 1, '{"a":1}'), ADMIN, "desk")
    door(city).handle(c.DropDeadLetter(topics.READING, 0, 2, "试验数据"), ADMIN, "desk")
    door(city).handle(c.ReplayDeadLetter(topics.READING, 0, 3), ADMIN, "desk")
    found = [shown(city, offset) for offset in (1, 2, 3)]
    assert [(r["value"], r["corrected"], r["settled_why"]) for r in found] == [
        ('{"a":1', '{"a":1}', ""), ("rubbish", "", "试验数据"), ("{}", "", ""),
    ]  # fmt: skip


def test_what_is_too_large_is_not_put_back(city: Database, cli: Callable[..., str]) -> None:
    letter(city, 1, b"x" * 100, "too_large")
    letter(city, 2, b"{}")
    with pytest.raises(Rejected, match="100 bytes would be refused again"):
        door(city).handle(c.ReplayDeadLetter(topics.READING, 0, 1), ADMIN, "desk")
    told = cli("deadletter", "replay")
    assert "1 dead letters handed to the relay" in told and "1 are too large" in told
    assert city.query('SELECT "offset", state FROM dead_letters ORDER BY 1') == [(1, "open"), (2, "replayed")]


def test_a_replay_refused_by_the_bus_is_open_again_and_counted(city: Database) -> None:
    letter(city, 1, b"{}")
    door(city).handle(c.ReplayDeadLetter(topics.READING, 0, 1, "[]"), ADMIN, "desk")
    outbox = Outbox(city)
    (row,) = outbox.waiting()
    outbox.set_aside(row.id, "12582913 bytes; the limit is 11534336 bytes", NOW)
    assert outbox.waiting() == [] and outbox.standing() == (0, 1)
    assert store_counts(city)["outbox", "refused"] == 1
    outbox.tidy(NOW + timedelta(days=9))
    assert outbox.standing() == (0, 1), "kept"
    assert city.query("SELECT state, settled_by, corrected FROM dead_letters") == [("open", "", None)]


def test_round_trip_from_dead_letter_to_stored(
    city: Database, servers: Embedded, cli: Callable[..., str]
) -> None:
    """A metric was not registered yet: dead letter → list → replay → relay → topic → stored."""
    bus = open_bus(servers.bus_url, 1)
    sent = reading("WL-1", {"volt": 3.5}, datetime.now(UTC), "early")
    publish(bus, [sent])
    Ingest(bus, "g", city, 1).run_until_read()
    assert "unknown_metric" in cli("deadletter", "list")
    city.query("INSERT INTO metrics (id, name, unit, device_type) SELECT 'volt', name, unit, device_type FROM metrics"
               " WHERE id = 'level'")  # fmt: skip
    assert "1 dead letters handed" in cli("deadletter", "replay", "--reason", "unknown_metric")
    assert "unknown_metric" not in cli("deadletter", "list")
    stop = threading.Event()

    class Outbox1(Outbox):
        """Stops its relay once the bus has what waited."""

        def settle(self, ids: Any, now: datetime) -> None:
            super().settle(ids, now)
            stop.set()

    class NoScreens:
        def apply(self, set_items: Any = (), del_keys: Any = ()) -> None:
            pass

    Relay(Outbox1(city), bus.producer(), NoScreens(), lambda: NOW, (ConnectionError,)).run(stop)
    Ingest(bus, "g", city, 2).run_until_read()
    assert city.query(
        "SELECT r.value FROM readings r JOIN metrics m ON m.no = r.metric_no WHERE m.id = 'volt'"
    ) == [(3.5,)]
    audit = city.query(
        "SELECT actor, action, detail->>'handed' FROM audit WHERE action = 'deadletter.replay'"
    )
    assert audit == [("command line", "deadletter.replay", "1")]


def test_a_raised_incident_is_found_by_the_escalation(city: Database, servers: Embedded) -> None:
    """What `escalation_due` says, the query finds: acknowledged at III, raised to I, again unacknowledged."""
    redis.Redis.from_url(servers.bus_url).flushall()
    bus = open_bus(servers.bus_url, 1)
    bus.inspector().ensure_topics(dict.fromkeys(topics.INPUT_TOPICS, 1))
    publish(bus, [alarm(CAMERA, "flood", datetime.now(UTC), "mild", level=3)])
    Ingest(bus, "g", city, 1).run_until_read()
    ((number,),) = city.query("SELECT id FROM incidents")
    door(city).handle(c.AcknowledgeIncident(number), actor("operator"), "desk")
    publish(bus, [alarm(CAMERA, "flood", datetime.now(UTC), "worse", level=1)])
    Ingest(bus, "g", city, 2).run_until_read()
    with units_of_work(city)() as uow:
        assert triage(uow, NOW, PATTERN, ZONE) == []
    assert city.query("SELECT level, acknowledged_by, rings_since FROM incidents") == [(1, None, NOW)]
    with units_of_work(city)() as uow:
        assert escalate_due(uow, NOW + timedelta(seconds=59)) == 0
    with units_of_work(city)() as uow:
        assert escalate_due(uow, NOW + timedelta(seconds=61)) == 1


def test_a_foreign_alarm_that_cannot_be_mapped(servers: Embedded, city: Database) -> None:
    """Its letter has what is wrong and the payload, and the ledger of its feed counts it."""
    redis.Redis.from_url(servers.bus_url).flushall()
    bus = open_bus(servers.bus_url, 1)
    bus.inspector().ensure_topics(dict.fromkeys(topics.ALL_TOPICS, 1))
    bad = Bad("unknown_camera", field="Index", found="99", rule="must be mapped")
    publish(bus, [letter_of("sensors", "dahua", b"Code=VideoMotion;index=99", bad, NOW)])
    Ingest(bus, "foreign", city, 1).run_until_read()
    (row,) = city.query("SELECT feed, reason, field, found, rule, value FROM dead_letters")
    assert row[:5] == ("sensors", "mapping", "Index", "99", "unknown_camera: must be mapped")
    assert b"Code=VideoMotion;index=99" in bytes(row[5])
    assert city.query("SELECT topic, feed, stored, rejected FROM ledger") == [
        (topics.VIDEO_ALARM, "sensors", 0, 1)
    ]
