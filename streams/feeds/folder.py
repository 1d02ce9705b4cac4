"""Feeds that are files put into a folder: taken when complete, read row by row, moved to `done/` or `failed/`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec

from streams.feed.recording import BadRow, RecordingError
from streams.feeds.port import BadConfig, BadRaw, Batch, Position, RawRecord, SourceAway, SourceFault
from streams.feeds.tables import TableRow, read_table


class FolderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Configuration of the kind `folder`. `folder` lies below CHENGYUN_DROP_DIR."""

    folder: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    pattern: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] = "*"
    period_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 10.0
    stable_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 10.0
    encoding: Annotated[str, msgspec.Meta(max_length=40)] = ""
    sheet: Annotated[str, msgspec.Meta(max_length=100)] = ""
    header_row: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    batch: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 500


class NoSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """This kind has none."""


SUFFIXES: Final = (".csv", ".txt", ".gz", ".xlsx", ".xlsm")
UNFINISHED: Final = (".part", ".tmp", ".filepart", ".crdownload", ".swp")
"""Names under which programs write what is not complete yet; hidden files and "~$…" too."""


def check_relative(field: str, text: str) -> None:
    """A path below the drop folder, spelt plainly. Raises BadConfig."""
    parts = text.split("/")
    if (
        text.startswith(("/", "~"))
        or "\\" in text
        or "\x00" in text
        or any(p in ("", ".", "..") for p in parts)
    ):
        raise BadConfig(field, text, "must be a relative path such as weather/stations")


def check_encoding(text: str) -> None:
    """A known encoding, or '' (found by itself). Raises BadConfig."""
    try:
        if text:
            "".encode(text)
    except (LookupError, UnicodeError, ValueError):
        raise BadConfig("config.encoding", text, "must be an encoding such as utf-8 or gb18030") from None


def check(config: FolderConfig, secrets: NoSecrets) -> None:
    """What a shape cannot say. Raises BadConfig."""
    check_relative("config.folder", config.folder)
    check_encoding(config.encoding)
    if "/" in config.pattern or re.search(r"\.\.", config.pattern):
        raise BadConfig("config.pattern", config.pattern, "must be a name with * and ?, without folders")


@dataclass(slots=True)
class _Seen:
    """A file as it was when we last looked, and since when it has looked like that."""

    size: int
    changed: int
    since: datetime


@dataclass(slots=True)
class _Open:
    """The file that is being read."""

    path: Path
    sha256: str
    rows: Iterator[TableRow | BadRow]
    next_row: int


class FolderSource:
    """See port.Source. Position: `file`, `sha256` and `row` (the last row on the bus) of the file under way.

    A file is taken once its size and time have not changed for `stable_s`; files in order of their names. The same
    file again (same name, same content) gives the same message ids: duplicates. Another content: new records.
    """

    def __init__(self, config: FolderConfig, root: Path, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._folder = root / config.folder
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._open: _Open | None = None

    def read(self, position: Position, wait_s: float) -> Batch:
        """See port.Source."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._open is None:
                path = self._complete()
                if path is None:
                    return Batch()
                self._take(path, position)
            assert self._open is not None
            return self._rows(self._open)
        except RecordingError as error:
            return self._fail(str(error), position)
        except OSError as error:
            self._open = None
            raise SourceAway(f"{self._config.folder}: {error.strerror or error}") from None

    def _complete(self) -> Path | None:
        """The first file that is complete."""
        now = self._clock()
        seen, self._seen = self._seen, {}
        chosen = None
        for path in sorted(self._folder.glob(self._config.pattern)):
            name = path.name
            if name.startswith((".", "~$")) or path.suffix.lower() in UNFINISHED:
                continue
            if path.is_symlink() or not path.is_file():  # a link may point anywhere on this machine
                continue
            found = path.stat()
            before = seen.get(name)
            if before is None or (before.size, before.changed) != (found.st_size, found.st_mtime_ns):
                before = _Seen(found.st_size, found.st_mtime_ns, now)
            self._seen[name] = before
            if chosen is None and (now - before.since).total_seconds() >= self._config.stable_s:
                chosen = path
        return chosen

    def _take(self, path: Path, position: Position) -> None:
        digest = _digest(path)
        done = (
            int(position.get("row", 0))
            if (position.get("file"), position.get("sha256")) == (path.name, digest)
            else 0
        )
        self._open = _Open(path, digest, iter(()), done + 1)
        if path.suffix.lower() not in SUFFIXES:
            raise RecordingError(f"{path.name}: must end in {', '.join(SUFFIXES)}")
        self._open.rows = read_table(path, self._config.encoding, self._config.sheet, self._config.header_row)

    def _rows(self, file: _Open) -> Batch:
        records: list[RawRecord | BadRaw] = []
        last = file.next_row - 1
        ended = True
        for row in file.rows:
            number = row.line if isinstance(row, BadRow) else row.number
            if number < file.next_row:
                continue  # on the bus already
            records.append(self._record(file, row, number))
            last = number
            if len(records) >= self._config.batch:
                ended = False
                break
        file.next_row = last + 1
        position = {"file": file.path.name, "sha256": file.sha256, "row": last}
        return Batch(records, position, True, tag=(file.path, "done", "") if ended else None)

    def _record(self, file: _Open, row: TableRow | BadRow, number: int) -> RawRecord | BadRaw:
        identity = f"{_short(file.path.name)}:{number}:{file.sha256[:12]}"
        if isinstance(row, BadRow):
            return BadRaw(identity, row.why.encode(), f"{file.path.name} row {number}", "", row.why)
        return RawRecord(identity, {**row.values, "_file": file.path.name, "_row": number})

    def _fail(self, why: str, position: Position) -> Batch:
        """A file that cannot be read as a whole: one bad record, and the file goes to `failed/`."""
        file, self._open = self._open, None
        assert file is not None
        place = {"file": file.path.name, "sha256": file.sha256, "row": 0, "failed": True}
        identity = f"{_short(file.path.name)}:{file.sha256[:12]}"
        bad = BadRaw(identity, why.encode(), file.path.name, file.sha256, why)
        told = dict(position) == place  # before a crash that came before the move
        return Batch([] if told else [bad], place, True, tag=(file.path, "failed", why))

    def done(self, batch: Batch) -> None:
        """Move a file that is at its end. Raises SourceFault when it cannot be moved: it would come again for ever."""
        if batch.tag is None:
            return
        path, where, why = batch.tag
        self._open = None
        self._seen.pop(path.name, None)
        try:
            target = _free(path.parent / where / path.name)
            target.parent.mkdir(exist_ok=True)
            if path.exists():
                path.rename(target)
            if why:
                target.with_name(target.name + ".reason.txt").write_text(why + "\n", encoding="utf-8")
        except OSError as error:
            raise SourceFault(
                f"{path.name}: cannot be moved to {where}/: {error.strerror or error}"
            ) from None

    def close(self) -> None:
        """See port.Source."""
        self._open = None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _short(name: str) -> str:
    return name if len(name) <= 120 else hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()


def _free(path: Path) -> Path:
    """A name that is not taken: `stations.csv`, `stations.2.csv`, …"""
    number = 2
    found = path
    while found.exists():
        found = path.with_name(f"{path.stem}.{number}{path.suffix}")
        number += 1
    return found
