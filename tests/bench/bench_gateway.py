"""Many MQTT devices at one message a second; gateway and Mosquitto get SIGKILL in the middle; then the HTTPS door.

Devices are edge nodes that keep each payload until it is accepted (tests/edge_nodes.py), in a process of their own. After
a third of the time the gateway is killed and started again after five seconds, after two thirds Mosquitto, at once. Every
reading is compared with the nodes' books. Before the first kill a probe measures how long a reading takes from its
publication until it can be read in the store. The HTTPS door is measured alone, at a stated load.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg2
from paho.mqtt.enums import CallbackAPIVersion

from deploy.lan import certificates
from tests.bench.frame import Bench, Figures
from tests.bench.truth import Store
from tests.mosquitto import Mosquitto, a_mosquitto, lets_in
from tests.product import ROOT, Product

GOALS = {"lost": 0, "doubled": 0, "changed": 0, "refused": 0, "mismatches": 0, "broker_lost": 0}

DEVICES = 2000
SECONDS = 300.0
QUICK_DEVICES = 500
QUICK_SECONDS = 30.0
AWAY_S = 5.0
"""How long the gateway stays away: its devices go on, Mosquitto keeps."""

PROBES_PER_S = 25.0
HTTPS_PER_S = 100.0
HTTPS_CONNECTIONS = 8
HTTPS_S = 20.0

Credential = tuple[str, str, str, str]
"""(device, login, secret, metric)."""


def percentile(values: list[float], share: float) -> float | None:
    """The value below which `share` of them lie; None without any."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else None


def ms(seconds: float | None) -> float | None:
    """Milliseconds, one decimal."""
    return None if seconds is None else round(seconds * 1000, 1)


def register(store: Store, wanted: int) -> list[tuple[str, str]]:
    """(device, metric) of so many devices: those of the city, and bench devices like its first ordinary one."""
    known = store.rows(
        "SELECT DISTINCT ON (d.id) d.id, m.id FROM devices d JOIN metrics m ON m.device_type = d.type"
        " WHERE NOT d.critical ORDER BY d.id, m.no"
    )
    missing = wanted - len(known)
    if missing > 0:
        store.rows(
            "INSERT INTO devices (id, type, name, area_path, cell, lon, lat) SELECT 'BENCH-' || lpad(n::text, 6, '0'), d.type,"
            " d.name, d.area_path, d.cell, d.lon, d.lat FROM devices d, generate_series(1, %s) AS n WHERE d.id = %s",
            (missing, known[0][0]),
        )
        store.rows("UPDATE registry_version SET n = n + 1")
        known += [(f"BENCH-{n:06d}", known[0][1]) for n in range(1, missing + 1)]
    return known[:wanted]


def credentials(product: Product, devices: list[tuple[str, str]]) -> list[Credential]:
    """A credential for each, by the command line."""
    made: list[Credential] = []
    metrics = dict(devices)
    for begin in range(0, len(devices), 500):
        part = [device for device, _ in devices[begin : begin + 500]]
        for line in product.run("device", "credential", *part).stdout.splitlines():
            device, login, secret = line.split("\t")
            made.append((device, login, secret, metrics[device]))
    return made


