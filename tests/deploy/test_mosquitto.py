"""Mosquitto and its watchman, for real: who is let in, what each may do, what happens when the disk fills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
import trustme
from paho.mqtt.enums import CallbackAPIVersion

from deploy.mosquitto.config import GATEWAY, Options, config_text, password_line
from deploy.mosquitto.watch import Watchman
from deploy.processes import free_ports
from streams.gateway.address import parse_address
from streams.gateway.connection import Connection
from tests.mosquitto import PASSWORD, Mosquitto, a_mosquitto, lets_in
from tests.product import ROOT

DEVICES = {"WL-1": "one", "WL-1~2": "two", "水位-3": "three"}


class Client:
    """A client with a thread of its own; tells what came and whether it was thrown out."""

    def __init__(
        self, port: int, user: str, password: str, topics: tuple[str, ...] = (), clean: bool = True
    ) -> None:
        self.came: list[tuple[str, bytes]] = []
        self.ready, self.gone = threading.Event(), threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="x", clean_session=clean, reconnect_on_failure=False
        )
        self.client.username_pw_set(user, password)
        self.client.on_connect = lambda *_: (
            self.client.subscribe([(t, 1) for t in topics]) if topics else self.ready.set()
        )
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_disconnect = lambda *_: self.gone.set()
        self.client.on_message = lambda _c, _d, m: self.came.append((m.topic, m.payload))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.ready.wait(10), user

    def publish(self, topic: str, payload: bytes, wait_s: float = 10) -> None:
        self.client.publish(topic, payload, qos=1).wait_for_publish(wait_s)

    def attempt(self, topic: str, payload: bytes) -> None:
        """Publish what the broker will not take: it may close the connection before all of it is written."""
        self.client.publish(topic, payload, qos=1)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def write_access(broker: Mosquitto, logins: dict[str, str]) -> None:
    """What the gateway would write."""
    access = broker.folder / "access"
    (access / "acl").write_text(
        "".join(
            f"user {x}\ntopic write chengyun/devices/{x.split('~')[0]}/readings\n" for x in logins if "~" in x
        )
    )
    (access / "passwords").write_text("".join(password_line(*one) for one in logins.items()))


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    with a_mosquitto() as running:
        yield running


def test_devices_wait_until_somebody_keeps_what_they_send(broker: Mosquitto) -> None:
    write_access(broker, DEVICES)
    time.sleep(1.5)  # more than two looks of the watchman: nothing may happen
    assert not lets_in(broker.port, "WL-1", "one")
    (broker.folder / "access" / "subscribed").touch()
    broker.wait(lambda: lets_in(broker.port, "WL-1", "one"), "devices are let in")
    assert not lets_in(broker.port, "WL-1", "two") and not lets_in(broker.port, "", "")
    # Killed before its first snapshot it has forgotten the gateway: devices wait again.
    broker.kill()
    broker.start()
    assert not lets_in(broker.port, "WL-1", "one")
    # Stopped in order it remembers.
    (broker.folder / "access" / "subscribed").touch()
    broker.wait(lambda: lets_in(broker.port, "WL-1", "one"), "devices are let in")
    broker.stop()
    broker.start()
    broker.wait(lambda: lets_in(broker.port, "WL-1", "one"), "devices are let in by what was kept")


def test_each_writes_below_its_own_name_and_a_revoked_one_is_thrown_out(broker: Mosquitto) -> None:
    write_access(broker, DEVICES)
    (broker.folder / "access" / "subscribed").touch()
    broker.wait(lambda: lets_in(broker.port, "水位-3", "three"), "devices are let in")
    gateway = Client(broker.port, GATEWAY, PASSWORD, ("chengyun/devices/+/readings",), clean=False)
    first, second, third = (Client(broker.port, *one) for one in DEVICES.items())
    for client, device in ((first, "WL-1"), (second, "WL-1"), (third, "水位-3")):
        client.publish(f"chengyun/devices/{device}/readings", device.encode())
    broker.wait(lambda: len(gateway.came) == 3, "three messages have come")
    # All three called themselves "x": nobody has thrown out anybody.
    assert not any(client.gone.is_set() for client in (gateway, first, second, third))
    first.attempt("chengyun/devices/水位-3/readings", b"not mine")
    assert first.gone.wait(5), "told loudly"
    began = time.monotonic()
    write_access(broker, {"WL-1": "one", "水位-3": "three"})
    assert second.gone.wait(5) and time.monotonic() - began < 3
    assert not lets_in(broker.port, "WL-1~2", "two")
    assert not gateway.gone.is_set() and not third.gone.is_set(), "nobody else is disturbed"
    third.attempt("chengyun/devices/水位-3/readings", b"x" * 2**20)
    assert third.gone.wait(5), "too large: never taken and dropped"
    assert [payload for _, payload in gateway.came] == [b"WL-1", b"WL-1", "水位-3".encode()]
    for client in (gateway, first, second, third):
        client.close()


def test_before_the_disk_is_full_devices_are_refused(tmp_path: Path) -> None:
    """The watchman itself, with a disk that fills: devices are thrown out and refused, and keep what they have."""
    with a_mosquitto() as probe:  # says "not run" when there is no Mosquitto
        probe.stop()
        room, said = [1000], []
        options = Options(port=free_ports(1)[0], queue_mb=10, reserve_mb=100)
        watchman = Watchman(
            probe.folder, options, GATEWAY, PASSWORD, said.append, free=lambda folder: room[0]
        )
        write_access(probe, {"WL-1": "one"})
        watchman.start()
        try:
            probe.wait(lambda: lets_in(options.port, GATEWAY, PASSWORD), "it runs")
            (probe.folder / "access" / "subscribed").touch()
            watchman.turn()
            probe.wait(lambda: lets_in(options.port, "WL-1", "one"), "devices are let in")
            gateway = Client(options.port, GATEWAY, PASSWORD)
            device = Client(options.port, "WL-1", "one")
            room[0] = 119
            watchman.turn()
            assert device.gone.wait(5)
            assert not lets_in(options.port, "WL-1", "one") and not gateway.gone.is_set()
            room[0] = 121
            watchman.turn()
            probe.wait(lambda: lets_in(options.port, "WL-1", "one"), "devices are let in again")
            assert said[-2:] == [
                "devices are let in no more: 119 MB left on the disk, 120 MB are needed",
                "devices are let in",
            ]
            gateway.close()
            device.close()
        finally:
            watchman.stop()


def test_told_to_stop_it_leaves_nothing_running(broker: Mosquitto) -> None:
    (mosquitto,) = [pid for pid in _children(broker) if "mosquitto" in _name(pid)]
    assert broker.process is not None
    broker.process.send_signal(signal.SIGKILL)
    broker.process.wait()
    broker.process = None
    broker.wait(
        lambda: not os.path.exists(f"/proc/{mosquitto}") or _name(mosquitto) == "",
        "it ends with its watchman",
    )
    assert (broker.folder / "data" / "mosquitto.db").exists(), "in order: its snapshot is written"


def _children(broker: Mosquitto) -> list[int]:
    from deploy.processes import working_in

    return [found.pid for found in working_in(broker.folder / "data", "mosquitto")]


def _name(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's own connection, to a Mosquitto whose key only we may read."""
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    server.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "key.pem").chmod(0o600)
    with a_mosquitto("--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem")) as broker:
        url = broker.settings["CHENGYUN_MQTT"].replace("mqtt:", "mqtts:")
        subscribed: list[bool] = []
        stranger = Connection(parse_address(url), ("chengyun/devices/+/readings",), subscribed.append)
        assert not stranger.open(5.0), "a certificate of nobody we know"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        connection = Connection(parse_address(url), ("chengyun/devices/+/readings",), subscribed.append)
        assert connection.open(5.0)
        broker.wait(lambda: connection.pump(0.1) and subscribed, "it has subscribed")
        connection.say("chengyun/devices/WL-1/readings", b"x" * 100_000)
        broker.wait(lambda: connection.pump(0.1) and connection.waiting(), "its own message comes back")
        (message,) = connection.take(10)
        assert message.payload == b"x" * 100_000
        connection.close()


def test_env_tells_the_gateway_and_wrong_settings_are_named(tmp_path: Path) -> None:
    def main(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deploy.mosquitto", *words, "--dir", str(tmp_path)],
            cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=30,
        )  # fmt: skip

    first, again = main("env"), main("env")
    assert first.stdout == again.stdout and first.stdout.startswith(
        f"export CHENGYUN_MQTT='mqtt://{GATEWAY}:"
    )
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0
    assert main("run", CHENGYUN_MQTT="mqtt://u:p@h:port").returncode == 2


def test_the_configuration_has_no_limit_that_drops_by_number(tmp_path: Path) -> None:
    lines = config_text(Options(queue_mb=7, message_kb=3), tmp_path / "run").splitlines()
    assert {"max_queued_messages 0", f"max_queued_bytes {7 * 2**20}", "max_packet_size 3072", "persistence true",
            "allow_anonymous false", "use_username_as_clientid true"} <= set(lines)  # fmt: skip
