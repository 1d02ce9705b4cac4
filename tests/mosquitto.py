"""A real Mosquitto with its watchman (`python -m deploy.mosquitto run`), started, killed and started again by tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from deploy.bare.install import find_program
from deploy.mosquitto.config import GATEWAY
from deploy.processes import free_ports, port_is_free, put_down, working_in
from tests.product import ROOT
from tests.services import not_run

PASSWORD = "gateway-of-the-tests"
WAIT_S = 20.0


@dataclass(slots=True)
class Mosquitto:
    """Everything lies in `folder`; the gateway writes into `folder/access`."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, str]:
        """What the gateway must be told."""
        return {
            "CHENGYUN_MQTT": f"mqtt://{GATEWAY}:{PASSWORD}@127.0.0.1:{self.port}",
            "CHENGYUN_MQTT_ACCESS": str(self.folder / "access"),
        }

    @property
    def log(self) -> Path:
        """What Mosquitto and its watchman say."""
        return self.folder / "log"

    def start(self) -> None:
        """Start it; returns when it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "deploy.mosquitto",
                    "run",
                    "--reserve-mb",
                    "1",
                    "--queue-mb",
                    "64",
                    *self.options,
                ],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self.settings},
                stdout=log,
                stderr=log,
            )
        self.wait(self.answers, "it answers")

    def answers(self) -> bool:
        """Whether it refuses a stranger; with TLS, whether it listens."""
        if "--cert" in self.options:
            return not port_is_free(self.port)
        return answer(self.port, "nobody", "nothing") is False

    def wait(self, what: object, words: str) -> None:
        """Until `what()` is true."""
        deadline = time.monotonic() + WAIT_S
        while not what():  # type: ignore[operator]
            assert self.process is None or self.process.poll() is None, self.log.read_text()[-1500:]
            assert time.monotonic() < deadline, (
                f"after {WAIT_S} s still not: {words}; {self.log.read_text()[-1500:]}"
            )
            time.sleep(0.05)  # polling another process: there is no event to wait for

    def kill(self) -> None:
        """`kill -9` of Mosquitto; its watchman ends by itself."""
        for found in working_in(self.folder / "data", "mosquitto"):
            put_down(found, ((signal.SIGKILL, 5.0),))
        assert self.process is not None
        assert self.process.wait(10) != 0
        self.process = None

    def stop(self) -> None:
        """Stop it in order, if it runs."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(40)
            self.process = None

    def text(self) -> str:
        """All that was said."""
        return self.log.read_text(errors="replace")


def lets_in(port: int, user: str, password: str) -> bool:
    """Whether Mosquitto takes this account now. Never ask for the gateway's: its session would be gone."""
    return answer(port, user, password) is True


def answer(port: int, user: str, password: str) -> bool | None:
    """Whether Mosquitto takes this account; None without an answer."""
    answers: list[bool] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
    client.username_pw_set(user, password)
    client.on_connect = lambda _c, _d, _f, reason, _p: answers.append(not reason.is_failure)
    try:
        client.connect("127.0.0.1", port)
        deadline = time.monotonic() + 5
        while not answers and time.monotonic() < deadline and client.loop(0.1) == 0:
            pass
        client.disconnect()
    except OSError:
        return None
    return answers[0] if answers else None


@contextmanager
def a_mosquitto(*options: str, folder: Path | None = None) -> Iterator[Mosquitto]:
    """A Mosquitto that runs and is gone afterwards."""
    if not find_program("mosquitto"):
        not_run("mosquitto (apt-get install mosquitto)")
    own = Path(folder or mkdtemp(prefix="chengyun-mosquitto-")).resolve()
    own.chmod(0o711)
    broker = Mosquitto(own, free_ports(1)[0], options)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        if folder is None:
            shutil.rmtree(own)
