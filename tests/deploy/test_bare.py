"""deploy.bare with real services of its own: killed with -9 and started again, nothing lost, nothing left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from deploy.bare.__main__ import environment, exports
from deploy.place import Place
from deploy.processes import descendants, identify
from settings import read
from tests.people import Person
from tests.services import not_run

ROOT = Path(__file__).resolve().parents[2]
Bare = Callable[..., Any]


def _bare(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.bare", *words, "--dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Bare]:
    """Call deploy.bare on a folder of its own; everything is stopped afterwards."""
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        not_run("deploy.bare (needs root on Debian)")

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return _bare(tmp_path, *words)

    yield call
    assert call("down").returncode == 0
    left = json.loads(call("status", "--json").stdout)
    assert not any(s["pids"] for s in left["services"].values())
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def _service(bare: Bare, name: str) -> dict[str, Any]:
    return dict(json.loads(bare("status", "--json").stdout)["services"][name])


def test_kafka_killed_and_started_again_keeps_its_messages(bare: Bare, tmp_path: Path) -> None:
    done = bare("up", "kafka")
    assert done.returncode == 0, done.stderr
    address = environment(Place(tmp_path))["TEST_KAFKA"]
    admin = KafkaAdminClient(bootstrap_servers=address)
    admin.create_topics([NewTopic("kept", 1, 1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=address, acks="all")
    for n in range(500):
        producer.send("kept", str(n).encode())
    producer.flush()
    producer.close()
    before = _service(bare, "kafka")
    assert before["ready"]
    bare("kill", "kafka")
    assert identify(before["pids"][0]) is None
    assert not _service(bare, "kafka")["ready"]
    assert bare("start", "kafka").returncode == 0
    after = _service(bare, "kafka")
    assert after["port"] == before["port"] and after["pids"] != before["pids"]
    consumer = KafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    partition = TopicPartition("kept", 0)
    consumer.assign([partition])
    assert consumer.end_offsets([partition]) == {partition: 500}
    consumer.close()


def test_timescale_killed_and_started_again_keeps_its_rows(bare: Bare, tmp_path: Path) -> None:
    done = bare("up", "timescale", "redis-live")
    assert done.returncode == 0, done.stderr
    dsn = environment(Place(tmp_path))["TEST_TIMESCALE_DSN"]
    with psycopg2.connect(dsn) as c, c.cursor() as k:
        k.execute("CREATE EXTENSION timescaledb")
        k.execute("CREATE TABLE r (t timestamptz NOT NULL, v int)")
        k.execute("SELECT create_hypertable('r', 't')")
        k.execute("INSERT INTO r SELECT now() - n * interval '1 hour', n FROM generate_series(1, 1000) n")
    c.close()
    killed = json.loads(bare("kill", "timescale").stdout)["timescale"]
    assert len(killed) > 3
    done = bare("up", "timescale", "redis-live")  # what still runs is left alone
    assert done.returncode == 0, done.stderr
    assert "redis-live" not in done.stderr
    with psycopg2.connect(dsn) as c, c.cursor() as k:
        k.execute("SELECT count(*), current_setting('fsync') FROM r")
        assert k.fetchone() == (1000, "on")
    c.close()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(**{**psycopg2.extensions.parse_dsn(dsn), "password": "wrong"})
    assert redis.Redis.from_url(environment(Place(tmp_path))["TEST_REDIS_LIVE_URL"]).ping()


def test_the_environment_fits_the_settings(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for name in ("timescale", "kafka", "redis-bus", "redis-live"):
        place.usable_port(name)
    env = environment(place)
    settings = read(env)
    assert settings.bus == f"kafka://{env['TEST_KAFKA']}"
    assert (settings.dsn, settings.live_url) == (env["TEST_TIMESCALE_DSN"], env["TEST_REDIS_LIVE_URL"])
    shell = subprocess.run(
        ["sh", "-c", exports(place) + "env"], env={}, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {f"{name}={value}" for name, value in env.items()} <= set(shell)


def test_an_unknown_service_is_named(tmp_path: Path) -> None:
    done = _bare(tmp_path, "up", "zookeeper")
    assert done.returncode == 2
    assert "no such service: zookeeper" in done.stderr


@pytest.mark.timeout(600)
def test_a_city_of_two_web_and_two_ingest_processes_is_one_address(bare: Bare, tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "deploy.bare.city", "--dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1 and "deploy.bare up" in refused.stderr
    assert bare("up").returncode == 0
    ours: list[Any] = []
    city = subprocess.Popen(
        [sys.executable, "-m", "deploy.bare.city", "--dir", str(tmp_path), "--sample"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert city.stdout is not None
        ready = city.stdout.readline().split()
        assert ready[:1] == ["ready"], ready
        passwords = dict(
            line.split()
            for line in (tmp_path / "city" / "accounts.txt").read_text().splitlines()
            if line[0] != "#"
        )
        with closing(Person(ready[1].rstrip("/"), "auditor", passwords["auditor"])) as auditor:
            beating = auditor.ask("status").json()["beats"]
        assert len([name for name in beating if name.startswith("ingest")]) >= 2
        ours = [p for p in descendants(city.pid) if identify(p.pid)]
        named = [Path(f"/proc/{p.pid}/cmdline").read_bytes().split(b"\0") for p in ours]
        assert sum(b"web" in words for words in named) == 2
    finally:
        city.terminate()
        code = city.wait(90)
    assert code == 0
    assert not [p for p in ours if identify(p.pid) == p], "nothing outlives it"