class Nodes:
    """The process of the edge nodes."""

    def __init__(self, bench: Bench, port: int, nodes: list[Credential], seconds: float) -> None:
        self._books = bench.folder / "books.json"
        plan = bench.folder / "plan.json"
        plan.write_text(json.dumps({"port": port, "seconds": seconds, "nodes": nodes, "seed": 7}))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.gateway_nodes", str(plan), str(self._books)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline().split()
        if line[:1] != ["begun"]:
            raise RuntimeError("the nodes did not connect")
        self.begun = float(line[1])

    def books(self, seconds: float) -> dict[str, Any]:
        """What they have measured; waits at most `seconds` for all of it to be accepted."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            assert self.process.stdin is not None
            self.process.stdin.write("enough\n")
            self.process.stdin.flush()
            self.process.wait(60)
        found: dict[str, Any] = json.loads(self._books.read_text())
        return found


class Probe(threading.Thread):
    """One device that publishes evenly, and a look into the store every few milliseconds until each reading is there."""

    def __init__(self, port: int, dsn: str, who: Credential, seconds: float) -> None:
        super().__init__(daemon=True)
        self._port, self._dsn, self._who, self._seconds = port, dsn, who, seconds
        self.took: list[float] = []
        self.missing = 0

    def run(self) -> None:
        """See the class."""
        device, login, secret, metric = self._who
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(login, secret)
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        connection = psycopg2.connect(self._dsn)
        connection.autocommit = True
        waiting: dict[datetime, float] = {}
        begun, sent, oldest = time.monotonic(), 0, datetime.now(UTC)
        with connection.cursor() as cursor:
            while (now := time.monotonic()) < begun + self._seconds + 5 and (
                waiting or now < begun + self._seconds
            ):
                if now < begun + self._seconds and now >= begun + sent / PROBES_PER_S:
                    at = datetime.now(UTC).replace(microsecond=datetime.now(UTC).microsecond // 1000 * 1000)
                    payload = json.dumps({"metric": metric, "value": 0.5, "time": at.isoformat()})
                    waiting[at] = time.monotonic()
                    client.publish(f"chengyun/devices/{device}/readings", payload, qos=1)
                    sent += 1
                cursor.execute(
                    "SELECT r.time FROM readings r WHERE r.device_no = (SELECT no FROM devices WHERE id = %s)"
                    " AND r.time >= %s", (device, min(waiting, default=oldest)),
                )  # fmt: skip
                seen = time.monotonic()
                for (at,) in cursor.fetchall():
                    if at in waiting:
                        self.took.append(seen - waiting.pop(at))
                time.sleep(0.004)  # the pace of looking
        self.missing = len(waiting)
        client.disconnect()
        client.loop_stop()
        connection.close()


def compare(store: Store, readings: list[list[Any]]) -> dict[str, int]:
    """The nodes' books against the store: lost, changed, doubled."""
    connection = psycopg2.connect(store.dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMP TABLE expected (device text, metric text, time timestamptz, value double precision)"
            )
            cursor.copy_expert(
                "COPY expected FROM STDIN",
                io.StringIO("".join(f"{d}\t{m}\t{t}\t{v!r}\n" for d, m, t, v in readings)),
            )
            cursor.execute(
                "SELECT count(*) FILTER (WHERE r.value IS NULL), count(*) FILTER (WHERE r.value <> e.value), min(e.time)"
                " FROM expected e JOIN devices d ON d.id = e.device JOIN metrics m ON m.id = e.metric"
                " LEFT JOIN readings r ON r.device_no = d.no AND r.metric_no = m.no AND r.time = e.time"
            )
            lost, changed, first = cursor.fetchone() or (0, 0, None)
            cursor.execute(
                "SELECT count(*) FROM readings r JOIN devices d ON d.no = r.device_no"
                " WHERE d.id IN (SELECT device FROM expected) AND r.time >= %s",
                (first,),
            )
            (stored,) = cursor.fetchone() or (0,)
    finally:
        connection.close()
    return {"lost": lost, "changed": changed, "stored": stored, "doubled": stored - (len(readings) - lost)}


