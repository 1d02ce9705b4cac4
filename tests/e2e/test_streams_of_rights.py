"""What a village account's raw live stream holds, byte by byte, and how soon it ends when the right to it does.

Two neighbouring villages both sense and report. A witness of the whole city says what was made of it in each, so
that silence about the neighbour is worth something.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import httpx
import pytest

from data.sample_city import read_city
from data.sample_city.read_city import DeviceRow
from tests.e2e.city import STALL, envelope
from tests.e2e.conftest import Running
from tests.people import Person

CLOSED_WITHIN_S: Final = 5.0
PATIENT_S: Final = 60.0
VILLAGE_CODE: Final = re.compile(rb"990\d{9}")


@dataclass(frozen=True, slots=True)
class Village:
    """A village with a lift in it."""

    path: str
    name: str
    lift: DeviceRow

    @property
    def code(self) -> str:
        """Its 12 digits."""
        return self.path.rstrip("/").rsplit("/", 1)[-1]


@cache
def neighbours() -> tuple[Village, Village]:
    """Two villages of one town that both have lifts; their codes are as alike as codes can be."""
    lifts: dict[str, DeviceRow] = {}
    for device in read_city.read_devices():
        if device.type == "elevator":
            lifts.setdefault("/".join(device.area_path.split("/")[:4]) + "/", device)
    towns: dict[str, list[Village]] = defaultdict(list)
    for area in read_city.read_areas():
        if area.level == "village" and area.path in lifts:
            towns[str(area.parent)].append(Village(area.path, area.name, lifts[area.path]))
    best = max(towns.values(), key=len)
    assert len(best) >= 2
    return best[0], best[1]


class Listener(threading.Thread):
    """Keeps every byte of GET /live of a session until the server ends it."""

    def __init__(self, person: Person, since: str) -> None:
        super().__init__(name=f"listener-{person.login}", daemon=True)
        self._client = httpx.Client(
            base_url=person.client.base_url, cookies=person.client.cookies, timeout=PATIENT_S, trust_env=False
        )
        self._since = since
        self._changed = threading.Condition()
        self._hung_up = False
        self.received = b""
        self.ended_at: float | None = None
        self.status = 0

    def run(self) -> None:
        """Read until the end."""
        try:
            with self._client.stream("GET", "/live", params={"from": self._since}) as answer:
                self.status = answer.status_code
                for part in answer.iter_raw():
                    with self._changed:
                        self.received += part
                        self._changed.notify_all()
        except httpx.TransportError:
            if not self._hung_up:
                raise
        finally:
            with self._changed:
                self.ended_at = time.monotonic()
                self._changed.notify_all()

    def wait(self, true: Callable[[], bool], what: str, seconds: float = PATIENT_S) -> None:
        """Until `true`, woken by every part that comes; AssertionError after `seconds`."""
        with self._changed:
            assert self._changed.wait_for(true, seconds), f"{what}: not within {seconds:g} s"

    def deltas(self) -> list[dict[str, Any]]:
        """Data of the complete delta events so far."""
        with self._changed:
            whole = self.received.rsplit(b"\n\n", 1)[0]
        return [
            json.loads(line[5:])
            for event in whole.split(b"\n\n")
            if b"event: delta" in event
            for line in event.split(b"\n")
            if line.startswith(b"data:")
        ]

    def items(self) -> list[dict[str, Any]]:
        """Items that were set, in order."""
        return [item for delta in self.deltas() for item in delta["set"]]

    def close(self) -> None:
        """Hang up."""
        self._hung_up = True
        self._client.close()


@contextmanager
def listening(person: Person) -> Iterator[tuple[bytes, Listener]]:
    """(bytes of the snapshot, listener from there on)."""
    snapshot = person.client.get("/api/v1/live/snapshot").raise_for_status().content
    version = json.loads(snapshot)
    listener = Listener(person, f"{version['epoch']}:{version['n']}")
    listener.start()
    try:
        listener.wait(lambda: bool(listener.received), "first words of the stream")
        yield snapshot, listener
    finally:
        listener.close()


@pytest.fixture(scope="module")
def admin(running: Running) -> Iterator[Person]:
    """The administrator."""
    with closing(running.person("admin")) as found:
        yield found


def village_account(running: Running, admin: Person, login: str, village: Village) -> Person:
    """A new operator of one village, made by the administrator over REST; the first login is done."""
    account = {"login": login, "name": f"{village.name}坐席", "role": "operator", "areas": [village.path]}
    made = admin.client.post("/api/v1/commands/create_account", json=account, headers=admin.csrf)
    assert made.status_code == 200, made.text
    return Person(running.url, login, made.json()["password"])


def happen(running: Running, village: Village) -> str:
    """A lift stands still and somebody reports something; words that only this report has."""
    lift = village.lift
    reading = {"device": lift.id, "readings": [{"metric": STALL, "value": 9.0}]}
    words = f"{village.name}路面破损 {time.time_ns()}"
    report = {
        "channel": "grid",
        "class": "C0206",
        "title": words,
        "text": words,
        "point": {"lon": lift.lon, "lat": lift.lat},
    }
    for topic, subject, data in (
        ("city.reading.v1", lift.id, reading),
        ("city.grid-report.v1", "", report),
    ):
        assert running.product.post(topic, [envelope(topic, subject, data)]) == 202
    return words


def test_the_raw_stream_of_a_village_holds_nothing_of_the_next(running: Running, admin: Person) -> None:
    own, other = neighbours()
    with (
        closing(village_account(running, admin, "village-own", own)) as villager,
        closing(running.person("evaluator")) as witness,
        listening(villager) as (snapshot, heard),
        listening(witness) as (_, all_heard),
    ):
        words = {village.path: happen(running, village) for village in (other, own)}

        def made_of(listener: Listener, village: Village) -> tuple[list[Any], list[Any]]:
            """(readings of the lift, incidents) of a village so far, one of them our report's."""
            items = listener.items()
            readings = [i for i in items if i["kind"] == "device" and i["key"] == village.lift.id]
            incidents = [i for i in items if i["kind"] == "incident" and i["area"].startswith(village.path)]
            reported = any(i["title"] == words[village.path] for i in incidents)
            return (readings, incidents) if reported else ([], [])

        all_heard.wait(
            lambda: all(all(made_of(all_heard, village)) for village in (own, other)),
            "the witness hears of both",
        )
        heard.wait(lambda: all(made_of(heard, own)), f"{own.name} hears of itself")
        # The neighbour's news came before our own on the bus; a further beat leaves no news on its way.
        beats = heard.received.count(b"event: beat")
        heard.wait(lambda: heard.received.count(b"event: beat") > beats + 1, "further heartbeats")

        raw = snapshot + heard.received
        foreign = made_of(all_heard, other)[1]
        assert other.code.encode() not in raw
        assert other.lift.id.encode() not in raw
        assert words[other.path].encode() not in raw
        for incident in foreign:
            assert incident["number"].encode() not in raw, incident
            assert not any(
                item["kind"] == "incident" and item["key"] == incident["key"] for item in heard.items()
            )
        codes = {code.decode() for code in VILLAGE_CODE.findall(raw)}
        assert codes == {own.code}, "no other village is named at all"
        shown = [item for kind in json.loads(snapshot)["items"].values() for item in kind.values()]
        for item in [*shown, *heard.items()]:
            assert item["kind"] == "link" or item["area"].startswith(own.path), item
        print(
            f"{running.profile}: {len(raw)} bytes of {own.code}, {len(heard.deltas())} deltas;"
            f" the witness saw {len(foreign)} incidents of {other.code}"
        )


