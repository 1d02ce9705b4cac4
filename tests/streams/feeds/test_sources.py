"""The adapters' own corners: pages and ETags, files half written and merged cells, back-off, configurations refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feed.recording import BadRow, RecordingError
from streams.feeds.addresses import AddressPolicy
from streams.feeds.folder import FolderConfig, FolderSource
from streams.feeds.http_pull import HttpConfig, HttpSecrets, HttpSource, Paging
from streams.feeds.kinds import KINDS, check_feed
from streams.feeds.port import BadConfig, BadRaw, Batch, RawRecord, SourceAway, SourceFault
from streams.feeds.runner import pause_after
from streams.feeds.tables import TableRow, read_table
from tests.contracts.feed_line import Clock, HttpServer

LOOPBACK = AddressPolicy(frozenset({"loopback"}))
MAPPING = {
    "topic": "city.reading.v1",
    "time": {"path": "t"},
    "data": {"device": {"path": "d"}, "readings": [{"metric": "level", "value": {"path": "z"}}]},
}


class Served:
    """An HTTP source of given answers by path."""

    def __init__(self, **config: Any) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.server = HttpServer(self._answer)
        self.server.start()
        self.source = HttpSource(
            HttpConfig(url=f"{self.server.url}/a", **config), HttpSecrets(), LOOPBACK, 10_000
        )

    def _answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        self.headers = dict(headers)
        return self.answers.get(path, (404, {}, b""))

    def all(self, position: Any = None) -> tuple[list[Any], Any]:
        """Bodies of a whole poll and the position after it."""
        bodies: list[Any] = []
        for _ in range(50):
            batch = self.source.read(position or {}, 1)
            bodies += [r.body for r in batch.records if isinstance(r, RawRecord)]
            self.source.done(batch)
            if not batch.more:
                return bodies, batch.position
        raise AssertionError("no end of pages")

    def close(self) -> None:
        self.source.close()
        self.server.stop()


def ok(body: Any, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(body).encode()


def test_pages_by_cursor_next_link_and_offset() -> None:
    served = Served(paging=Paging(by="cursor", param="c", path="next"), records="rows")
    served.answers = {"/a": ok({"rows": [1], "next": "x"}), "/a?c=x": ok({"rows": [2], "next": None})}
    assert served.all()[0] == [1, 2]
    served.close()
    served = Served(paging=Paging(by="next", path="next"), records="rows")
    served.answers = {"/a": ok({"rows": [1], "next": "/b?p=2"}), "/b?p=2": ok({"rows": [2]})}
    assert served.all()[0] == [1, 2]
    served.close()
    served = Served(paging=Paging(by="link"))
    served.answers = {"/a": ok([1], Link='</b>; rel="next", </z>; rel="last"'), "/b": ok([2])}
    assert served.all()[0] == [1, 2]
    served.close()
    served = Served(paging=Paging(by="offset", param="skip"))
    served.answers = {"/a?skip=0": ok([1, 2]), "/a?skip=2": ok([3]), "/a?skip=3": ok([])}
    assert served.all()[0] == [1, 2, 3]
    served.close()


def test_the_next_page_is_of_the_same_server_and_another_one() -> None:
    served = Served(paging=Paging(by="next", path="next"), records="rows")
    served.answers = {"/a": ok({"rows": [1], "next": "http://127.0.0.1:1/b"})}
    with pytest.raises(SourceFault, match="must be on the server of"):
        served.all()
    served.answers = {"/a": ok({"rows": [1], "next": "/a"})}
    with pytest.raises(SourceFault, match="is the same again"):
        served.all()
    served.close()


def test_etag_digest_and_what_was_sent_already() -> None:
    served = Served()
    served.answers = {
        "/a": ok([{"n": 1}, {"n": 2}], ETag='"1"', Last_Modified="Thu, 26 Nov 2026 06:00:00 GMT")
    }
    bodies, position = served.all()
    assert bodies == [{"n": 1}, {"n": 2}] and position["etag"] == '"1"'
    assert served.all(position) == ([], None), "the same bytes again"
    assert served.headers["if-none-match"] == '"1"' and "if-modified-since" in served.headers
    served.answers = {"/a": ok([{"n": 2}, {"n": 3}])}
    assert served.all(position)[0] == [{"n": 3}]
    served.answers = {"/a": (304, {}, b"")}
    assert served.all(position) == ([], None)
    served.answers = {"/a": (204, {}, b"")}
    assert served.all()[0] == []
    served.close()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((401, {}, b""), SourceFault, "answers 401"),
        ((500, {}, b""), SourceAway, "answers 500"),
        ((429, {"Retry-After": "17"}, b""), SourceAway, "answers 429"),
        ((200, {}, b"<html>"), SourceFault, "must be JSON"),
        ((200, {}, b'{"z": NaN}'), SourceFault, "must be JSON"),
        ((200, {}, b" " * 10_001), SourceFault, "larger than 10000"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * 10**6)), SourceFault, "larger than 10000"),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), SourceFault, ""),
    ],
)
def test_an_answer_that_will_not_do(answer: Any, error: type[Exception], words: str) -> None:
    served = Served()
    served.answers = {"/a": answer}
    with pytest.raises(error, match=words) as caught:
        served.all()
    if isinstance(caught.value, SourceAway):
        assert caught.value.retry_after_s == (17.0 if answer[0] == 429 else None)
    served.close()


@given(st.integers(1, 1000), st.floats(0, 1))
def test_the_pause_grows_to_its_limit_and_keeps_what_the_source_asks(failures: int, jitter: float) -> None:
    pause = pause_after(failures, jitter)
    whole = min(300.0, 2.0 ** min(failures - 1, 20))
    assert whole / 2 <= pause <= whole
    assert pause_after(failures, jitter, 600.0) == 600.0 and pause_after(failures, jitter, 1e9) == 3600.0


# -- files ----------------------------------------------------------------------------------------------------


def folder(tmp_path: Path, **config: Any) -> tuple[FolderSource, Clock, Path]:
    clock = Clock()
    where = tmp_path / "in"
    where.mkdir(exist_ok=True)
    return FolderSource(FolderConfig(folder="in", stable_s=10, **config), tmp_path, clock), clock, where


def rows_of(batch: Batch) -> list[Any]:
    return [
        {k: v for k, v in r.body.items() if k[0] != "_"} if isinstance(r, RawRecord) else r.rule
        for r in batch.records
    ]


def test_a_file_is_taken_when_it_is_complete(tmp_path: Path) -> None:
    source, clock, where = folder(tmp_path)
    (where / "a.csv").write_text("d,z\nA,1\n")
    (where / "b.csv.part").write_text("d,z\nA,1\n")
    (where / ".c.csv").write_text("d,z\nA,1\n")
    (where / "d.csv").symlink_to(where / "a.csv")
    assert source.read({}, 0).records == ()
    clock.pass_(9)
    (where / "a.csv").write_text("d,z\nA,1\nB,2\n")  # still growing
    assert source.read({}, 0).records == ()
    clock.pass_(9)
    assert source.read({}, 0).records == ()
    clock.pass_(1)
    batch = source.read({}, 0)
    assert rows_of(batch) == [{"d": "A", "z": "1"}, {"d": "B", "z": "2"}]
    assert (where / "a.csv").exists(), "until the bus and the store have it"
    source.done(batch)
    assert (where / "done" / "a.csv").exists() and not (where / "a.csv").exists()
    clock.pass_(60)
    assert source.read(batch.position or {}, 0).records == ()
    assert sorted(p.name for p in where.iterdir()) == [".c.csv", "b.csv.part", "d.csv", "done"]


def test_the_same_file_again_gives_the_same_identities(tmp_path: Path) -> None:
    seen = []
    for text in ("d,z\nA,1\n", "d,z\nA,1\n", "d,z\nA,2\n"):
        source, clock, where = folder(tmp_path)
        (where / "a.csv").write_text(text)
        source.read({}, 0)
        clock.pass_(10)
        batch = source.read({}, 0)
        seen.append(batch.records[0].identity)
        source.done(batch)
    assert seen[0] == seen[1] != seen[2]
    assert sorted(p.name for p in (where / "done").iterdir()) == ["a.2.csv", "a.3.csv", "a.csv"]


def test_a_file_goes_on_where_it_was_left(tmp_path: Path) -> None:
    source, clock, where = folder(tmp_path, batch=2)
    (where / "a.csv").write_text("d,z\n" + "".join(f"A,{n}\n" for n in range(5)))
    source.read({}, 0)
    clock.pass_(10)
    first = source.read({}, 0)
    assert len(first.records) == 2 and first.more
    other, clock, _ = folder(tmp_path, batch=10)
    other.read({}, 0)
    clock.pass_(10)
    rest = other.read(first.position or {}, 0)
    assert [r.body["z"] for r in rest.records if isinstance(r, RawRecord)] == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"", "first line is empty"),
        ("a.csv", b"d,d\n1,2\n", "two columns are called 'd'"),
        ("a.pdf", b"%PDF", "must end in .csv"),
        ("a.xlsx", b"no zip", "no readable XLSX file"),
        ("a.csv", "d,z\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_cannot_be_read_goes_to_failed_with_its_reason(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    source, clock, where = folder(tmp_path)
    (where / name).write_bytes(content)
    source.read({}, 0)
    clock.pass_(10)
    batch = source.read({}, 0)
    (bad,) = batch.records
    assert isinstance(bad, BadRaw) and why in bad.rule and bad.field == name
    # A crash before the move: it is not told twice.
    again, clock, _ = folder(tmp_path)
    again.read({}, 0)
    clock.pass_(10)
    assert again.read(batch.position or {}, 0).records == []
    source.done(batch)
    assert why in (where / "failed" / f"{name}.reason.txt").read_text()


def test_gbk_and_broken_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("设备,水位\n一号,1\n二号\n三号,3\n".encode("gbk"))
    found = list(read_table(path))
    assert [r.values if isinstance(r, TableRow) else r.why for r in found] == [
        {"设备": "一号", "水位": "1"}, "1 cells; the header has 2 columns", {"设备": "三号", "水位": "3"},
    ]  # fmt: skip


def test_a_small_file_that_unpacks_to_an_endless_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"x" * 20_000_000))
    with pytest.raises(RecordingError, match="in one line"):
        list(read_table(tmp_path / "a.csv.gz"))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 1000)[:-20])
    with pytest.raises(RecordingError, match="cannot be read"):
        list(read_table(tmp_path / "b.csv.gz"))


def workbook(path: Path) -> Path:
    """A title over merged cells, a station's name merged over its three rows, a time, an error, an empty row."""
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.append(["水位日报", None, None])
    page.append(["站点", "时间", "水位"])
    for n in range(3):
        page.append(["一号闸" if n == 0 else None, datetime(2026, 11, 26, 8 + n), 312 + n])
    page.append([None, None, None])
    page.append(["二号闸", datetime(2026, 11, 26, 8), "#DIV/0!"])
    page.append([8002, datetime(2026, 11, 26, 8), -0.0])
    page.merge_cells("A1:C1")
    page.merge_cells("A3:A5")
    book.save(path)
    return path


