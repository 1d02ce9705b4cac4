"""Device credentials on every store: issued, rotated with an overlap, revoked; what a gateway asks and notes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data.database import Database
from data.device_access import DeviceAccess
from data.questions.answers import StoreQuestions
from data.reconcile import Reconciler
from incidents import commands as c
from incidents.gateway import Rate
from incidents.model import Actor, Rejected
from incidents.ports import TopicPartition
from incidents.service import City, CityService
from tests.conftest import STORES
from tests.small_city import CELL, CITY, NEXT_CELL, PATTERN, ZONE, actor, place_of, units_of_work


class Silent:
    """A bus that has nothing."""

    def ranges(self, topic: str) -> dict[TopicPartition, tuple[int, int]]:
        return {}

    def offsets_at(self, partition: TopicPartition, times_ms: list[int]) -> list[int]:
        return []


class Town:
    """A service over a fresh store, with a clock of its own."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.now = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
        questions = StoreQuestions(db, place_of, dict, lambda: CITY)
        self.service = CityService(units_of_work(db), questions, lambda: self.now, City(PATTERN, ZONE, CITY))
        self.door = DeviceAccess(db)

    def do(self, command: object, who: Actor | None = None) -> dict[str, Any]:
        return self.service.handle(command, who or actor("administrator"), "test")

    def refuse(self, command: object, code: str, field: str, who: Actor | None = None) -> str:
        with pytest.raises(Rejected) as refused:
            self.do(command, who)
        assert (refused.value.code, refused.value.field) == (code, field), refused.value
        return str(refused.value)

    def works(self, secret: str) -> bool:
        return self.door.find(secret, self.now) is not None


@pytest.fixture(params=STORES)
def town(request: pytest.FixtureRequest, fresh_database: Callable[..., Database]) -> Town:
    return Town(fresh_database(request.param))


def test_a_credential_is_issued_once_and_only_hashes_are_kept(town: Town) -> None:
    made = town.do(c.IssueDeviceCredential("WL-1"))
    assert (made["number"], made["login"], made["ends_at"]) == (1, "WL-1", None)
    sender = town.door.find(made["secret"], town.now)
    assert sender is not None and (sender.device, sender.critical, sender.rate) == ("WL-1", False, None)
    assert not town.works(made["secret"] + "x") and not town.works("")
    (row,) = town.db.query("SELECT secret_hash, mqtt_hash FROM device_credentials")
    assert bytes(row[0]) == hashlib.sha256(made["secret"].encode()).digest()
    _, _, rounds, salt, digest = row[1].split("$")
    again = hashlib.pbkdf2_hmac("sha512", made["secret"].encode(), base64.b64decode(salt), int(rounds))
    assert base64.b64decode(digest) == again
    for table in ("audit", "device_credentials", "outbox", "inbox"):
        kept = town.db.query(f"SELECT t::text FROM {table} t")
        assert not [line for (line,) in kept if made["secret"] in line], table
    (audited,) = town.db.query("SELECT action, thing, allowed, detail FROM audit ORDER BY id DESC LIMIT 1")
    assert audited[:3] == ("device.credential", "issue_device_credential:WL-1", True)
    assert audited[3] == {"device": "WL-1"}
    assert "rotate" in town.refuse(c.IssueDeviceCredential("WL-1"), "rule", "device")
    assert town.db.query("SELECT protocol FROM feeds WHERE id = 'gateway'") == [("mqtt/https",)]


def test_rotation_overlaps_and_at_most_two_stand(town: Town) -> None:
    first = town.do(c.IssueDeviceCredential("WL-1"))
    second = town.do(c.RotateDeviceCredential("WL-1", overlap_h=2))
    assert (second["number"], second["login"]) == (2, "WL-1~2")
    assert second["overlap_until"] == town.now + timedelta(hours=2)
    town.now += timedelta(hours=1, minutes=59)
    assert town.works(first["secret"]) and town.works(second["secret"])
    town.now += timedelta(minutes=1)
    assert not town.works(first["secret"]) and town.works(second["secret"])
    third = town.do(c.RotateDeviceCredential("WL-1", overlap_h=5))
    fourth = town.do(c.RotateDeviceCredential("WL-1", overlap_h=5))
    assert [town.works(made["secret"]) for made in (second, third, fourth)] == [False, True, True]
    none = town.do(c.RotateDeviceCredential("WL-1", overlap_h=0))
    assert [town.works(made["secret"]) for made in (third, fourth, none)] == [False, False, True]