def log_out(person: Person, admin: Person) -> None:
    """The person leaves, on another connection than the stream's."""
    answer = person.client.post(
        "/logout", headers={**person.csrf, "Origin": str(person.client.base_url).rstrip("/")}
    )
    assert answer.status_code in (204, 303), answer.text


def change(**fields: Any) -> Callable[[Person, Person], None]:
    """The administrator changes the account."""

    def done(person: Person, admin: Person) -> None:
        answer = admin.command("change_account", login=person.login, **fields)
        assert answer.status_code == 200, answer.text

    return done


ENDS: Final[dict[str, Callable[[Person, Person], None]]] = {
    "logout": log_out,
    "disable": change(disabled=True),
    "area": change(areas=[neighbours()[1].path]),
    "role": change(role="evaluator"),
}


@pytest.mark.parametrize("how", ENDS)
def test_the_stream_ends_soon_after_the_right_to_it(running: Running, admin: Person, how: str) -> None:
    with closing(village_account(running, admin, f"village-{how}", neighbours()[0])) as person:
        with listening(person) as (_, heard):
            assert heard.status == 200
            began = time.monotonic()
            ENDS[how](person, admin)
            changed = time.monotonic()
            heard.wait(lambda: heard.ended_at is not None, f"stream ended after {how}", 30.0)
            assert heard.ended_at is not None
            took = heard.ended_at - changed
            print(
                f"{running.profile}: stream closed {took:.2f} s after {how} (command took {changed - began:.2f} s)"
            )
            assert took <= CLOSED_WITHIN_S
            assert b"event: end" in heard.received
        for path in ("/api/v1/live/snapshot", "/live?from=0:0"):
            assert person.client.get(path).status_code == 401, "the session is over for new requests too"
