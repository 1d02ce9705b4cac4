"""The gateway end to end, nothing stands in for anything: Mosquitto, `app.py gateway`, bus, `app.py ingest`, store.

Edge nodes buffer and send again; Mosquitto and the gateway get `kill -9` at random moments; every reading is in the
store exactly once.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from deploy.bare.install import find_program
from tests.bench.truth import Store
from tests.edge_nodes import Node
from tests.mosquitto import Mosquitto, a_mosquitto, lets_in
from tests.product import ROOT, Product
from tests.services import not_run


@dataclass
class Line:
    """Everything that runs, and the nodes at its far end."""

    product: Product
    broker: Mosquitto
    store: Store
    secrets: dict[str, tuple[str, str]]
    metrics: dict[str, str]
    expected: set[tuple[str, datetime, float]] = field(default_factory=set)

    def device(self, words: str) -> list[list[str]]:
        done = self.product.run("device", "credential", *words.split())
        return [line.split("\t") for line in done.stdout.splitlines()]

    def stored(self) -> list[tuple[str, datetime, float]]:
        return self.store.rows(
            "SELECT d.id, r.time, r.value FROM readings r JOIN devices d ON d.no = r.device_no WHERE d.id = ANY(%s)",
            (list(self.secrets),),
        )

    def wait(self, what: Callable[[], Any], words: str, seconds: float = 40) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, (
                f"after {seconds} s still not: {words}; ledger {self.ledger()}; {self.broker.text()[-800:]}"
                f" {self.product.last_words('gateway')[-800:]} {self.product.last_words('ingest')[-400:]}"
            )
            time.sleep(0.1)  # polling other processes: there is no event to wait for
        return found

    def ledger(self) -> dict[str, int]:
        row = self.store.rows(
            "SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(rejected), 0)::bigint,"
            " coalesce(sum(duplicate), 0)::bigint, coalesce(sum(held), 0)::bigint FROM ledger WHERE feed = 'gateway'"
        )[0]
        return dict(zip(("stored", "rejected", "duplicate", "held"), row, strict=True))


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    folder = Path(mkdtemp(prefix="chengyun-gateway-"))
    folder.chmod(0o711)
    with ExitStack() as stack:
        broker = stack.enter_context(a_mosquitto())
        children = ("ingest", "relay", "web")
        product = stack.enter_context(Product("embedded", folder, children, settings=broker.settings))
        store = Store(product.env["CHENGYUN_DSN"])
        # Four of each lane.
        metrics = dict(store.rows(
            "SELECT id, metric FROM (SELECT d.id, d.critical, min(m.id) AS metric, row_number() OVER (PARTITION BY"
            " d.critical ORDER BY d.id) AS n FROM devices d JOIN metrics m ON m.device_type = d.type GROUP BY 1, 2) x"
            " WHERE n <= 4 ORDER BY id"
        ))  # fmt: skip
        made = product.run("device", "credential", *metrics).stdout.splitlines()
        secrets = {name: (login, secret) for name, login, secret in (one.split("\t") for one in made)}
        product.start("gateway")
        running = Line(product, broker, store, secrets, metrics)
        first = next(iter(secrets))
        running.wait(lambda: lets_in(broker.port, *secrets[first]), "devices are let in")
        yield running
    shutil.rmtree(folder, ignore_errors=True)


class Field(threading.Thread):
    """Edge nodes in a thread of their own; each measures `count` payloads of `batch` readings, `period_s` apart."""

    def __init__(
        self, line: Line, devices: list[str], count: int, period_s: float, seed: int, batch: int = 1
    ) -> None:
        super().__init__(daemon=True)
        self.line, self.count, self.period_s, self.batch = line, count, period_s, batch
        self.rng = random.Random(seed)
        self.nodes = [
            Node(name, *line.secrets[name], line.broker.port, random.Random(f"{seed}{name}"))
            for name in devices
        ]
        self.failure: BaseException | None = None
        self.measured = threading.Event()

    def run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:
            self.failure = error
            raise

    async def _work(self) -> None:
        staying = [asyncio.create_task(node.stay()) for node in self.nodes]
        begun = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        for turn in range(self.count):
            for node in self.nodes:
                readings = []
                for number in range(self.batch):
                    at = begun + timedelta(
                        milliseconds=10 * (turn * self.batch + number) + self.rng.randrange(9)
                    )
                    value = round(self.rng.uniform(0.1, 0.9), 6)
                    readings.append(
                        {"metric": self.line.metrics[node.device], "value": value, "time": at.isoformat()}
                    )
                    self.line.expected.add((node.device, at, value))
                node.measure(turn, json.dumps({"seq": turn, "readings": readings}).encode())
                if self.rng.random() < 0.01:
                    node.drop()
            await asyncio.sleep(self.period_s)
        self.measured.set()
        while any(node.outstanding for node in self.nodes):
            for node in self.nodes:
                node.tick()
            await asyncio.sleep(0.2)
        for node in self.nodes:
            node.close()
        await asyncio.gather(*staying)


def finish(line: Line, field: Field) -> None:
    line.wait(lambda: not field.is_alive(), "every payload is accepted", 90)
    assert field.failure is None
    wanted = len(line.expected)
    line.wait(lambda: len(line.stored()) >= wanted, f"{wanted} readings are stored")
    stored = line.stored()
    assert len(stored) == len(set(stored)), "once"
    assert set(stored) == line.expected
    assert line.ledger()["rejected"] == line.ledger()["held"] == 0
    assert line.store.one("SELECT count(*) FROM ledger_mismatches") == 0


def test_readings_are_stored_and_links_are_known(line: Line) -> None:
    devices = list(line.secrets)
    field = Field(line, devices, 30, 0.02, seed=1)
    field.start()
    assert field.measured.wait(30)
    finish(line, field)
    assert not any(node.refused for node in field.nodes)
    links = "SELECT count(*) FROM device_links WHERE device = ANY(%s) AND NOT online"
    line.wait(lambda: line.store.one(links, (devices,)) == len(devices), "all said that they leave")
    status = httpx.get(f"{line.product.base_url}/metrics", timeout=20).text
    assert 'counter="published"' in status and 'process="gateway:' in status
    assert 'counter="broker_clients"' in status


def test_kill_9_of_gateway_and_broker(line: Line) -> None:
    """At seeded moments, while nodes send, drop their connections and send again."""
    rng = random.Random(20261126)
    field = Field(line, list(line.secrets), 250, 0.04, seed=2, batch=3)
    field.start()
    kills = ["gateway", "broker", "both", "gateway", "broker"]
    rng.shuffle(kills)
    for what in kills:
        time.sleep(rng.uniform(0.5, 1.5))  # the moment of a kill is what the seed says
        if what in ("gateway", "both"):
            line.product.kill("gateway")
        if what in ("broker", "both"):
            line.broker.kill()
            line.broker.start()
        if what in ("gateway", "both"):
            line.product.start("gateway")
    assert not field.failure
    finish(line, field)
    assert sum(node.again for node in field.nodes) > 0, "something had to be sent again"
    assert sum(node.connections for node in field.nodes) > len(field.nodes)


def test_while_the_gateway_is_away_the_broker_keeps(line: Line) -> None:
    """A device that has its PUBACK and is gone: stored once the gateway is back, also after Mosquitto's own restart."""
    name, (login, secret) = next(iter(line.secrets.items()))
    line.product.running.pop("gateway").terminate()
    before = line.ledger()["stored"]
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(login, secret)
    client.connect("127.0.0.1", line.broker.port)
    client.loop_start()
    at = datetime.now(UTC).replace(microsecond=0)
    for number in range(50):
        time_ = at - timedelta(seconds=number)
        payload = json.dumps({"metric": line.metrics[name], "value": 0.5, "time": time_.isoformat()})
        client.publish(f"chengyun/devices/{name}/readings", payload, qos=1).wait_for_publish(10)
        line.expected.add((name, time_, 0.5))
    client.disconnect()
    client.loop_stop()
    line.broker.stop()
    line.broker.start()
    line.product.start("gateway")
    line.wait(lambda: line.ledger()["stored"] == before + 50, "all of them are stored")
    assert set(line.stored()) == line.expected