def cpu_s(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def settle(product: Product, store: Store, wanted: int) -> None:
    """Until the ledger has so many stored messages of the gateway."""
    deadline = time.monotonic() + 120
    while store.one("SELECT coalesce(sum(records_stored), 0) FROM ledger WHERE feed = 'gateway'") < wanted:
        if time.monotonic() > deadline:
            return
        time.sleep(0.2)  # watching other processes: there is no event to wait for


def sleep_until(moment: float) -> None:
    """Until that wall-clock moment of the drill."""
    time.sleep(max(0.0, moment - time.time()))


def drill(bench: Bench, product: Product, broker: Mosquitto, store: Store, made: list[Credential]) -> Figures:
    """Devices, kills, books."""
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    nodes = Nodes(bench, broker.port, made[1:], seconds)
    bench.say(f"{len(made) - 1} devices are connected and send once a second, for {seconds:g} s")
    first_kill, second_kill = nodes.begun + seconds / 3, nodes.begun + 2 * seconds / 3
    probe = Probe(broker.port, product.env["CHENGYUN_DSN"], made[0], seconds / 3 - 4)
    sleep_until(nodes.begun + 2)
    probe.start()
    before = cpu_s(product.running["gateway"].pid)
    sleep_until(first_kill - 0.5)
    gateway_cpu = (cpu_s(product.running["gateway"].pid) - before) / (seconds / 3 - 2.5)
    probe.join()
    sleep_until(first_kill)
    product.kill("gateway")
    bench.say("gateway killed")
    sleep_until(first_kill + AWAY_S)
    product.start("gateway")
    sleep_until(second_kill)
    broker.kill()
    broker.start()
    bench.say("Mosquitto killed and started again")
    books = nodes.books(seconds + 180)
    readings = books["readings"]
    settle(product, store, len(readings) + len(probe.took))
    found = compare(store, readings)
    steady = [took for at, took in books["accepted"] if at < first_kill]
    everything = [took for _, took in books["accepted"]]
    bench.say(f"sent {len(readings)}, {found}, sent again {books['again']}")
    return {
        "devices": len(made) - 1,
        "seconds": seconds,
        "sent": len(readings),
        **found,
        "transmissions": books["transmissions"],
        "sent_again": books["again"],
        "connections": books["connections"],
        "refused": len(books["refused"]),
        "not_accepted": books["outstanding"],
        "publish_to_store_p50_ms": ms(percentile(probe.took, 0.5)),
        "publish_to_store_p99_ms": ms(percentile(probe.took, 0.99)),
        "probes": len(probe.took),
        "accepted_p50_ms": ms(percentile(steady, 0.5)),
        "accepted_p99_ms": ms(percentile(steady, 0.99)),
        "accepted_worst_with_kills_ms": ms(max(everything, default=None)),
        "gateway_cpu_share": round(gateway_cpu, 3),
        "nodes_cpu_s": round(books["cpu_s"], 1),
    }


def behind_tls(product: Product) -> ssl.SSLContext:
    """The web process anew with a certificate, as `make run LAN=1` makes it; the context trusts its authority."""
    made = certificates(product.folder / "tls", "127.0.0.1", datetime.now(UTC))
    product.end("web")
    product.env |= {"CHENGYUN_TLS_CERT": str(made.cert), "CHENGYUN_TLS_KEY": str(made.key)}
    product.start("web")
    context = ssl.create_default_context(cafile=str(made.authority))
    deadline = time.monotonic() + 60
    while True:
        connection = door(product, context)
        try:
            connection.request("GET", "/readyz")  # what a balancer asks before it sends anybody
            if connection.getresponse().status == 200:
                return context
        except OSError:
            if time.monotonic() > deadline:
                raise
        finally:
            connection.close()
        time.sleep(0.2)  # polling another process: there is no event to wait for


def door(product: Product, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    """A connection to the web process."""
    parts = urlsplit(product.base_url)
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=30, context=context)


def https(bench: Bench, product: Product, made: list[Credential]) -> Figures:
    """The HTTPS door (TLS) at a stated load: evenly paced requests of one reading over connections that stay open."""
    context = behind_tls(product)
    took: list[float] = []
    wrong: list[tuple[float, int, bytes]] = []  # seconds since the first, status, body
    begun = time.monotonic()
    count = int(HTTPS_PER_S * HTTPS_S)

    def work(lane: int) -> None:
        connection = door(product, context)
        for number in range(lane, count, HTTPS_CONNECTIONS):
            device, _, secret, metric = made[number % len(made)]
            due = begun + number / HTTPS_PER_S
            time.sleep(max(0.0, due - time.monotonic()))
            now = datetime.now(UTC).isoformat()
            body = json.dumps({"metric": metric, "value": 0.5, "time": now, "id": f"https-{number}"})
            connection.request(
                "POST", f"/api/v1/devices/{device}/readings", body, {"Authorization": f"Bearer {secret}"}
            )
            answer = connection.getresponse()
            said = answer.read()
            # From when it was due: a door that is slow is not excused by fewer requests.
            took.append(time.monotonic() - due)
            if answer.status != 202:
                wrong.append((time.monotonic() - begun, answer.status, said))
        connection.close()

    lanes = [threading.Thread(target=work, args=(lane,)) for lane in range(HTTPS_CONNECTIONS)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    for at, status, said in wrong[:5]:
        bench.say(f"not accepted after {at:.1f} s: {status} {said[:300]!r}")
    return {
        "https_requests": count,
        "https_per_s": round(count / (time.monotonic() - begun), 1),
        "https_connections": HTTPS_CONNECTIONS,
        "https_p50_ms": ms(percentile(took, 0.5)),
        "https_p99_ms": ms(percentile(took, 0.99)),
        "https_not_202": len(wrong),
    }


def run(bench: Bench) -> Figures:
    """The bench on one profile."""
    wanted = QUICK_DEVICES if bench.quick else DEVICES
    with a_mosquitto() as broker:
        product = Product(bench.profile, bench.folder, ("ingest", "relay", "web"), settings=broker.settings)
        with product:
            store = Store(product.env["CHENGYUN_DSN"])
            made = credentials(product, register(store, wanted + 1))
            bench.say(f"{len(made)} credentials issued")
            product.start("gateway")
            deadline = time.monotonic() + 60
            while not lets_in(broker.port, *made[-1][1:3]):
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"devices are not let in: {broker.text()[-500:]} {product.last_words('gateway')}"
                    )
                time.sleep(0.2)  # polling another process: there is no event to wait for
            figures = drill(bench, product, broker, store, made)
            figures["broker_lost"] = int(store.one("SELECT coalesce(sum(lost), 0) FROM gateway_drops"))
            bench.say("the HTTPS door")
            figures |= https(bench, product, made)
            done = product.run("reconcile", check=False).stdout.strip().splitlines()
            figures["mismatches"] = int(done[-1].split()[0])
    return figures