def test_merged_cells_hold_their_value_in_every_row(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx")
    found = list(read_table(path, header_row=2))
    rows = [r.values for r in found if isinstance(r, TableRow)]
    assert [(r["站点"], r["时间"], r["水位"]) for r in rows[:3]] == [
        ("一号闸", "2026-11-26T08:00:00", 312),
        ("一号闸", "2026-11-26T09:00:00", 313),
        ("一号闸", "2026-11-26T10:00:00", 314),
    ]
    assert [r for r in found if isinstance(r, BadRow)] == [BadRow(7, "a cell holds the error #DIV/0!")]
    assert rows[3]["站点"] == 8002
    with pytest.raises(RecordingError, match="no sheet '水质'"):
        list(read_table(path, sheet="水质"))
    with pytest.raises(RecordingError, match="row 6 is empty"):
        list(read_table(path, header_row=6))


def test_a_sheet_that_claims_to_be_endless_is_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page["A1"] = "d"
    page["XFD1048576"] = "far"
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(RecordingError, match="at most 5000000"):
        list(read_table(tmp_path / "a.xlsx"))


# -- configurations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "config", "secrets", "field", "rule"),
    [
        ("ftp", {}, {}, "kind", "must be one of kafka"),
        ("http", {}, {}, "config", "missing required field `url`"),
        ("http", {"url": "ftp://x/y"}, {}, "config.url", "must begin with http"),
        ("http", {"url": "http://u:p@x/y"}, {}, "config.url", "see secrets"),
        ("http", {"url": "http://x:99999/y"}, {}, "config.url", "must be an address"),
        ("http", {"url": "http://x", "period_s": 0}, {}, "config.period_s", ">= 1.0"),
        ("http", {"url": "http://x", "colour": 1}, {}, "config", "unknown field `colour`"),
        ("http", {"url": "http://x", "records": "a[["}, {}, "config.records", "must be a JMESPath"),
        ("http", {"url": "http://x", "headers": {"Authorization": "x"}}, {}, "config.headers.Authorization", "secrets"),
        ("http", {"url": "http://x", "headers": {"A": "x\r\nB: y"}}, {}, "config.headers.A", "printable"),
        ("http", {"url": "http://x"}, {"token": 5}, "secrets.token", "Expected `str`"),
        ("http", {"url": "http://x", "paging": {"by": "cursor"}}, {}, "config.paging.path", "is needed"),
        ("kafka", {"servers": "x", "topic": "t"}, {}, "config.servers", "length >= 3"),
        ("kafka", {"servers": "host", "topic": "t"}, {}, "config.servers", "must be host:port"),
        ("kafka", {"servers": "h:1", "topic": "t", "mechanism": "PLAIN"}, {}, "config.mechanism", "secrets.user"),
        ("mqtt", {"host": "h", "topics": ["a/#/b"]}, {}, "config.topics", "# for all at the end"),
        ("folder", {"folder": "../etc"}, {}, "config.folder", "relative path"),
        ("folder", {"folder": "/etc"}, {}, "config.folder", "relative path"),
        ("folder", {"folder": "a", "pattern": "../*"}, {}, "config.pattern", "without folders"),
        ("folder", {"folder": "a", "encoding": "klingon"}, {}, "config.encoding", "utf-8 or gb18030"),
        ("sql", {"host": "h", "database": "d", "table": "a.b.c", "watermark": "w", "key": "k"}, {"user": "u"},
         "config.table", "schema.table"),
        ("sql", {"host": "h", "database": "d", "table": "t", "watermark": "w", "key": "k"}, {}, "secrets.user", "needed"),
        ("replay", {"file": "a.csv", "time": "t", "zone": "Mars"}, {}, "config.zone", "time zone"),
        ("replay", {"file": "a.csv", "time": "t", "speed": 0}, {}, "config.speed", "keep_time"),
        ("webhook", {}, {"key": "short"}, "secrets.key", "at least 16"),
    ],
)  # fmt: skip
def test_a_bad_configuration_names_field_value_and_rule(
    kind: str, config: Any, secrets: Any, field: str, rule: str
) -> None:
    with pytest.raises(BadConfig) as caught:
        check_feed("f", kind, config, secrets, MAPPING)
    assert caught.value.field == field and rule in caught.value.rule, str(caught.value)