def test_while_the_bus_is_away_nothing_is_acknowledged(line: Line) -> None:
    line.product.kill_service("bus")
    field = Field(line, list(line.secrets)[:4], 20, 0.02, seed=3)
    field.start()
    assert field.measured.wait(30)
    line.wait(lambda: "gateway waits for the bus" in line.product.last_words("gateway"), "the gateway waits")
    assert all(len(node.outstanding) == 20 for node in field.nodes)
    line.product.start_service("bus")
    finish(line, field)


def test_revoked_is_thrown_out_within_five_seconds(line: Line) -> None:
    name = list(line.secrets)[-1]
    ((_, login, secret),) = line.device(f"{name} --rotate --overlap-h 1")
    assert login == f"{name}~2"
    line.wait(lambda: lets_in(line.broker.port, login, secret), "the new one works", 5)
    assert lets_in(line.broker.port, *line.secrets[name]), "and so does the old one"
    began = time.monotonic()
    line.device(f"{name} --revoke")
    line.wait(lambda: not lets_in(line.broker.port, login, secret), "revoked", 5)
    assert not lets_in(line.broker.port, *line.secrets[name]) and time.monotonic() - began < 5 + 2
    assert httpx.post(
        f"{line.product.base_url}/api/v1/devices/{name}/readings", json={}, headers={"Authorization": f"Bearer {secret}"}
    ).status_code == 401  # fmt: skip
    ((_, login, secret),) = line.device(name)
    line.secrets[name] = (login, secret)
    line.wait(lambda: lets_in(line.broker.port, login, secret), "a third one works", 5)


