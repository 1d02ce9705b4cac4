"""One Kafka node that is broker and controller (KRaft), on loopback, without authentication: for tests."""

from __future__ import annotations

import base64
import signal
import socket
import struct
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from deploy.bare.install import HERE, Say, apt, java, kafka_jars
from deploy.bare.parts import launch
from deploy.place import Place
from deploy.processes import Identity, working_in
from deploy.refusal import Refusal
from deploy.service import Launched

_HEAP = ("-Xms256m", "-Xmx768m")


@dataclass(frozen=True, slots=True)
class Kafka:
    """Data in `kafka/data`; the node's id and settings are written anew at every start."""

    place: Place
    name: str = "kafka"
    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 20), (signal.SIGKILL, 5))
    running: Launched = field(default_factory=Launched)

    def install(self, say: Say) -> None:
        apt({"java": "default-jre-headless", "mvn": "maven"}, say)
        kafka_jars(say)

    def processes(self) -> list[Identity]:
        return working_in(self.place.folder(self.name), "java")

    def start(self) -> None:
        folder = self.place.folder(self.name)
        for name in ("kafka", "kafka-controller"):
            self.place.usable_port(name)
        config = folder / "server.properties"
        config.write_text("\n".join(f"{key}={value}" for key, value in self.settings().items()) + "\n")
        run = [
            java(),
            *_HEAP,
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}",
            "-cp",
            f"{kafka_jars()}/*",
        ]
        if not (folder / "data" / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            done = subprocess.run(
                [*run, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(config)],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise Refusal(
                    "Kafka 存储目录格式化失败",
                    "Kafka could not format its storage: " + (done.stdout + done.stderr)[-800:],
                )
        launch(self.running, [*run, "kafka.Kafka", str(config)], folder, self.log())

    def settings(self) -> dict[str, str | int]:
        """What `server.properties` says, with the remembered ports."""
        port, controller = self.place.port("kafka"), self.place.port("kafka-controller")
        data = self.place.folder(self.name) / "data"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(data),
            # A misspelt topic must fail, not appear; the product makes its topics itself.
            "auto.create.topics.enable": "false",
            "num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # After `kill -9` the new process must wait until the session of the killed one has run out (default 9 s).
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            # Large enough that a 10 MB message reaches the product's own limit and its dead letters.
            "message.max.bytes": 12 * 1024 * 1024,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
            # The only node is its own controller: there is nobody to hand leadership to before it stops.
            "controlled.shutdown.enable": "false",
        }

    def ready(self) -> bool:
        return _broker_count(self.place.port("kafka")) > 0

    def log(self) -> Path:
        return self.place.log(self.name)

    def address(self) -> str:
        return f"127.0.0.1:{self.place.port('kafka')}"


def _broker_count(port: int) -> int:
    """How many live brokers the node itself reports (Metadata request, version 4); 0 when it does not answer."""
    client = b"ready"
    # api key 3, version 4, correlation id 1, client id; zero topics; no auto-creation.
    body = struct.pack(">hhih", 3, 4, 1, len(client)) + client + struct.pack(">i?", 0, False)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
            s.sendall(struct.pack(">i", len(body)) + body)
            answer = s.makefile("rb")
            size = struct.unpack(">i", answer.read(4))[0]
            reply = answer.read(size)
            # correlation id, throttle time, then the array of brokers.
            return int(struct.unpack(">iii", reply[:12])[2])
    except (OSError, struct.error):
        return 0