def test_a_secret_is_in_no_message() -> None:
    with pytest.raises(BadConfig) as caught:
        check_feed("f", "http", {"url": "http://x"}, {"token": ["hunter2"]}, MAPPING)
    assert "hunter2" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
)


@given(st.sampled_from(KINDS), JSON, JSON)
def test_any_configuration_is_taken_or_refused_in_words(kind: str, config: Any, secrets: Any) -> None:
    with pytest.raises(BadConfig) as caught:
        check_feed("f", kind, config, secrets, MAPPING)
    assert caught.value.rule


def test_clock_of_a_replay(tmp_path: Path) -> None:
    """A replay goes on after a restart with the times it would have had."""
    from streams.feeds.replay_file import ReplayConfig, ReplaySource

    (tmp_path / "r.csv").write_text("t,z\n" + "".join(f"2020-01-01 00:00:{n:02d},{n}\n" for n in range(6)))
    clock = Clock(datetime(2026, 11, 26, tzinfo=UTC))
    config = ReplayConfig(file="r.csv", time="t", speed=2.0)
    source = ReplaySource(config, tmp_path, clock)
    first = source.read({}, 0)
    assert len(first.records) == 1
    clock.pass_(1)
    other = ReplaySource(config, tmp_path, clock)
    second = other.read(first.position or {}, 0)
    times = [r.time for r in [*first.records, *second.records] if isinstance(r, RawRecord)]
    began = datetime(2026, 11, 26, tzinfo=UTC)
    assert times == [began, began + timedelta(seconds=0.5), began + timedelta(seconds=1)]
    clock.pass_(60)
    end = other.read(second.position or {}, 0)
    assert len(end.records) == 3 and end.position is not None and end.position["ended"]
    assert other.read(end.position, 0).records == ()
    again = ReplaySource(ReplayConfig(file="r.csv", time="t", speed=0, repeat=True), tmp_path, clock)
    assert len(again.read(end.position, 0).records) == 6
