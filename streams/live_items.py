"""Step 7 of the flush: what changed, as live items (best effort; the store is the truth)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from incidents.ingest import DeviceEntry
from streams.flush import Work

Item = dict[str, Any]


class LiveValues:
    """Newest values of devices this consumer has seen, to make whole items of single readings."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, float]] = defaultdict(dict)
        self._times: dict[str, float] = {}

    def items(
        self, work: Work, known: Callable[[list[str]], Mapping[str, Mapping[str, float]]]
    ) -> list[Item]:
        """Items of the devices touched by a committed flush. `known` gives values of devices met first."""
        strangers = [device for device in work.touched if device not in self._values]
        if strangers:
            for name, values in known(strangers).items():
                self._values[name].update(values)
        for time, value, device, metric in work.newest.values():
            assert device is not None  # of this flush, not of the store
            self._values[device.id][metric] = value
            self._times[device.id] = max(self._times.get(device.id, 0.0), time.timestamp())
        raised = (
            {key[2] for key, state in work.memory.states.items() if state.raised} if work.touched else set()
        )
        return [self._item(entry, entry.no in raised) for entry in work.touched.values()]

    def _item(self, device: DeviceEntry, raised: bool) -> Item:
        return {
            "kind": "device",
            "key": device.id,
            "area": device.area_path,
            "type": device.type,
            "values": dict(self._values[device.id]),
            "t": int(self._times.get(device.id, 0.0) * 1000),
            "status": "warning" if raised else "online",
        }


def warning_items(work: Work) -> tuple[list[Item], list[tuple[str, str]]]:
    """Warnings raised (to be shown) and cleared (to be taken away) by a committed flush."""
    shown: list[Item] = []
    gone: list[tuple[str, str]] = []
    for detection, device, _ in work.flush.detections:
        if not detection.raised:
            gone.append(("warning", detection.warning_id))
            continue
        shown.append(
            {
                "kind": "warning",
                "key": detection.warning_id,
                "area": device.area_path,
                "device": device.id,
                "name": device.name,
                "metric": detection.rule.metric,
                "value": detection.value,
                "threshold": detection.rule.threshold,
                "level": detection.rule.level,
                "message": detection.rule.message,
                "message_en": detection.rule.message_en,
                "lon": device.lon,
                "lat": device.lat,
                "t": int(detection.time.timestamp() * 1000),
            }
        )
    return shown, gone


def worker_places(work: Work) -> dict[str, tuple[float, float, int]]:
    """Newest place of each worker in a flush: login → (lon, lat, ms)."""
    newest: dict[str, tuple[float, float, int]] = {}
    for _, worker, time, lon, lat, _ in work.flush.places:
        at = int(time.timestamp() * 1000)
        if worker not in newest or newest[worker][2] < at:
            newest[worker] = (lon, lat, at)
    return newest
