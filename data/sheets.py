"""A table (of devices, of cameras) out of a file that somebody made: CSV (UTF-8, UTF-8 with BOM, GBK) or XLSX.

What comes out is text, row by row; what it means is decided elsewhere. Rules of reading:

 encoding   UTF-8 if all of it is valid UTF-8 (a BOM is dropped), else GB 18030, which holds GBK
 formulas   are text: what a cell shows was computed by somebody else's machine
 titles     what stands above the header (a merged title, who made it and when) is no row
 merged     cells merged within one column fill every row of the merge with their value; merged across columns they
            are a fault, and so is a merge in the header
 size       at most MAX_BYTES as sent, MAX_UNPACKED unpacked, MAX_ROWS rows, MAX_COLUMNS columns
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from incidents.device_registry import Fault
from incidents.model import Rejected

MAX_BYTES: Final = 8_000_000
MAX_UNPACKED: Final = 80_000_000
"""All parts of an XLSX together: a hundredfold packed part is a bomb, not a registry."""
MAX_ROWS: Final = 50_000
MAX_COLUMNS: Final = 60
MAX_CELL: Final = 2_000
TITLES: Final = 10

XLSX_MAGIC: Final = b"PK\x03\x04"
OLD_EXCEL_MAGIC: Final = b"\xd0\xcf\x11\xe0"


class BadFile(ValueError):
    """The file as a whole cannot be read; the text says which rule it breaks, in English and Chinese."""

    def __init__(self, text: str, text_zh: str) -> None:
        super().__init__(text)
        self.text_zh = text_zh


@dataclass(frozen=True, slots=True)
class Sheet:
    """A header and rows with the numbers that a person sees in front of them; faults of the layout by row number."""

    header: tuple[str, ...]
    rows: Sequence[tuple[int, tuple[str, ...]]]
    faults: Sequence[tuple[int, Fault]] = ()
    header_row: int = 1


IsHeader = Callable[[Sequence[str]], bool]


def read_sheet(content: bytes, is_header: IsHeader) -> Sheet:
    """The table in a file; what kind of file it is says its content, not its name. Raises BadFile.

    The header is the first of the first TITLES rows that looks like one, else the first row.
    """
    if len(content) > MAX_BYTES:
        raise BadFile(
            f"the file has {len(content)} bytes, at most {MAX_BYTES} are taken",
            f"文件有 {len(content)} 字节，最多 {MAX_BYTES} 字节",
        )
    if content.startswith(OLD_EXCEL_MAGIC):
        raise BadFile(
            "an old Excel file (.xls): save it as .xlsx or CSV",
            "旧版 Excel 文件（.xls）：请另存为 .xlsx 或 CSV",
        )
    lines = _of_xlsx(content) if content.startswith(XLSX_MAGIC) else _of_csv(content)
    return _sheet(*lines, is_header)


def content_of(encoded: str) -> bytes:
    """A file that came as base64. Raises Rejected."""
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("field", "content: must be base64", field="content") from None
    if not content:
        raise Rejected("field", "content: must be a file, is empty", field="content")
    return content


def refused_file(filename: str, bad: BadFile) -> Rejected:
    """The refusal of a file as a whole, in both languages."""
    text = f"content={filename!r}: {bad}"
    return Rejected("field", text, field="content", text_zh=bad.text_zh, text=str(bad))


Lines = Iterator[tuple[int, Sequence[str]]]


def _sheet(lines: Lines, merges: Sequence[str], is_header: IsHeader) -> Sheet:
    filled = _filled(lines)
    titles: list[tuple[int, tuple[str, ...]]] = []
    for number, cells in filled:
        titles.append((number, cells))
        if is_header(cells) or len(titles) == TITLES:
            break
    if not titles:
        raise BadFile("the file holds no table", "文件中没有表格")
    begin = len(titles) - 1 if is_header(titles[-1][1]) else 0
    (header_row, header), *rows = titles[begin:]
    for row in filled:
        rows.append(row)
        if len(rows) > MAX_ROWS:
            raise BadFile(f"more than {MAX_ROWS} rows", f"超过 {MAX_ROWS} 行")
    return _unmerged(Sheet(header, rows, header_row=header_row), merges)


def _filled(lines: Lines) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Rows that hold something, within the limits."""
    for number, cells in lines:
        if any(len(cell) > MAX_CELL for cell in cells):
            zh = f"第 {number} 行：单元格超过 {MAX_CELL} 字"
            raise BadFile(f"row {number}: a cell has more than {MAX_CELL} characters", zh)
        if any(cell.strip() for cell in cells[MAX_COLUMNS:]):
            raise BadFile(
                f"row {number}: more than {MAX_COLUMNS} columns", f"第 {number} 行：超过 {MAX_COLUMNS} 列"
            )
        if any(cell.strip() for cell in cells):
            yield number, tuple(cells[:MAX_COLUMNS])


