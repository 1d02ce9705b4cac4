"""Vectors: what the decoders of alarms and of the envelope accept and refuse, beside what they should.

`--data FILE` takes any file of one of these shapes; without it, our own (`tests/bench/vectors/`) and, where the folder
of others' data is there, that too:

- `{"cases": [{name, version, xml, expect}], "field_samples": [{name, version, xml}]}`: GB/T 28181 alarm notifications.
  Cases are read strictly, `expect` begins with accept or reject, version `any` must hold for every edition; field
  samples are what devices really send: to be taken, by the tolerant way.
- `{"AlarmType_by_method": {method: {type: name}}, …}`: tables of GB/T 28181; every entry must be known by its edition.
- `[{id, event}]`: CloudEvents, valid or not by the id, else by the file's name.
- `{"message": …}`: an event of Frigate. `{"codes": {number: name}}`: Dahua's numbered alarms. Both to be taken.
- text with lines `--- title`, each followed by XML: Hikvision alerts; the title says keep-alive, heartbeat or inactive
  where no alarm may come of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from incidents.gb28181 import EDITIONS, Edition
from streams import cloudevents, topics
from streams.adapters import gb28181_alarm
from streams.adapters.alarm import Alarm, Quiet, Source, message, shipped_kinds
from streams.adapters.table import ADAPTERS
from streams.envelope import Bad, decode
from tests.bench.frame import Bench, Figures
from tests.product import ROOT

GOALS = {"accepted_right_share": 1.0}

OWN: Final = Path(__file__).parent / "vectors"
SHARED: Final = ROOT.parent / "shared" / "data"
EDITION_OF: Final[Mapping[str, Edition]] = {"1.0": "2011", "1.1": "2014", "2.0": "2016", "3.0": "2022"}
RECEIVED: Final = datetime(2026, 11, 26, 8, tzinfo=UTC)
CAMERA: Final = "34020000001320000001"
MAX: Final = 64 * 1024
NO_ALARM: Final = re.compile(r"keep-?alive|heart-?beat|inactive|心跳", re.IGNORECASE)


class AnyChannel(dict[str, str]):
    """Every channel is a camera: what is judged is the decoder, not a registry. Codes stay as they are."""

    def get(self, key: str, default: Any = None) -> Any:
        """The code itself, or one camera for all."""
        return key if re.fullmatch(r"[0-9]{20}", key) else CAMERA


@dataclass(frozen=True, slots=True)
class Judged:
    """One case: what was expected, what the product said."""

    name: str
    expected: str
    found: str
    why: str = ""

    @property
    def right(self) -> bool:
        """Judged as it should be."""
        return self.expected == self.found


def source(system: str, edition: Edition = "2016", strict: bool = False) -> Source:
    """A source of this system with the tables as shipped."""
    kinds = shipped_kinds()[system]
    return Source("bench", kinds, AnyChannel(), ZoneInfo("Asia/Shanghai"), edition, strict)


def adapted(system: str, payload: bytes, of: Source) -> tuple[str, str]:
    """(accept | quiet | reject, why); an accepted alarm must also be a message that the envelope takes."""
    try:
        found = ADAPTERS[system](payload, of, RECEIVED)
        if isinstance(found, Quiet):
            return "quiet", found.why
        assert isinstance(found, Alarm)
        decode(topics.VIDEO_ALARM, message(of, found), MAX)
    except Bad as bad:
        return "reject", str(bad)
    return "accept", found.kind


def editions_of(version: str) -> tuple[Edition, ...]:
    """`2.0(2016)`, `2.0`, `2016` or `any`."""
    text = version.strip().lower()
    if text in ("any", ""):
        return EDITIONS
    for label, edition in EDITION_OF.items():
        if text.startswith(label) or edition in text:
            return (edition,)
    raise ValueError(f"version={version!r}: none of {', '.join(EDITION_OF)}")


def gb28181(document: Mapping[str, Any]) -> Iterator[Judged]:
    """Alarm notifications."""
    for strict, rows in ((True, document.get("cases", ())), (False, document.get("field_samples", ()))):
        for row in rows:
            wanted = "accept" if str(row.get("expect", "accept")).startswith("accept") else "reject"
            for edition in editions_of(str(row.get("version", "any"))):
                found, why = adapted("gb28181", row["xml"].encode(), source("gb28181", edition, strict))
                if found != wanted:
                    break
            yield Judged(str(row["name"]), wanted, found, f"{edition}: {why}")


def gb28181_tables(document: Mapping[str, Any]) -> Iterator[Judged]:
    """Code tables: each entry is known, that of the edition of 2022 only there."""
    for method, types in document["AlarmType_by_method"].items():
        for number, name in types.items():
            found = [e for e in EDITIONS if int(number) in gb28181_alarm.TYPES[e].get(int(method), {})]
            wanted = ["2022"] if "2022" in name else ["2014", "2016", "2022"]
            yield Judged(f"AlarmMethod {method} AlarmType {number} {name}", " ".join(wanted), " ".join(found))
    for field, known in (("AlarmPriority", range(1, 5)), ("AlarmMethod", gb28181_alarm.METHODS)):
        for number, name in document.get(field, {}).items():
            yield Judged(f"{field} {number} {name}", "known", "known" if int(number) in known else "unknown")


def events(rows: list[Mapping[str, Any]], file: str) -> Iterator[Judged]:
    """CloudEvents: the attributes by the door's check, and by the envelope decoder with a message of ours around."""
    for row in rows:
        name = str(row.get("id", ""))
        wanted = "reject" if "invalid" in (name if "valid" in name.lower() else file).lower() else "accept"
        try:
            cloudevents.check(json.dumps(row["event"]).encode())
            found, why = "accept", ""
        except Bad as bad:
            found, why = "reject", str(bad)
        yield Judged(f"{name} (check)", wanted, found, why)
        if wanted == "accept":
            found, why = as_ours(row["event"])
            yield Judged(f"{name} (as a message of ours)", wanted, found, why)


