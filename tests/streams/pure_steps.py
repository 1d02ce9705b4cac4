"""The product's own judgement of a message, without store and bus: decode, validate, detect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from incidents.ingest import AlarmKind, CameraEntry, DeviceEntry, Flush, Message, Registry
from incidents.ports import Outgoing, Record
from streams.feed.city import CityView
from streams.flush import STEPS, Memory, Work
from streams.validate import Limits

MAX_BYTES = 1_048_576


def registry_of(city: CityView) -> Registry:
    """The registries that ingest would hold for this city, without warning rules."""
    metrics = sorted({m for d in city.devices for m in d.metrics})
    return Registry(
        1,
        {
            d.id: DeviceEntry(n, d.id, d.type, d.id, "", d.lon, d.lat, d.period_s)
            for n, d in enumerate(city.devices)
        },
        {m: n for n, m in enumerate(metrics)},
        {c.code: CameraEntry(c.code, c.code, "", "", c.lon, c.lat) for c in city.cameras},
        {k.kind: AlarmKind(k.kind, k.name, k.class_code, k.level) for k in city.alarm_kinds},
        frozenset(w.login for w in city.workers),
        {},
        {c.code: 1 for c in city.classes},
        frozenset({"simulation"}),
    )


def judge_messages(
    registry: Registry, messages: Sequence[Outgoing], arrivals: Sequence[datetime]
) -> list[Message]:
    """What becomes of messages that arrive at these moments, one by one."""
    limits = Limits(timedelta(hours=72), timedelta(seconds=300), MAX_BYTES, 113.9, 21.9, 25_000.0)
    found = []
    for message, arrival in zip(messages, arrivals, strict=True):
        work = Work(Flush(arrival, {}), registry, limits, lambda lon, lat: None, Memory())
        at_ms = int(arrival.timestamp() * 1000)
        record = Record(message.topic, 0, 0, message.key, message.value, message.headers, at_ms)
        for step in STEPS:
            step(work, [record])
        found += work.flush.messages
    return found
