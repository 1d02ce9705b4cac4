"""Messages that a careless sender makes: each breaks one rule, named by the reason word the product counts.

Used by the simulation (one message in a thousand) and, with a fixed seed, handy wherever bad input is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec

from streams import topics
from streams.feed.city import Camera, Device, Worker

Data = dict[str, Any]


class Mistakes:
    """Makes wrong messages about the things of one city."""

    def __init__(
        self,
        devices: tuple[Device, ...],
        cameras: tuple[Camera, ...],
        kinds: tuple[str, ...],
        workers: tuple[Worker, ...],
        centre: tuple[float, float],
    ) -> None:
        """`kinds` are the known camera alarm kinds; `centre` (lon, lat). What the city lacks is not got wrong."""
        self._devices = devices
        self._cameras = cameras
        self._kinds = kinds
        self._workers = workers
        self._centre = centre
        self._makers: list[Callable[[Random, datetime], tuple[str, str, Data, Data, str]]] = [
            self._far_report,
            self._strange_crs,
            self._wrong_channel,
            self._no_id,
        ]
        if devices:
            self._makers += [
                self._word_as_value,
                self._endless,
                self._old,
                self._ahead,
                self._no_zone,
                self._strange_metric,
                self._old_version,
            ]
        if cameras and kinds:
            self._makers += [self._short_code, self._strange_kind]
        if workers:
            self._makers += [self._far_worker, self._strange_worker]

    def make(self, rng: Random, now: datetime, id: str, source: str) -> tuple[str, str, bytes, str]:
        """(topic, key, value, reason) of one wrong message sent at `now`."""
        if rng.random() < 0.08:
            topic, key = topics.GRID_REPORT, id
            value = b'{"specversion":"1.0","id":"' + id.encode() + b'","data":{"text":"' + "断".encode()[:2]
            return topic, key, value, "malformed"
        topic, key, head, data, reason = rng.choice(self._makers)(rng, now)
        message: Data = {
            "specversion": "1.0",
            "id": id,
            "source": source,
            "type": topic,
            "time": _text(now),
            "subject": key,
            "data": data,
            **head,
        }
        endless = message.pop("endless", None) is not None
        value = msgspec.json.encode(message)
        if endless:
            value = value.replace(b'"value":0', b'"value":1e999', 1)
        return topic, key or id, value, reason

    def _reading(self, rng: Random, value: object, metric: str = "") -> tuple[str, str, Data]:
        device = rng.choice(self._devices)
        topic = topics.READING_CRITICAL if device.critical else topics.READING
        name = metric or (rng.choice(device.metrics) if device.metrics else "value")
        return topic, device.id, {"device": device.id, "readings": [{"metric": name, "value": value}]}

    def _word_as_value(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        topic, key, data = self._reading(rng, rng.choice(("--", "offline", "ERR", "12,5")))
        return topic, key, {}, data, "invalid"

    def _endless(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        topic, key, data = self._reading(rng, 0)
        return topic, key, {"endless": ""}, data, "invalid"

    def _old(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        topic, key, data = self._reading(rng, 1.0)
        return topic, key, {"time": _text(now - timedelta(days=rng.randint(8, 3000)))}, data, "too_old"

    def _ahead(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        topic, key, data = self._reading(rng, 1.0)
        return (
            topic,
            key,
            {"time": _text(now + timedelta(hours=rng.choice((8, 24, 9000))))},
            data,
            "in_future",
        )

    def _no_zone(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        topic, key, data = self._reading(rng, 1.0)
        wrong = rng.choice(
            (now.strftime("%Y-%m-%d %H:%M:%S"), now.strftime("%Y年%m月%d日"), "0000-00-00T00:00:00Z")
        )
        return topic, key, {"time": wrong}, data, "bad_time"

    def _strange_metric(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        topic, key, data = self._reading(rng, 1.0, rng.choice(("battery_v", "rssi_dbm", "fw_version")))
        return topic, key, {}, data, "unknown_metric"

    def _old_version(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        topic, key, data = self._reading(rng, 1.0)
        return topic, key, {"type": topic.removesuffix("v1") + "v0"}, data, "unknown_version"

    def _report(self, text: str, **more: object) -> Data:
        return {"channel": "citizen", "text": text, **more}

    def _far_report(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        lon, lat = rng.choice(((0.0, 0.0), (116.39, 39.91), (self._centre[0] + 0.6, self._centre[1])))
        return (
            topics.GRID_REPORT,
            "",
            {},
            self._report("定位不准，位置在别处", point={"lon": lon, "lat": lat}),
            "outside_city",
        )

    def _strange_crs(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        point = {
            "lon": self._centre[0],
            "lat": self._centre[1],
            "crs": rng.choice(("EPSG:3857", "Xian80", "local")),
        }
        return topics.GRID_REPORT, "", {}, self._report("坐标系不认识", point=point), "unknown_crs"

    def _wrong_channel(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        data = {"channel": rng.choice(("wechat", "12345", "微信")), "text": "渠道名不在约定之内"}
        return topics.GRID_REPORT, "", {}, data, "bad_channel"

    def _no_id(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        return topics.GRID_REPORT, "", {"id": ""}, self._report("没有消息编号"), "envelope"

    def _short_code(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        code = rng.choice(self._cameras).code[: rng.choice((6, 12, 18))]
        return (
            topics.VIDEO_ALARM,
            code,
            {},
            {"camera": code, "kind": rng.choice(self._kinds)},
            "bad_camera_code",
        )

    def _strange_kind(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        code = rng.choice(self._cameras).code
        return topics.VIDEO_ALARM, code, {}, {"camera": code, "kind": "unknown_object"}, "unknown_kind"

    def _far_worker(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        login = rng.choice(self._workers).login
        return (
            topics.POSITION,
            login,
            {},
            {"worker": login, "point": {"lon": 0.0, "lat": 0.0}},
            "outside_city",
        )

    def _strange_worker(self, rng: Random, now: datetime) -> tuple[str, str, Data, Data, str]:
        login, (lon, lat) = f"gw{rng.randint(90_000, 99_999)}", self._centre
        data = {"worker": login, "point": {"lon": lon, "lat": lat}}
        return topics.POSITION, login, {}, data, "unknown_worker"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
