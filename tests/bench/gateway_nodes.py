"""Many edge nodes in a process of their own, for bench_gateway: `python -m tests.bench.gateway_nodes PLAN BOOKS`.

PLAN (JSON): port, seconds, nodes [[device, login, secret, metric], …], seed. Each node measures once a second. It prints a
line "begun TIME" when all are connected, ends when every payload is accepted, and writes BOOKS: every reading that was
measured and the figures. A line on stdin ends the waiting for acceptance.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from tests.edge_nodes import Node

PERIOD_S = 1.0
CONNECT_PER_S = 250
CONNECT_S = 60.0


class Field:
    """The nodes and their books."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.seconds = float(plan["seconds"])
        self.rng = random.Random(plan["seed"])
        self.accepted: list[tuple[float, float]] = []
        self.readings: list[tuple[str, str, str, float]] = []
        self.metrics = {device: metric for device, _, _, metric in plan["nodes"]}
        self.nodes = [
            Node(device, login, secret, plan["port"], random.Random(number), self._told)
            for number, (device, login, secret, _) in enumerate(plan["nodes"])
        ]
        self.enough = threading.Event()

    def _told(self, seconds: float) -> None:
        self.accepted.append((time.time(), seconds))

    async def work(self) -> None:
        """Connect, measure, wait until all is accepted."""
        staying = []
        for number, node in enumerate(self.nodes):
            staying.append(asyncio.create_task(node.stay()))
            if number % 25 == 0:
                await asyncio.sleep(25 / CONNECT_PER_S)
        deadline = time.monotonic() + CONNECT_S
        while not all(node.up for node in self.nodes):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{sum(not node.up for node in self.nodes)} nodes are not let in")
            await asyncio.sleep(0.05)
        print(f"begun {time.time()}", flush=True)
        ticking = asyncio.create_task(self._tick())
        begun = time.monotonic()
        await asyncio.gather(
            *(
                self._measure(node, begun + PERIOD_S * n / len(self.nodes))
                for n, node in enumerate(self.nodes)
            )
        )
        while any(node.outstanding for node in self.nodes) and not self.enough.is_set():
            await asyncio.sleep(0.05)
        ticking.cancel()
        for node in self.nodes:
            node.close()
        await asyncio.wait(staying, timeout=5)

    async def _measure(self, node: Node, at: float) -> None:
        end, seq = at + self.seconds, 0
        while at < end:
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            metric, value = self.metrics[node.device], round(self.rng.uniform(0.2, 0.8), 6)
            self.readings.append((node.device, metric, now, value))
            payload = {"seq": seq, "readings": [{"metric": metric, "value": value}], "time": now}
            node.measure(seq, json.dumps(payload).encode())
            seq += 1
            at += PERIOD_S

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            for node in self.nodes:
                node.tick()


def main(plan: str, books: str) -> None:
    """The whole run."""
    field = Field(json.loads(Path(plan).read_text()))

    def listen() -> None:
        sys.stdin.readline()
        field.enough.set()

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    threading.Thread(target=listen, daemon=True).start()
    uvloop.run(field.work())
    used = resource.getrusage(resource.RUSAGE_SELF)
    Path(books).write_text(
        json.dumps(
            {
                "readings": field.readings,
                "accepted": field.accepted,
                "transmissions": sum(node.sent for node in field.nodes),
                "again": sum(node.again for node in field.nodes),
                "connections": sum(node.connections for node in field.nodes),
                "refused": [told for node in field.nodes for told in node.refused],
                "outstanding": sum(len(node.outstanding) for node in field.nodes),
                "cpu_s": used.ru_utime + used.ru_stime,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:3])