def test_an_overlap_never_makes_a_life_longer(town: Town) -> None:
    first = town.do(c.IssueDeviceCredential("WL-1", days=1))
    town.do(c.RotateDeviceCredential("WL-1", overlap_h=72))
    town.now += timedelta(days=1)
    assert not town.works(first["secret"])


def test_revoked_is_revoked_at_once(town: Town) -> None:
    first = town.do(c.IssueDeviceCredential("WL-1"))
    second = town.do(c.RotateDeviceCredential("WL-1"))
    assert town.do(c.RevokeDeviceCredential("WL-1", number=1)) == {"device": "WL-1", "revoked": [1]}
    assert not town.works(first["secret"]) and town.works(second["secret"])
    town.refuse(c.RevokeDeviceCredential("WL-1", number=1), "rule", "number")
    assert town.do(c.RevokeDeviceCredential("WL-1"))["revoked"] == [2]
    assert not town.works(second["secret"])
    town.refuse(c.RevokeDeviceCredential("WL-1"), "rule", "device")
    town.refuse(c.RotateDeviceCredential("WL-1"), "rule", "device")
    third = town.do(c.IssueDeviceCredential("WL-1"))
    assert third["number"] == 3 and town.works(third["secret"]), "a number, and so a login, never comes back"


@pytest.mark.parametrize(
    ("command", "code", "field"),
    [
        (c.IssueDeviceCredential("nobody"), "not_found", "device"),
        (c.IssueDeviceCredential("WL-1", days=0), "field", "days"),
        (c.IssueDeviceCredential("WL-1", days=float("nan")), "field", "days"),
        (c.RotateDeviceCredential("WL-1"), "rule", "device"),
        (c.RotateDeviceCredential("WL-1", overlap_h=-1), "field", "overlap_h"),
        (c.LimitDevice("WL-1", per_s=5), "field", "burst"),
        (c.LimitDevice("WL-1", per_s=0, burst=5), "field", "per_s"),
        (c.LimitDevice("WL-1", per_s=5, burst=0), "field", "burst"),
        (c.SettleGatewayLoss(12345, "seen"), "not_found", "mismatch"),
        (c.SettleGatewayLoss(12345, " "), "field", "reason"),
    ],
)
def test_what_is_wrong_is_named(city: Database, command: object, code: str, field: str) -> None:
    assert f"{field}" in Town(city).refuse(command, code, field)


def test_ids_that_no_topic_can_carry(city: Database) -> None:
    with city.transaction() as cursor:
        cursor.execute("INSERT INTO devices (id, type, area_path) VALUES ('a/b', 'water', %s)", (CELL,))
    assert "'a/b'" in Town(city).refuse(c.IssueDeviceCredential("a/b"), "field", "device")


def test_only_who_answers_for_the_area_may(city: Database) -> None:
    town = Town(city)
    neighbour = actor("administrator", area=NEXT_CELL)
    for command in (
        c.IssueDeviceCredential("WL-1"), c.RotateDeviceCredential("WL-1"), c.RevokeDeviceCredential("WL-1"),
        c.LimitDevice("WL-1"),
    ):  # fmt: skip
        town.refuse(command, "forbidden", "actor", neighbour)
        town.refuse(command, "forbidden", "actor", actor("operator"))
    town.do(c.IssueDeviceCredential("WL-1"))
    town.do(c.IssueDeviceCredential("WL-2"), neighbour)
    ask = c.DeviceCredentials()
    assert [r["device"] for r in town.service.ask(ask, actor("administrator"))["rows"]] == ["WL-1", "WL-2"]
    seen = town.service.ask(ask, neighbour)
    assert ([r["device"] for r in seen["rows"]], seen["total"]) == (["WL-2"], 1)
    assert "secret" not in str(seen) and "hash" not in str(seen)