def test_what_is_refused_is_told_counted_and_kept(line: Line) -> None:
    name = list(line.secrets)[-1]
    before = line.ledger()
    told: list[dict[str, Any]] = []

    async def talk() -> None:
        node = Node(name, *line.secrets[name], line.broker.port, random.Random(1))
        staying = asyncio.create_task(node.stay())
        now = datetime.now(UTC).isoformat()
        node.measure(
            1, json.dumps({"seq": 1, "metric": line.metrics[name], "value": "high", "time": now}).encode()
        )
        node.measure(2, json.dumps({"seq": 2, "metric": line.metrics[name], "value": 1}).encode())
        node.measure(3, b"{")
        node.measure(
            4,
            json.dumps(
                {"seq": 4, "metric": line.metrics[name], "value": 1, "time": now, "device": "other"}
            ).encode(),
        )
        deadline = time.monotonic() + 20
        while len(node.refused) < 4 and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        told.extend(node.refused)
        node.close()
        await staying

    asyncio.run(talk())
    assert [(t["reason"], t["field"], t.get("seq")) for t in told] == [
        ("invalid", "value", 1),
        ("bad_time", "time", 2),
        ("malformed", "", None),
        ("other_device", "device", 4),
    ]
    assert all(t["rule"] for t in told)
    line.wait(lambda: line.ledger()["rejected"] == before["rejected"] + 4, "each is a dead letter")
    assert line.ledger()["stored"] == before["stored"]
    counted = "SELECT reason, n FROM gateway_refusals WHERE device = %s AND door = 'mqtt'"
    line.wait(
        lambda: (
            dict(line.store.rows(counted, (name,)))
            == {"invalid": 1, "bad_time": 1, "malformed": 1, "other_device": 1}
        ),
        "counted for the device",
    )


def test_faster_than_it_may(line: Line) -> None:
    name = list(line.secrets)[-2]
    line.store.rows("INSERT INTO device_limits VALUES (%s, 0.001, 5) RETURNING device", (name,))
    line.store.rows("UPDATE device_access_version SET n = n + 1 RETURNING n")
    before = line.ledger()
    told: list[dict[str, Any]] = []

    async def talk() -> None:
        node = Node(name, *line.secrets[name], line.broker.port, random.Random(1))
        staying = asyncio.create_task(node.stay())
        at = datetime.now(UTC) - timedelta(minutes=1)
        seq = 0
        # The limit holds from the gateway's next look at the store on; what passed before it is stored as well.
        while not node.refused and seq < 400:
            seq += 1
            time_ = (at + timedelta(milliseconds=seq)).isoformat()
            node.measure(
                seq,
                json.dumps({"seq": seq, "metric": line.metrics[name], "value": 1, "time": time_}).encode(),
            )
            await asyncio.sleep(0.05)
        told.extend(node.refused)
        for seq in [seq for seq in node.outstanding if any(t.get("seq") == seq for t in told)]:
            del node.outstanding[seq]
        deadline = time.monotonic() + 20
        while node.outstanding and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        node.close()
        await staying

    asyncio.run(talk())
    assert told and {t["reason"] for t in told} == {"rate"}
    assert all(
        float(t["retry_after_s"]) > 1 and "0.001 messages a second and 5 at once" in t["rule"] for t in told
    )
    refused = "SELECT n FROM gateway_refusals WHERE device = %s AND reason = 'rate'"
    line.wait(lambda: line.store.rows(refused, (name,)), "it is counted")
    assert line.ledger()["rejected"] == before["rejected"], "refused at the door, not on the bus"


