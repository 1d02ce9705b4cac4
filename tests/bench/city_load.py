"""The common load of the ingest benches: CloudEvents of at least 350 bytes from the sample city's devices, some of them
late, doubled or bad, with a truth kept beside: how many readings must be in the store, and what they add up to.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import TextIO

from incidents.ports import Outgoing
from tests.bench.bench_drills import FILES

LATE, DOUBLE, BAD = 0.01, 0.005, 0.001
"""Shares of the messages."""

LATE_BY = timedelta(hours=1)
STEP = timedelta(seconds=1)
"""Between two messages of one device."""

_PADDING = "x" * 120
"""Carried in `subject`-like text of the field's gateways; makes a one-reading message about 400 bytes."""


@dataclass(frozen=True, slots=True)
class LoadDevice:
    """A device and its metrics (id, normal value)."""

    id: str
    metrics: tuple[tuple[str, float], ...]


@dataclass(slots=True)
class Truth:
    """What the producer has sent, counted by what must become of it."""

    messages: int = 0
    readings: int = 0
    stored: int = 0
    late: int = 0
    doubled: int = 0
    bad: int = 0
    total: float = 0.0
    bytes: int = 0

    def add(self, other: Truth) -> None:
        """Count what another producer has sent as well."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


def usual_metrics() -> dict[str, tuple[tuple[str, float], ...]]:
    """Device type of the sample city → its metrics, each with a usual value, over which no rule is."""
    metrics: dict[str, list[tuple[str, float]]] = {}
    with gzip.open(FILES / "metrics.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            metrics.setdefault(row["device_type"], []).append((row["id"], float(row["typical"])))
    return {kind: tuple(found) for kind, found in metrics.items()}


def load_devices(count: int = 5000, critical: bool = False) -> list[LoadDevice]:
    """Devices of the sample city, shuffled by a fixed seed; ordinary ones only, or the critical ones among them."""
    metrics = usual_metrics()
    with gzip.open(FILES / "devices.csv.gz", "rt", encoding="utf-8") as file:
        found = [
            LoadDevice(r["id"], metrics[r["type"]])
            for r in csv.DictReader(file)
            if critical or r["critical"] == "0"
        ]
    random.Random(3).shuffle(found)
    return found[:count]


@dataclass(slots=True)
class CityLoad:
    """Messages of `readings` readings each. `begin`: time of the first; every device's next one is `step` later.

    `log`: where each distinct good reading is written down (device, metric, time, value; tabs between).
    """

    devices: Sequence[LoadDevice]
    readings: int
    begin: datetime
    topic: str = "city.reading.v1"
    seed: int = 1
    live: bool = False
    log: TextIO | None = None
    step: timedelta = STEP
    truth: Truth = field(default_factory=Truth)

    def messages(self, count: int) -> Iterator[Outgoing]:
        """`count` messages. Live: dated with the moment of making."""
        rng = random.Random(self.seed)
        kept: list[Outgoing] = []
        truth = self.truth
        number = 0
        while number < count:
            chance = rng.random()
            if kept and chance < DOUBLE:
                message = kept[rng.randrange(len(kept))]
                truth.doubled += 1
            elif chance < DOUBLE + BAD:
                device = self.devices[number % len(self.devices)]
                message = Outgoing(
                    self.topic, device.id, b'{"specversion": "1.0", "id": ' + _PADDING.encode() * 3
                )
                truth.bad += 1
            else:
                late = chance < DOUBLE + BAD + LATE
                message = self._good(number, rng, late)
                truth.late += late
                if number % 50 == 0:
                    kept.append(message)
                    if len(kept) > 200:
                        kept.pop(0)
            truth.messages += 1
            truth.bytes += len(message.value)
            number += 1
            yield message

    def _good(self, number: int, rng: random.Random, late: bool) -> Outgoing:
        device = self.devices[number % len(self.devices)]
        at = datetime.now(UTC) if self.live else self.begin + self.step * (number // len(self.devices))
        # Moments are counted in steps of 8 µs, the last digit tells the kind: no two readings share a moment by chance.
        at -= timedelta(microseconds=at.microsecond % 8)
        if late:
            at -= LATE_BY + timedelta(microseconds=4)
        rows = []
        for index in range(self.readings):
            metric, normal = device.metrics[index % len(device.metrics)]
            value = round(normal * (0.98 + 0.02 * rng.random()), 4)
            turn = index // len(device.metrics)
            time = at - turn * (self.step / 4 + timedelta(microseconds=1))
            rows.append(
                f'{{"metric": "{metric}", "value": {value}, "time": "{time.isoformat(timespec="microseconds")}"}}'
            )
            self.truth.total += value
            if self.log is not None:
                self.log.write(f"{device.id}\t{metric}\t{time.isoformat()}\t{value!r}\n")
        self.truth.readings += self.readings
        self.truth.stored += self.readings
        identity = f"{self.topic}-{self.seed}-{number:09d}"
        body = (
            f'{{"specversion": "1.0", "id": "{identity}", "source": "urn:feed:simulation", "type": "{self.topic}",'
            f' "time": "{at.isoformat(timespec="microseconds")}", "subject": "{device.id}",'
            f' "datacontenttype": "application/json", "correlationid": "{identity}", "gateway": "{_PADDING}",'
            f' "data": {{"device": "{device.id}", "readings": [{", ".join(rows)}]}}}}'
        )
        return Outgoing(self.topic, device.id, body.encode())


def verdict(truth: Truth, stored: int, total: float) -> dict[str, int | bool]:
    """Readings lost and doubled against the producer's own count, and whether the values add up."""
    return {
        "lost": max(0, truth.stored - stored),
        "doubled": max(0, stored - truth.stored),
        "values_agree": abs(total - truth.total) <= 1e-6 * max(1.0, abs(truth.total)),
    }


def described(truth: Truth) -> str:
    """The load in words."""
    return json.dumps(
        {name: getattr(truth, name) for name in ("messages", "stored", "late", "doubled", "bad")}
    )