def test_a_gateway_loads_again_when_something_changes(town: Town) -> None:
    access = town.door.access(None, town.now)
    assert access is not None and not access.senders
    assert town.door.access(access, town.now) is None
    town.do(c.IssueDeviceCredential("WL-1", days=1))
    town.do(c.RotateDeviceCredential("WL-1", overlap_h=2))
    town.do(c.IssueDeviceCredential("AQ-1"))
    town.do(c.LimitDevice("AQ-1", per_s=2.5, burst=7))
    access = town.door.access(access, town.now)
    assert access is not None
    assert [(x.login, x.device) for x in access.logins] == [
        ("AQ-1", "AQ-1"),
        ("WL-1", "WL-1"),
        ("WL-1~2", "WL-1"),
    ]
    assert access.senders["AQ-1"].rate == Rate(2.5, 7) and access.senders["WL-1"].rate is None
    assert town.door.access(access, town.now) is None
    town.now += timedelta(hours=2)
    access = town.door.access(access, town.now)
    assert access is not None, "an overlap has ended, and nobody changed anything"
    assert [x.login for x in access.logins] == ["AQ-1", "WL-1~2"] and access.until is None
    town.db.query("UPDATE devices SET disabled = true, critical = true WHERE id = 'AQ-1'")
    town.db.query("UPDATE registry_version SET n = n + 1")
    access = town.door.access(access, town.now)
    assert access is not None and list(access.senders) == ["WL-1"]
    town.do(c.LimitDevice("AQ-1"))
    assert town.db.query("SELECT count(*) FROM device_limits") == [(0,)]


def test_what_was_refused_adds_up_and_is_shown(town: Town) -> None:
    town.do(c.IssueDeviceCredential("WL-1"))
    town.door.refused({("WL-1", "mqtt", "rate"): 3, ("WL-1", "https", "rate"): 1}, town.now)
    town.door.refused({("WL-1", "mqtt", "rate"): 4}, town.now + timedelta(seconds=5))
    (row,) = town.service.ask(c.DeviceCredentials("wl-"), actor("administrator"))["rows"]
    assert row["refused"] == {"mqtt:rate": 7, "https:rate": 1} and row["stands"] is True


def test_links(town: Town) -> None:
    later = town.now + timedelta(minutes=1)
    town.do(c.IssueDeviceCredential("WL-1"))
    town.door.links({"WL-1": (True, town.now), "nobody": (True, town.now)})
    town.door.links({"WL-1": (True, later)})
    assert town.db.query("SELECT device, online, at FROM device_links") == [("WL-1", True, town.now)]
    town.door.links({"WL-1": (False, later)})
    (row,) = town.service.ask(c.DeviceCredentials(), actor("administrator"))["rows"]
    assert (row["online"], row["link_since"]) == (False, later)


def test_what_the_broker_dropped_is_a_loss_in_the_ledger(town: Town) -> None:
    assert town.door.dropped("mqtt", 0, town.now) == 0
    assert town.door.dropped("mqtt", 5, town.now) == 5
    assert town.door.dropped("mqtt", 5, town.now) == 0, "the same figure read again by another gateway"
    assert town.door.dropped("mqtt", 2, town.now) == 2, "the broker began anew"
    ledger = town.service.ask(c.Ledger(), actor("administrator"))
    (loss,) = ledger["mismatches"]
    assert (loss["kind"], loss["feed"], loss["expected"], loss["found"]) == ("mqtt_dropped", "gateway", 7, 0)
    assert Reconciler(town.db, Silent).run(town.now + timedelta(minutes=3)) == []
    (loss,) = town.service.ask(c.Ledger(), actor("administrator"))["mismatches"]
    assert loss["resolved_at"] is None, "what is lost does not agree again by itself"
    town.do(c.SettleGatewayLoss(loss["id"], "queue was full while the bus was away"))
    assert town.service.ask(c.Ledger(), actor("administrator"))["mismatches"][0]["resolved_at"] == town.now
    town.refuse(c.SettleGatewayLoss(loss["id"], "again"), "not_found", "mismatch")
    assert town.db.query("SELECT seen, lost FROM gateway_drops") == [(2, 7)]