# -- CSV -----------------------------------------------------------------------------------------------------


def decoded(content: bytes) -> str:
    """The text of a CSV file. Raises BadFile."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadFile("the text is neither UTF-8 nor GBK", "文本既不是 UTF-8 也不是 GBK 编码")


def _of_csv(content: bytes) -> tuple[Lines, Sequence[str]]:
    text = decoded(content)
    if "\x00" in text:
        raise BadFile("the text holds the character NUL: no CSV file", "文本含空字符 NUL：不是 CSV 文件")
    head = text[:4096].split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)

    def lines() -> Lines:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        begun = 1
        try:
            for cells in reader:
                yield begun, cells
                begun = reader.line_num + 1
        except csv.Error as error:
            raise BadFile(f"line {reader.line_num}: {error}", f"第 {reader.line_num} 行：{error}") from None

    return lines(), ()


# -- XLSX ----------------------------------------------------------------------------------------------------


def _of_xlsx(content: bytes) -> tuple[Lines, Sequence[str]]:
    """The first sheet. Read row by row, so that neither empty rows nor a merge of a million cells cost memory."""
    _check_parts(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        sheet: Any = book.worksheets[0]
        merges = _merges(content, sheet._worksheet_path)
    except _BROKEN as error:
        raise BadFile(f"no readable XLSX file: {error}", f"不是可读的 XLSX 文件：{error}") from None

    def lines() -> Lines:
        sheet.reset_dimensions()  # what the file says of its own size is somebody's word
        try:
            for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                if number > MAX_ROWS + 1_000:
                    raise BadFile(f"more than {MAX_ROWS} rows", f"超过 {MAX_ROWS} 行")
                yield number, [_text(cell) for cell in cells]
        except _BROKEN as error:
            raise BadFile(f"no readable XLSX file: {error}", f"不是可读的 XLSX 文件：{error}") from None
        finally:
            book.close()

    return lines(), merges


_BROKEN: Final = (
    zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, IndexError, AttributeError, TypeError, ValueError,
    EOFError, OSError, ArithmeticError, AssertionError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip
"""What openpyxl and zipfile raise over a file that is damaged or no workbook."""


def _check_parts(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except _BROKEN as error:
        raise BadFile(f"no readable XLSX file: {error}", f"不是可读的 XLSX 文件：{error}") from None
    # zipfile never unpacks more of a part than its entry says, so what is said here holds.
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MAX_UNPACKED or len(parts) > 1_000:
        raise BadFile(
            f"unpacked the file has {unpacked} bytes in {len(parts)} parts, at most {MAX_UNPACKED} in 1000 are taken",
            f"解压后有 {unpacked} 字节、{len(parts)} 个部分，最多 {MAX_UNPACKED} 字节、1000 个部分",
        )


_MERGE: Final = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*[\"']([A-Za-z0-9:]{2,30})[\"']")
_MOST_MERGES: Final = 100_000


def _merges(content: bytes, path: str) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = _MERGE.findall(archive.read(path))
    return [ref.decode() for ref in found[:_MOST_MERGES]]


def _text(value: object) -> str:
    """A cell as a person reads it: whole numbers without ".0", days without a time."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time.min else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


_RANGE: Final = re.compile(r"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})")


def _unmerged(sheet: Sheet, merges: Sequence[str]) -> Sheet:
    """Rows with merges within one column filled in; merges across columns and in the header are faults."""
    rows = {number: list(cells) for number, cells in sheet.rows}
    faults: list[tuple[int, Fault]] = []
    numbers = sorted(rows)
    for merge in merges:
        match = _RANGE.fullmatch(merge.upper())
        if match is None:
            continue
        left, right = _column(match[1]), _column(match[3])
        top, bottom = int(match[2]), int(match[4])
        if bottom < sheet.header_row:
            continue  # a title above the table
        if left != right or top <= sheet.header_row:
            faults.append((top, Fault(_letter(sheet.header, left), "", "merged", merge)))
            continue
        value = _cell(rows.get(top, []), left)
        for number in (n for n in numbers if top < n <= bottom):
            cells = rows[number]
            cells += [""] * (left + 1 - len(cells))
            cells[left] = value
    return replace(sheet, rows=[(n, tuple(rows[n])) for n in numbers], faults=faults)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _letter(header: Sequence[str], column: int) -> str:
    return header[column].strip() if column < len(header) else ""


def _cell(cells: Sequence[str], column: int) -> str:
    return cells[column] if column < len(cells) else ""
