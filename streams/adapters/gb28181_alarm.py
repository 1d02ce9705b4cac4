"""GB/T 28181 alarm notifications (MANSCDP, `<Notify><CmdType>Alarm</CmdType>…`) of the editions 2011, 2014, 2016, 2022.

What the editions differ in is the element Info: free text only (2011); one structured Info with AlarmType and then free
text (2014, 2016); one structured Info and the free text in ExtraInfo (2022, which also adds type 13). An AlarmType has
no meaning without its AlarmMethod: the two are looked up together.

Two ways to read: `strict` holds to the order and the rules of the edition, for conformance; otherwise what real devices
are known to do wrong is taken and noted (elements out of order, unknown elements, an EventType where none belongs). An
unknown value, a doubled or a missing element is refused either way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from incidents.gb28181 import BadCode, Edition
from incidents.gb28181 import parse as parse_code
from streams.adapters import xml
from streams.adapters.alarm import Adapted, Alarm, Source, camera_of, identity, kind_of, moment
from streams.envelope import Bad

METHODS: Final[Mapping[int, str]] = {
    1: "电话报警", 2: "设备报警", 3: "短信报警", 4: "GPS报警", 5: "视频报警", 6: "设备故障报警", 7: "其他报警",
}  # fmt: skip

_TYPES: Final[Mapping[int, Mapping[int, str]]] = {
    2: {1: "视频丢失", 2: "设备防拆", 3: "存储设备磁盘满", 4: "设备高温", 5: "设备低温"},
    5: {
        1: "人工视频", 2: "运动目标检测", 3: "遗留物检测", 4: "物体移除检测", 5: "绊线检测", 6: "入侵检测",
        7: "逆行检测", 8: "徘徊检测", 9: "流量统计", 10: "密度检测", 11: "视频异常检测", 12: "快速移动",
    },
    6: {1: "存储设备磁盘故障", 2: "存储设备风扇故障"},
}  # fmt: skip
TYPES: Final[Mapping[Edition, Mapping[int, Mapping[int, str]]]] = {
    "2011": {},
    "2014": _TYPES,
    "2016": _TYPES,
    "2022": {**_TYPES, 5: {**_TYPES[5], 13: "图像遮挡"}},
}
"""AlarmMethod → AlarmType → name (GB/T 28181-2016 annex A.2.5 and its edition of 2022, as public code quotes them)."""

INTRUSION: Final = (5, 6)
EVENTS: Final[Mapping[int, str]] = {1: "进入区域", 2: "离开区域"}
"""EventType, which only an intrusion alarm carries."""

ORDER: Final = (
    "CmdType", "SN", "DeviceID", "AlarmPriority", "AlarmMethod", "AlarmTime", "AlarmDescription", "Longitude",
    "Latitude", "Info", "ExtraInfo",
)  # fmt: skip
REQUIRED: Final = ORDER[:6]
MISPLACED: Final = frozenset({"AlarmType", "AlarmTypeParam", "EventType"})
"""Never at the top: where they stand says what they mean."""
MANY: Final = 1024
BEIJING: Final = ZoneInfo("Asia/Shanghai")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Notify:
    """An alarm notification, read and checked."""

    sn: int
    device: str
    priority: int
    method: int
    type: int | None
    event: int | None
    time: datetime
    time_text: str
    description: str
    lon: float | None
    lat: float | None
    info: tuple[str, ...]
    noted: tuple[str, ...]

    @property
    def key(self) -> str:
        """Method and type together, as the tables of kinds name them: `5/6`, or `5` without a type."""
        return f"{self.method}" if self.type is None else f"{self.method}/{self.type}"

    @property
    def event_key(self) -> str:
        """The same with the event, where there is one: `5/6/2`."""
        return f"{self.key}/{self.event}" if self.event else self.key


class _Reading:
    """One document being read: the edition, how strict, and what was tolerated."""

    def __init__(self, edition: Edition, strict: bool) -> None:
        self.edition = edition
        self.strict = strict
        self.noted: list[str] = []

    def tolerate(self, field: str, found: object, rule: str) -> None:
        """Refuse in the strict way, note in the other."""
        if self.strict:
            raise Bad("invalid", field=field, found=found, rule=rule)
        self.noted.append(f"{field}: {rule}")


def parse(
    payload: bytes, edition: Edition = "2016", strict: bool = False, zone: tzinfo | None = None
) -> Notify:
    """Read a notification; a time without a zone is of `zone` (the standard says Beijing). Raises Bad."""
    root = xml.read(payload)
    if root.name != "Notify":
        raise Bad("invalid", field="root", found=root.name, rule="must be Notify")
    reading = _Reading(edition, strict)
    _check_elements(reading, root)
    if root.value("CmdType") != "Alarm":
        raise Bad("invalid", field="CmdType", found=root.value("CmdType"), rule="must be Alarm")
    method = _one_of("AlarmMethod", root.value("AlarmMethod"), METHODS)
    kind, event, info = _info(reading, root, method)
    device = root.value("DeviceID")
    try:
        parse_code(device)
    except BadCode as error:
        raise Bad("bad_camera_code", field="DeviceID", found=device, rule=f"must be {error.rule}") from None
    found = Notify(
        sn=_serial(root.value("SN")),
        device=device,
        priority=_one_of("AlarmPriority", root.value("AlarmPriority"), range(1, 5)),
        method=method,
        type=kind,
        event=event,
        time=_time(reading, root.value("AlarmTime"), zone),
        time_text=root.value("AlarmTime"),
        description=root.value("AlarmDescription"),
        lon=_degrees(reading, root, "Longitude", 180),
        lat=_degrees(reading, root, "Latitude", 90),
        info=info,
        noted=(),
    )
    return replace(found, noted=tuple(reading.noted))


def _check_elements(reading: _Reading, root: xml.Node) -> None:
    if root.text:
        raise Bad("invalid", field="root", found=root.text, rule="must hold elements only")
    counts: dict[str, int] = {}
    furthest = -1
    for child in root.children:
        counts[child.name] = counts.get(child.name, 0) + 1
        if child.name in MISPLACED:
            raise Bad("invalid", field=child.name, found=child.text, rule="must stand inside of Info")
        if child.name not in ORDER or (child.name == "ExtraInfo" and reading.edition != "2022"):
            reading.tolerate(child.name, child.text, f"is no element of the edition {reading.edition}")
            continue
        if child.name != "Info" and child.children:
            raise Bad("invalid", field=child.name, found=child.children[0].name, rule="must be plain text")
        place = ORDER.index(child.name)
        if place < furthest:
            reading.tolerate(child.name, child.text, f"must stand before {ORDER[furthest]}")
        furthest = max(furthest, place)
    for name in REQUIRED:
        if not root.value(name):
            raise Bad("invalid", field=name, found="", rule="must be given")
    for name, count in counts.items():
        most = MANY if name in ("Info", "ExtraInfo") else 1
        if name in ORDER and count > most:
            raise Bad("invalid", field=name, found=f"{count} times", rule=f"at most {most}")


def _info(reading: _Reading, root: xml.Node, method: int) -> tuple[int | None, int | None, tuple[str, ...]]:
    """(type, event, free text) of the Info elements, by the rules of the edition."""
    infos = root.all("Info")
    edition = reading.edition
    for node in infos:
        if node.children and node.text:
            raise Bad("invalid", field="Info", found=node.text, rule="must be text or elements, not both")
        if len(node.text) > MANY:
            raise Bad("invalid", field="Info", found=f"{len(node.text)} characters", rule=f"at most {MANY}")
    structured = [node for node in infos if node.children]
    plain = [node for node in infos if not node.children]
    if structured and edition == "2011":
        raise Bad("invalid", field="Info", found=structured[0].children[0].name,
                  rule="must be plain text in the edition 2011")  # fmt: skip
    if len(structured) > 1:
        raise Bad(
            "invalid", field="Info", found=f"{len(structured)} structured", rule="at most one structured Info"
        )
    if edition == "2022" and len(infos) > 1:
        raise Bad(
            "invalid", field="Info", found=f"{len(infos)} times", rule="at most one in the edition 2022"
        )
    if edition == "2022" and plain:
        raise Bad("invalid", field="Info", found=plain[0].text, rule="must be structured in the edition 2022")
    if structured and plain and infos[0] is not structured[0]:
        reading.tolerate("Info", plain[0].text, "the structured one must be the first")
    text = (*(n.text for n in plain), *(n.text for n in root.all("ExtraInfo")))
    if not structured:
        return None, None, text
    kind, event = _structured(reading, structured[0], method)
    return kind, event, text


def _structured(reading: _Reading, info: xml.Node, method: int) -> tuple[int | None, int | None]:
    types, params = info.all("AlarmType"), info.all("AlarmTypeParam")
    if info.all("EventType"):
        raise Bad("invalid", field="Info.EventType", found=info.value("EventType"),
                  rule="must stand inside of AlarmTypeParam")  # fmt: skip
    for name, found in (("AlarmType", types), ("AlarmTypeParam", params)):
        if len(found) > 1:
            raise Bad("invalid", field=f"Info.{name}", found=f"{len(found)} times", rule="at most once")
    for child in info.children:
        # The edition of 2022 leaves room for other structures (doors, for one); the earlier ones do not.
        if child.name not in ("AlarmType", "AlarmTypeParam") and reading.edition != "2022":
            reading.tolerate(
                f"Info.{child.name}", child.text, f"is no element of the edition {reading.edition}"
            )
    if not types:
        if params:
            raise Bad("invalid", field="Info.AlarmType", found="", rule="must be given with AlarmTypeParam")
        return None, None
    if params and info.children.index(params[0]) < info.children.index(types[0]):
        reading.tolerate("Info.AlarmTypeParam", "", "must stand after AlarmType")
    table = TYPES[reading.edition].get(method)
    if table is None:
        raise Bad("unknown_type", field="Info.AlarmType", found=types[0].text,
                  rule=f"AlarmMethod {method} {METHODS[method]} has no types")  # fmt: skip
    kind = _one_of(
        "Info.AlarmType", types[0].text, table, f" with AlarmMethod {method} in the edition {reading.edition}"
    )
    event = _event(reading, params[0], method, kind) if params else None
    return kind, event


def _event(reading: _Reading, param: xml.Node, method: int, kind: int) -> int | None:
    events = param.all("EventType")
    if len(events) > 1:
        raise Bad(
            "invalid",
            field="Info.AlarmTypeParam.EventType",
            found=f"{len(events)} times",
            rule="at most once",
        )
    if param.text:
        raise Bad("invalid", field="Info.AlarmTypeParam", found=param.text, rule="must hold elements only")
    if not events:
        return None
    event = _one_of("Info.AlarmTypeParam.EventType", events[0].text, EVENTS)
    if (method, kind) != INTRUSION:
        reading.tolerate("Info.AlarmTypeParam.EventType", event, "belongs to intrusion (5/6) only")
        return None
    return event


def _one_of(field: str, text: str, known: Mapping[int, str] | range, of: str = "") -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,3}", text) or int(text) not in known:
        raise Bad("unknown_type" if "Type" in field else "invalid", field=field, found=text,
                  rule=f"must be one of {', '.join(map(str, known))}{of}")  # fmt: skip
    return int(text)


def _serial(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < 1:
        raise Bad("invalid", field="SN", found=text, rule="must be a number from 1")
    return int(text)


def _time(reading: _Reading, text: str, zone: tzinfo | None) -> datetime:
    if not _TIME.fullmatch(text):
        raise Bad("bad_time", field="AlarmTime", found=text, rule="must be like 2026-08-26T01:00:00")
    if " " in text:
        reading.tolerate("AlarmTime", text, "must have a T between date and time")
    return moment(text, zone or BEIJING, "AlarmTime")


def _degrees(reading: _Reading, root: xml.Node, name: str, limit: int) -> float | None:
    nodes = root.all(name)
    if not nodes:
        return None
    text = nodes[0].text
    if not text:
        reading.tolerate(name, text, "must not be empty")
        return None
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not abs(value) <= limit:
        raise Bad("bad_point", field=name, found=text, rule=f"must be degrees from -{limit} to {limit}")
    return value


def adapt(payload: bytes, source: Source, received: datetime) -> Adapted:
    """A notification as an alarm; the level is its priority, both count from 1, the gravest."""
    found = parse(payload, source.edition, source.strict, source.zone)
    key = found.event_key if found.event_key in source.kinds else found.key
    return Alarm(
        id=identity("gb28181", found.device, found.sn, found.time_text, found.event_key),
        camera=camera_of(source, found.device, "DeviceID"),
        kind=kind_of(source, key, "AlarmMethod/AlarmType"),
        algorithm=f"gb28181:{found.key}",
        time=found.time,
        level=found.priority,
        text=_words(found)[:500],
        source_time=found.time_text,
        noted=found.noted,
    )


def _words(found: Notify) -> str:
    name = METHODS[found.method]
    if found.type is not None:
        name = f"{TYPES['2022'][found.method][found.type]}报警"
    event = f"（{EVENTS[found.event]}）" if found.event else ""
    more = " ".join(word for word in (found.description, *found.info) if word)
    return f"{name}{event}：{more}" if more else f"{name}{event}"
