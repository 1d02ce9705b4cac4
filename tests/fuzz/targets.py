"""What is fuzzed: every decoder of bytes. A target takes any bytes and must come back: with a result that keeps its
promise, or with the error that its docstring names. Anything else is a crash."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import openpyxl
from kafka.errors import CorruptRecordError  # type: ignore[import-untyped,unused-ignore]
from kafka.record.default_records import DefaultRecordBatchBuilder  # type: ignore[import-untyped,unused-ignore]
from kafka.record.memory_records import MemoryRecords  # type: ignore[import-untyped,unused-ignore]
from kafka.structs import TopicPartition  # type: ignore[import-untyped,unused-ignore]

from data import camera_import
from data.sheets import BadFile, read_sheet
from incidents.gateway import Sender
from streams import cloudevents, topics
from streams.adapters import xml
from streams.adapters.alarm import Alarm, Source, message, shipped_kinds
from streams.adapters.table import ADAPTERS
from streams.device_payload import message_of
from streams.envelope import Bad, decode, key_of
from streams.feed.recording import BadRow, RecordingError, detect_encoding, parse_time
from streams.feeds import mqtt_topic, webhook
from streams.feeds.alarm_mapping import alarm_mapping, is_alarm
from streams.feeds.http_pull import records_in
from streams.feeds.kinds import KINDS, SHIPPED, AnyMapping, check_feed
from streams.feeds.mapping import BadMapping, Mapped, compile_mapping, set_aside
from streams.feeds.port import BadConfig, BadRaw, RawRecord, SourceFault, decode_json, json_record
from streams.feeds.sample_feeds import feed_of, sample_feeds
from streams.feeds.tables import TableRow, read_table
from streams.feeds.webhook import WebhookConfig, WebhookSecrets
from streams.kafka.record_batches import PartitionRecords
from streams.validate import check_alarm, check_case, check_place, check_report, check_time
from tests.small_city import LIMITS, locate

NOW: Final = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
LIMIT: Final = 64 * 1024
CAMERA: Final = "99010100001320000007"
SENDER: Final = Sender("WL-1")
SOURCES: Final = {
    system: Source("fuzz", kinds, {"1": CAMERA, "33": CAMERA, "gate": CAMERA, "east_gate": CAMERA})
    for system, kinds in shipped_kinds().items()
}
VECTORS: Final = Path(__file__).resolve().parents[1] / "bench" / "vectors"
PART: Final = TopicPartition(topics.READING, 3)
CORPUS: Final = Path(__file__).with_name("corpus")
CRASHERS: Final = Path(__file__).with_name("crashers")
EXAMPLES: Final = Path(__file__).resolve().parents[2] / "streams" / "examples"


def _mapped(mapping: AnyMapping, record: RawRecord | BadRaw) -> None:
    """A record gives messages that decode, or is set aside as a message that is rejected for `mapping`."""
    if isinstance(record, BadRaw):
        _aside(mapping, record, record)
        return
    first = mapping.messages("fuzz", record, LIMIT)
    assert first == mapping.messages("fuzz", record, LIMIT) or any(not isinstance(m, Mapped) for m in first)
    for made in first[:20]:
        if isinstance(made, Mapped):
            decode(made.topic, made.value, LIMIT)
        else:
            _aside(mapping, record, made)


def _aside(mapping: AnyMapping, record: RawRecord | BadRaw, why: Any) -> None:
    message = set_aside("fuzz", mapping.first_topic, record, why, NOW)
    assert len(message.value) < 200_000
    try:
        decode(message.topic, message.value, 10**6)
    except Bad as bad:
        assert bad.reason == "mapping", bad
        return
    raise AssertionError("what is set aside was taken")


@dataclass(frozen=True, slots=True)
class Tools:
    """Made once per process: compiled mappings and a folder."""

    mappings: tuple[AnyMapping, ...]
    folder: Path

    def envelope(self, data: bytes) -> None:
        """decode: Bad. Then the rules: Bad."""
        for topic in topics.INPUT_TOPICS:
            try:
                message = decode(topic, data, LIMIT)
                assert isinstance(key_of(topic, message), str)
                check_time("time", message.time, NOW.timestamp(), LIMITS)
                if topic == topics.GRID_REPORT:
                    check_report(message, frozenset())
                if topic == topics.VIDEO_ALARM:
                    check_alarm(message, {})
                if topic == topics.ENFORCEMENT_CASE:
                    check_case(message, NOW.timestamp(), LIMITS)
                if getattr(message.data, "point", None) is not None:
                    check_place(message.data.point, LIMITS, locate)
            except Bad as bad:
                assert bad.reason and "\x00" not in bad.found

    def mapping(self, data: bytes) -> None:
        """json_record → messages: nothing."""
        record = json_record(data, time=NOW)
        for mapping in self.mappings:
            _mapped(mapping, record)

    def mapping_spec(self, data: bytes) -> None:
        """compile_mapping: BadMapping; the mapping then takes any record."""
        try:
            spec = decode_json(data)
            compiled: AnyMapping = alarm_mapping(spec, SHIPPED) if is_alarm(spec) else compile_mapping(spec)
        except (ValueError, BadMapping):
            return
        for body in ({"a": [1, {"b": "2026-11-26"}], "d": "WL-1"}, [None, -0.0], "text", 10**30):
            _mapped(compiled, RawRecord("r", body, NOW))

    def config(self, data: bytes) -> None:
        """check_feed: BadConfig, BadMapping."""
        try:
            value = decode_json(data)
        except ValueError:
            return
        found = value if isinstance(value, dict) else {"config": value}
        for kind in KINDS:
            try:
                check_feed("fuzz", kind, found.get("config"), found.get("secrets", {}), found.get("mapping"))
            except (BadConfig, BadMapping) as error:
                str(error).encode("utf-8", "surrogatepass")

    def _table(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.write_bytes(data)
        try:
            for n, row in enumerate(read_table(path)):
                if isinstance(row, TableRow):
                    _mapped(self.mappings[0], RawRecord(f"f:{row.number}", row.values))
                else:
                    assert isinstance(row, BadRow) and row.why
                if n > 50:
                    break
        except RecordingError as error:
            assert str(error)

    def csv(self, data: bytes) -> None:
        """read_table: RecordingError."""
        self._table("a.csv", data)

    def csv_gz(self, data: bytes) -> None:
        """read_table of bytes that begin like gzip: RecordingError."""
        self._table("a.gz", b"\x1f\x8b" + data)

    def xlsx(self, data: bytes) -> None:
        """read_table: RecordingError."""
        self._table("a.xlsx", data)

    def xlsx_sheet(self, data: bytes) -> None:
        """read_table of a sound package with any sheet in it: RecordingError."""
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(_workbook())) as book, zipfile.ZipFile(out, "w") as made:
            for name in book.namelist():
                made.writestr(name, data if name == "xl/worksheets/sheet1.xml" else book.read(name))
        self._table("b.xlsx", out.getvalue())

    def mqtt(self, data: bytes) -> None:
        """mqtt_record: nothing. The first line is the topic."""
        topic, _, payload = data.partition(b"\n")
        record = mqtt_topic.mqtt_record(topic.decode("utf-8", "replace"), payload, NOW)
        for mapping in self.mappings:
            _mapped(mapping, record)

    def webhook(self, data: bytes) -> None:
        """require_signed: NotSigned; records_of: nothing."""
        config = WebhookConfig(auth="hmac", header="X-S", time_header="X-T", records="a[].b || @")
        secrets = WebhookSecrets(key="k" * 16)
        headers = {"x-s": data[:64].decode("latin-1"), "x-t": data[:10].decode("latin-1")}
        try:
            webhook.require_signed(config, secrets, headers, data, NOW)
        except webhook.NotSigned:
            pass
        else:
            raise AssertionError("a forged signature was taken")
        for record in webhook.records_of(config, {}, data, NOW)[:20]:
            _mapped(self.mappings[0], record)

    def http(self, data: bytes) -> None:
        """An answer: ValueError, SourceFault."""
        try:
            body = decode_json(data)
            for path in ("", "data.list", "max(a[].b)", "a[?b > `1`].c"):
                for one in records_in(path, body)[:20]:
                    _mapped(self.mappings[0], RawRecord("r", one))
        except (ValueError, SourceFault):
            return

    def gbk(self, data: bytes) -> None:
        """detect_encoding: RecordingError; what it says can decode the bytes with escapes."""
        path = self.folder / "a.txt"
        path.write_bytes(data)
        try:
            data.decode(detect_encoding(path), "surrogateescape")
        except (RecordingError, OSError, EOFError):
            return

    def time(self, data: bytes) -> None:
        """parse_time: ValueError; what it gives is aware."""
        try:
            assert parse_time(data.decode("utf-8", "replace"), ZoneInfo("Asia/Shanghai")).tzinfo is not None
        except ValueError:
            return

    def device_payload(self, data: bytes) -> None:
        """message_of: Bad; what it makes decodes and is the same when it is sent again."""
        try:
            made = message_of(SENDER, data, LIMIT)
        except Bad as bad:
            assert bad.reason and bad.rule
            return
        assert made == message_of(SENDER, data, LIMIT)

    def _alarm(self, system: str, data: bytes) -> None:
        try:
            found = ADAPTERS[system](data, SOURCES[system], NOW)
            if isinstance(found, Alarm):
                decode(topics.VIDEO_ALARM, message(SOURCES[system], found), LIMIT)
        except Bad as bad:
            assert bad.reason and bad.rule

    def gb28181(self, data: bytes) -> None:
        """adapt, then decode of its message: Bad."""
        self._alarm("gb28181", data)

    def hikvision(self, data: bytes) -> None:
        """adapt, then decode of its message: Bad."""
        self._alarm("hikvision", data)

    def frigate(self, data: bytes) -> None:
        """adapt, then decode of its message: Bad."""
        self._alarm("frigate", data)

    def dahua(self, data: bytes) -> None:
        """adapt, then decode of its message: Bad."""
        self._alarm("dahua", data)

    def adapter_xml(self, data: bytes) -> None:
        """xml.read: Bad."""
        try:
            assert xml.read(data).name
        except Bad as bad:
            assert bad.reason and bad.rule

    def device_sheet(self, data: bytes) -> None:
        """read_sheet, CSV or XLSX by its content: BadFile."""
        try:
            read_sheet(data, lambda cells: "id" in cells)
        except BadFile as error:
            assert str(error) and error.text_zh

    def camera_csv(self, data: bytes) -> None:
        """read_table of cameras: BadFile; a row then gives a file or faults."""
        try:
            for _, row in camera_import.read_table(data)[0][:50]:
                file, wrong = camera_import._file(row)
                assert (file is None) == bool(wrong)
        except BadFile as error:
            assert str(error)

    def cloudevents(self, data: bytes) -> None:
        """check: Bad."""
        try:
            assert isinstance(cloudevents.check(data), dict)
        except Bad as bad:
            assert bad.reason and bad.rule

    def record_batches(self, data: bytes) -> None:
        """A fetched part: CorruptRecordError. Checksums are left out: behind them hardly any change would get."""
        try:
            PartitionRecords(0, PART, MemoryRecords(data), check_crcs=False).take(1000)
        except CorruptRecordError:
            return


def _workbook() -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.append(["st", "t", "z"])
    page.append(["8001", datetime(2026, 11, 26, 8), -0.0])
    page.append([None, "2026-11-26", 3.5])
    page.merge_cells("A2:A3")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet() -> bytes:
    with zipfile.ZipFile(io.BytesIO(_workbook())) as book:
        return book.read("xl/worksheets/sheet1.xml")


def tools() -> Tools:
    """Everything the targets need."""
    mappings: tuple[AnyMapping, ...] = tuple(feed_of(s).mapping for s in sample_feeds())
    mappings += tuple(alarm_mapping({"alarm": system}, SHIPPED) for system in ADAPTERS)
    loose = compile_mapping(
        {"topic": topics.GRID_REPORT, "time": {"path": "t", "otherwise": "2026-11-26"}, "data": {
            "channel": "hotline", "text": {"path": "z", "otherwise": "x"}, "level": {"path": "q", "optional": True},
            "point": {"lon": {"path": "x", "optional": True}, "lat": {"path": "y", "optional": True}}}}
    )  # fmt: skip
    return Tools((loose, *mappings), Path(tempfile.mkdtemp(prefix="chengyun-fuzz-")))


def targets(made: Tools) -> Mapping[str, Callable[[bytes], None]]:
    """Name → target."""
    return {
        name: getattr(made, name)
        for name in (
            "envelope", "mapping", "mapping_spec", "config", "csv", "csv_gz", "xlsx", "xlsx_sheet", "mqtt", "webhook",
            "http", "gbk", "time", "device_payload", "gb28181", "hikvision", "frigate", "dahua", "adapter_xml",
            "device_sheet", "camera_csv", "cloudevents", "record_batches",
        )
    }  # fmt: skip


NAMES: Final = tuple(targets(Tools((), Path())))


def seeds(name: str) -> list[bytes]:
    """Where the mutation of a target begins: its corpus, and what the product has of such bytes anyway."""
    found = [p.read_bytes() for p in sorted((CORPUS / name).glob("*"))] if (CORPUS / name).exists() else []
    samples = sample_feeds()
    match name:
        case "envelope":
            found += [p.read_bytes() for p in sorted(EXAMPLES.rglob("*.json")) if ".expected." not in p.name]
        case "mapping" | "http" | "webhook":
            found += [msgspec.json.encode(s["sample"]) for s in samples if not isinstance(s["sample"], str)]
        case "mapping_spec":
            found += [msgspec.json.encode(s["mapping"]) for s in samples]
            found += [b'{"alarm": "frigate", "payload": "a[1]"}', b'{"alarm": "gb28181", "edition": "2022"}']
        case "config":
            found += [msgspec.json.encode(s) for s in samples]
        case "mqtt" | "csv" | "gbk":
            texts = [s["sample"] for s in samples if isinstance(s["sample"], str)]
            found += [t.encode() for t in texts] + [t.encode("gb18030") for t in texts]
        case "csv_gz":
            import gzip

            found += [gzip.compress(b"st,t,z\n8001,2026-11-26,1\n")[2:]]
        case "xlsx":
            found += [_workbook()]
        case "xlsx_sheet":
            found += [_sheet()]
        case "time":
            found += [
                b"2026-11-26T08:00:00+08:00",
                "2026年11月26日 8时5分".encode(),
                b"1795673100",
                b"1795673100000",
            ]
        case "device_payload":
            found += [
                b'{"metric":"level","value":2.5,"time":"2026-11-26T06:00:00Z","seq":7}',
                b'{"readings":[{"metric":"level","value":2.5},{"metric":"flow","value":1}],'
                b'"time":"2026-11-26T06:00:00Z","id":"a","missing":2}',
            ]
        case "gb28181" | "adapter_xml":
            cases = json.loads((VECTORS / "gb28181_alarms.json").read_text("utf-8"))["cases"]
            found += [c["xml"].encode() for c in cases]
        case "hikvision":
            parts = (VECTORS / "hikvision.txt").read_text("utf-8").split("--- ")[1:]
            found += [part.partition("\n")[2].strip().encode() for part in parts]
        case "frigate":
            found += [
                msgspec.json.encode(json.loads((VECTORS / "frigate.json").read_text("utf-8"))["message"])
            ]
        case "dahua":
            found += [
                b'Code=CrossLineDetection;action=Start;index=1;data={"UTC": 1795680000}',
                b'{"alarmType": 895, "channelId": "1", "alarmTime": 1795680000000}',
                b"Heartbeat",
            ]
        case "device_sheet":
            found += [_workbook(), "id,名称\nWL-1,水位\n".encode(), "id;名称\nWL-1;水位\n".encode("gbk")]
        case "camera_csv":
            line = f"编码,名称,经度,纬度,坐标系\n{CAMERA},东门,116.3,39.9,GCJ-02\n"
            found += [line.encode(), line.encode("gbk")]
        case "cloudevents":
            events = json.loads((VECTORS / "cloudevents.json").read_text("utf-8"))
            found += [msgspec.json.encode(e["event"]) for e in events if "event" in e]
        case "record_batches":
            found += [_batch(codec) for codec in range(5)]
    return found


def _batch(codec: int) -> bytes:
    made = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 16)
    for n in range(3):
        made.append(n, 1_780_000_000_000 + n, b"WL-1", b"value", [("feed", b"demo")])
    return bytes(made.build())


def kept(name: str) -> list[tuple[str, bytes]]:
    """What once crashed the target, by file name."""
    folder = CRASHERS / name
    return [(p.name, p.read_bytes()) for p in sorted(folder.glob("*"))] if folder.exists() else []