@pytest.mark.parametrize("door", ["https", "mqtt"])
def test_the_examples_of_the_page(line: Line, door: str) -> None:
    """docs/gateway.md, as it stands there."""
    if door == "mqtt" and not find_program("mosquitto_pub"):
        not_run("mosquitto_pub (apt-get install mosquitto-clients)")
    page = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- tested: {door} -->\n```sh\n(.*?)```", page, re.S)
    assert found
    name, (login, secret) = next(iter(line.secrets.items()))
    before = line.ledger()["stored"]
    given = {"URL": line.product.base_url, "DEVICE": name, "SECRET": secret, "LOGIN": login, "HOST": "127.0.0.1",
             "PORT": str(line.broker.port), "METRIC": line.metrics[name]}  # fmt: skip
    done = subprocess.run(
        ["sh", "-ec", found[1]], env={**os.environ, **given}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    line.wait(lambda: line.ledger()["stored"] == before + 1, "it is stored")


def test_what_the_broker_drops_is_counted_as_loss(line: Line) -> None:
    """Its queue is bounded: what a device was told is taken, and is dropped, stands in the ledger as lost."""
    name, (login, secret) = next(iter(line.secrets.items()))
    gateway = line.product.running.pop("gateway")
    gateway.terminate()
    assert gateway.wait(20) == 0
    line.broker.stop()
    line.broker.options = ("--queue-mb", "1")
    line.broker.start()
    line.wait(lambda: lets_in(line.broker.port, login, secret), "devices are let in")
    count = 400
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(login, secret)
    client.connect("127.0.0.1", line.broker.port)
    client.loop_start()
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    sent = []
    for number in range(count):
        readings = [
            {
                "metric": line.metrics[name],
                "value": 0.5,
                "time": (at + timedelta(milliseconds=60 * number + n)).isoformat(),
            }
            for n in range(60)
        ]  # about 4.5 KB
        sent.append(
            client.publish(f"chengyun/devices/{name}/readings", json.dumps({"readings": readings}), qos=1)
        )
    for one in sent:
        one.wait_for_publish(20)
        assert one.is_published(), "each was acknowledged"
    client.disconnect()
    client.loop_stop()
    line.product.start("gateway")
    line.wait(lambda: line.store.rows("SELECT 1 FROM gateway_drops WHERE lost > 0"), "the loss is known")
    held = "SELECT count(*) FROM readings r JOIN devices d ON d.no = r.device_no WHERE d.id = %s AND r.time BETWEEN %s AND %s"
    span = (name, at, at + timedelta(milliseconds=60 * count))

    def balanced() -> int:
        """Never less than what is missing; retained states of devices, sent into the full queue, are drops too."""
        missing, lost = (
            count - line.store.one(held, span) / 60,
            line.store.one("SELECT sum(lost) FROM gateway_drops"),
        )
        return int(lost) if missing <= lost <= missing + len(line.secrets) else 0

    lost = line.wait(balanced, "stored + lost = sent")
    mismatch = line.store.rows(
        "SELECT sum(expected), min(resolved_at) FROM ledger_mismatches WHERE kind = 'mqtt_dropped'"
    )
    assert mismatch == [(lost, None)] and 0 < lost < count
    metrics = httpx.get(f"{line.product.base_url}/metrics", timeout=20).text
    assert f'chengyun_store{{kind="gateway",state="lost"}} {float(lost)}' in metrics