def as_ours(event: Mapping[str, Any]) -> tuple[str, str]:
    """The same attributes around data of ours: type and data are the topic's, a time is required."""
    ours = {name: value for name, value in event.items() if name not in ("data", "data_base64")}
    ours |= {"type": topics.VIDEO_ALARM, "data": {"camera": CAMERA, "kind": "flood"}}
    ours.setdefault("time", RECEIVED.isoformat())
    try:
        decode(topics.VIDEO_ALARM, json.dumps(ours).encode(), MAX)
    except Bad as bad:
        return "reject", str(bad)
    return "accept", ""


def hikvision(text: str) -> Iterator[Judged]:
    """Alerts under titles."""
    for title, payload in re.findall(r"^--- ?(.*)\n((?:(?!^---).*\n?)*)", text, re.MULTILINE):
        xml = payload[: payload.rfind(">") + 1].strip()
        found, why = adapted("hikvision", xml.encode(), source("hikvision"))
        yield Judged(title, "quiet" if NO_ALARM.search(title) else "accept", found, why)


def dahua(document: Mapping[str, Any]) -> Iterator[Judged]:
    """Numbered alarms."""
    for number, name in document["codes"].items():
        payload = json.dumps({"alarmType": int(number), "channelId": "1", "alarmTime": RECEIVED.isoformat()})
        found, why = adapted("dahua", payload.encode(), source("dahua"))
        yield Judged(f"{number} {name}", "accept", found, why)


def judge(path: Path) -> list[Judged]:
    """All cases of a file; [] when it is of no shape that is judged here."""
    text = path.read_text(encoding="utf-8")
    try:
        document = json.loads(text)
    except ValueError:
        return list(hikvision(text)) if "EventNotificationAlert" in text else []
    if isinstance(document, list):
        rows = [row for row in document if isinstance(row, dict) and "event" in row]
        return list(events(rows, path.name))
    if "cases" in document or "field_samples" in document:
        return list(gb28181(document))
    if "AlarmType_by_method" in document:
        return list(gb28181_tables(document))
    if "codes" in document:
        return list(dahua(document))
    if "message" in document:
        found, why = adapted("frigate", json.dumps(document["message"]).encode(), source("frigate"))
        return [Judged(path.name, "accept", found, why)]
    return []


def files() -> list[Path]:
    """Our own vectors, and those of others where they are."""
    found = sorted(p for p in OWN.iterdir() if p.suffix in (".json", ".txt"))
    for folder in ("standards", "video"):
        if (SHARED / folder).is_dir():
            found += sorted(p for p in (SHARED / folder).iterdir() if p.suffix in (".json", ".txt"))
    return found


def run(bench: Bench) -> Figures:
    """Judge every file; name each case that is judged wrong."""
    total = right = 0
    wrong: list[str] = []
    by_file: dict[str, str] = {}
    for path in [bench.data] if bench.data else files():
        judged = judge(path)
        if not judged:
            bench.say(f"{path.name}: no shape that is judged here")
            if bench.data:
                raise SystemExit(
                    f"vectors: {path}: of no shape that is judged here (see tests/bench/bench_vectors.py)"
                )
            continue
        good = sum(one.right for one in judged)
        total, right = total + len(judged), right + good
        by_file[path.name] = f"{good}/{len(judged)}"
        bench.say(f"{path.name}: {good} of {len(judged)} right")
        for one in judged:
            if not one.right:
                wrong.append(f"{path.name}: {one.name}")
                bench.say(f"  wrong: {one.name}: expected {one.expected}, found {one.found} ({one.why})")
    share = round(right / total, 4) if total else None
    return {"accepted_right_share": share, "cases": total, "right": right, "wrong": wrong, "files": by_file}
