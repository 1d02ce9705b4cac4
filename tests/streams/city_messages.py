"""Random but repeatable messages for the small city: good, late, doubled, contradicting, bad, of unknown things."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any, Final

from incidents.ports import Outgoing
from streams import topics
from streams.envelope import encode
from tests.small_city import CAMERA, EAST, FAR, NEXT_CAMERA, NO_CELL, WEST

FEED: Final = "urn:feed:sensors"


def message(
    topic: str, key: str, data: dict[str, Any], at: datetime, id: str, source: str = FEED
) -> Outgoing:
    """One message of a registered feed."""
    value = encode(id=id, source=source, topic=topic, time=at.isoformat(), subject=key, data=data)
    return Outgoing(topic, key, value)


def reading(device: str, values: dict[str, float], at: datetime, id: str, **more: Any) -> Outgoing:
    """Readings of a device."""
    rows = [{"metric": metric, "value": value} for metric, value in values.items()]
    return message(topics.READING, device, {"device": device, "readings": rows, **more}, at, id)


def alarm(camera: str, kind: str, at: datetime, id: str, **more: Any) -> Outgoing:
    """An alarm of a camera."""
    return message(topics.VIDEO_ALARM, camera, {"camera": camera, "kind": kind, **more}, at, id)


def report(at: datetime, id: str, text: str = "路口积水", **more: Any) -> Outgoing:
    """A report by a person."""
    return message(
        topics.GRID_REPORT, id, {"channel": "hotline", "text": text, **more}, at, id, "urn:feed:reports"
    )


def position(worker: str, at: datetime, id: str, lon: float, lat: float) -> Outgoing:
    """Where a worker is."""
    point = {"lon": lon, "lat": lat}
    return message(topics.POSITION, worker, {"worker": worker, "point": point}, at, id)


def case(at: datetime, id: str, number: str = "执-1", **more: Any) -> Outgoing:
    """What an enforcement platform says of a case."""
    data = {"case": number, "unit": "U1", "stage": "立案", "opened_at": "2026-08-01T00:00:00Z", **more}
    return message(topics.ENFORCEMENT_CASE, number, data, at, id, "urn:feed:cases")


def a_day(seed: int, start: datetime, count: int) -> list[Outgoing]:
    """About `count` messages, the oldest from `start` on; every kind of outcome occurs."""
    dice = random.Random(seed)
    found: list[Outgoing] = []
    levels = {"WL-1": 2.8, "WL-2": 2.8}
    set_aside = told = 0
    for n in range(count):
        at = start + timedelta(seconds=20 * n)
        id = f"m-{seed}-{n}"
        match dice.choices(range(9), (30, 10, 6, 6, 6, 4, 8, 6, 8))[0]:
            case 0:
                device = dice.choice(("WL-1", "WL-2"))
                levels[device] = min(max(levels[device] + dice.uniform(-0.8, 0.8), 1.0), 5.0)
                values = {"level": round(levels[device], 2)}
                if dice.random() < 0.5:
                    values["flow"] = dice.choice((0.0, 0.05, 0.15, 0.3))
                found.append(reading(device, values, at, id, missing=dice.choice((0, 0, 0, 2))))
            case 1:
                device = dice.choice(("AQ-1", "AQ-2"))
                found.append(reading(device, {"pm25": dice.choice((80.0, 130.0, 160.0, 200.0))}, at, id))
            case 2:  # late, and sometimes over the threshold: it may raise nothing
                back = at - timedelta(hours=dice.randint(1, 48))
                found.append(reading(dice.choice(("WL-1", "AQ-1")), {"level": 9.0}, back, id))
            case 3:
                kind = dice.choice(("flood", "cover"))
                found.append(alarm(dice.choice((CAMERA, NEXT_CAMERA)), kind, at, id))
            case 4:
                lon, lat = dice.choice((WEST, EAST, NO_CELL, FAR))
                # A spot of its own, and not the camera's: which of two at one spot is first, nobody promises.
                lon, lat = lon + 0.001, lat + 0.0008 * (told % 10 - 5)
                told += 1
                point: dict[str, Any] = {"point": {"lon": lon, "lat": lat}} if dice.random() < 0.8 else {}
                found.append(report(at, id, **{"class": dice.choice(("", "0101", "0201"))}, **point))
            case 5:
                lon, lat = dice.choice((WEST, EAST))
                found.append(position(dice.choice(("grid-worker", "worker-2")), at, id, lon, lat))
            case 6 if found:  # the very same message again
                found.append(dice.choice(found))
            case 7 if found:  # the same id and time, other content
                old = dice.choice(found)
                for other in (
                    (b'"value":', b'"value":1'),
                    (b'"text":"', b'"text":"\xe4\xb8\x8d'),
                    (b'"kind":"flood"', b'"kind":"cover"'),
                ):
                    if other[0] in old.value:
                        found.append(Outgoing(old.topic, old.key, old.value.replace(*other, 1)))
                        break
            case _:
                bad = _bad(at, id)
                found.append(bad[set_aside % len(bad)])
                set_aside += 1
    return found


def _bad(at: datetime, id: str) -> tuple[Outgoing, ...]:
    """Messages that cannot be taken, and good ones of devices and cameras that nobody registered (held)."""
    return (
        Outgoing(topics.READING, "WL-1", b"{not json"),
        Outgoing(topics.READING, "WL-1", b"\xff\xfe"),
        Outgoing(topics.GRID_REPORT, "x", b"[]"),
        reading("WL-1", {"voltage": 1.0}, at, id),
        reading("WL-1", {"level": 1.0}, at + timedelta(days=400), id),
        reading("WL-1", {"level": 1.0}, at - timedelta(days=4000), id),
        reading("WL-1", {"level": 1.0}, at - timedelta(days=4000), id, history=True),
        reading("XX-9", {"level": 9.0}, at, id),
        alarm("99010100001320000099", "flood", at, id),
        alarm(CAMERA, "ufo", at, id),
        report(at, id, text=" "),
        position("nobody", at, id, *WEST),
    )
