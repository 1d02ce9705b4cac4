"""Reading a recording: a CSV file, perhaps gzipped, in UTF-8 (with or without BOM) or GB18030.

Rows keep the number of the line they begin on; a row that cannot be read is yielded as BadRow, never skipped.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import BinaryIO, cast

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "--", "\\n"})
"""Cells (lower case) that say: no value here."""

_CHUNK = 1 << 20
_TIME = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]+(\d{1,2})[:时](\d{1,2})分?(?::?(\d{1,2})秒?(\.\d{1,6})?)?)?"
)
_EPOCH = re.compile(r"\d{10}(?:\d{3})?")


class RecordingError(ValueError):
    """The file as a whole cannot be replayed; the text names the file, what was found and what is asked."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line (from 1) on which it begins, and its cells by column index."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: the line on which it begins, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Format:
    """How a recording is written, found by `detect`."""

    encoding: str
    errors: str
    delimiter: str
    header: tuple[str, ...]


def unpacked(path: Path) -> BinaryIO:
    """The file's bytes, unpacked when it is gzipped."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if zipped else path.open("rb")


_BEYOND_ASCII = bytes(range(128, 256))


def _escaped(text: str) -> int:
    return 0 if text.isascii() else sum(1 for c in text if "\udc80" <= c <= "\udcff")


def _wrong(path: Path, encoding: str) -> tuple[int, int]:
    """(bytes that `encoding` cannot decode, bytes beyond ASCII) of the whole file."""
    wrong = beyond = 0
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    with unpacked(path) as file:
        while chunk := file.read(_CHUNK):
            beyond += len(chunk) - len(chunk.translate(None, _BEYOND_ASCII))
            wrong += _escaped(decoder.decode(chunk))
    return wrong + _escaped(decoder.decode(b"", True)), beyond


def _decoded(cells: list[str]) -> bool:
    text = "".join(cells)
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def detect_encoding(path: Path) -> str:
    """'utf-8-sig', 'utf-8' or 'gb18030': the one that decodes the file, else the one with fewer wrong bytes.

    UTF-8 text is hardly ever valid by accident, so a file in which only a twentieth of the bytes beyond ASCII
    is wrong counts as damaged UTF-8. Raises RecordingError for UTF-16.
    """
    with unpacked(path) as file:
        head = file.read(4)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise RecordingError(f"{path.name}: UTF-16 found; save it as UTF-8 (or pass --encoding utf-16)")
    bom = head[:3] == codecs.BOM_UTF8
    wrong, beyond = _wrong(path, "utf-8")
    if wrong * 20 <= beyond:
        return "utf-8-sig" if bom else "utf-8"
    return "gb18030" if _wrong(path, "gb18030")[0] < wrong else "utf-8"


def detect(path: Path, encoding: str = "") -> Format:
    """Find encoding, delimiter and header of `path`.

    Raises RecordingError when the file is absent, empty, not readable, or has no header of two columns.
    """
    try:
        encoding = encoding or detect_encoding(path)
        with unpacked(path) as file:
            text = io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="")
            first = text.readline(65536)
    except (OSError, EOFError, LookupError, zlib.error) as error:
        raise RecordingError(f"{path}: cannot be read: {error}") from None
    if not first.strip():
        raise RecordingError(f"{path.name}: the first line is empty; a header with column names is needed")
    delimiter = max(",;\t|", key=first.count)
    header = tuple(name.strip() for name in next(csv.reader([first], delimiter=delimiter)))
    if len(header) < 2:
        raise RecordingError(f"{path.name}: one column {header!r} found; a CSV with a header is needed")
    return Format(encoding, "surrogateescape", delimiter, header)


def rows(path: Path, form: Format) -> Iterator[Row | BadRow]:
    """The rows after the header, in file order. Blank lines are no rows."""
    width = len(form.header)
    with unpacked(path) as file:
        text = io.TextIOWrapper(file, form.encoding, errors=form.errors, newline="")
        reader = csv.reader(text, delimiter=form.delimiter)
        line = 1
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield BadRow(line, f"not CSV: {error}")
                line = reader.line_num + 1
                continue
            except (EOFError, OSError, zlib.error) as error:
                yield BadRow(line, f"the file ends early: {error}")
                return
            if cells is None:
                return
            begins, line = line, reader.line_num + 1
            if begins == 1 or not cells:
                continue
            if len(cells) != width:
                yield BadRow(begins, f"{len(cells)} cells; the header has {width} columns")
            elif not _decoded(cells):
                yield BadRow(begins, f"bytes that are not {form.encoding}")
            else:
                yield Row(begins, cells)


def parse_time(text: str, zone: tzinfo) -> datetime:
    """A time as recordings write it, as aware UTC; `zone` is used when the text names none.

    Takes ISO 8601, "2019/2/28 11:25:05", "2019年2月28日 11时25分", epoch seconds and milliseconds.
    Raises ValueError naming the text.
    """
    text = text.strip()
    try:
        if _EPOCH.fullmatch(text):
            return datetime.fromtimestamp(int(text[:10]) + int(text[10:] or 0) / 1000, UTC)
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            match = _TIME.fullmatch(text)
            if match is None:
                raise
            year, month, day, hour, minute, second = (int(x or 0) for x in match.groups()[:6])
            micro = round(float(match[7] or 0) * 1_000_000)
            found = datetime(year, month, day, hour, minute, second, micro, tzinfo=zone)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time") from None
