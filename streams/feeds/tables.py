"""Tables in files: CSV (UTF-8 or GB18030, `streams/feed/recording.py`) and XLSX, row by row as {column: value}.

Used by the drop folder and the file replay. A row that cannot be read is a BadRow, never skipped.
"""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import openpyxl

from streams.feed.recording import BadRow, RecordingError, detect, rows, unpacked

MOST_BYTES: Final = 256 * 1024 * 1024
"""Of a CSV file, unpacked; it is read line by line."""
MOST_LINE_BYTES: Final = 2 * 1024 * 1024
MOST_XLSX_BYTES: Final = 64 * 1024 * 1024
"""Of an XLSX file unpacked; it is held in memory."""
MOST_CELLS: Final = 5_000_000
"""Of a sheet, filled or not: a file may claim a million rows in a hundred bytes."""
_BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, LookupError, ValueError, TypeError, AttributeError, ArithmeticError,
    EOFError, OSError, SyntaxError, RuntimeError, NotImplementedError, AssertionError,
)  # fmt: skip
"""What openpyxl lets through when a file is not what it seems."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row: its number in the file (the header is row 1) and its values by column name."""

    number: int
    values: dict[str, Any]


def read_table(
    path: Path, encoding: str = "", sheet: str = "", header_row: int = 1
) -> Iterator[TableRow | BadRow]:
    """The rows of `path`, by its suffix. Raises RecordingError when the file as a whole cannot be read."""
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return _xlsx(path, sheet, header_row)
    return _csv(path, encoding)


def _names(path: Path, header: list[str]) -> list[str]:
    names = [name.strip() or f"column{n}" for n, name in enumerate(header, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RecordingError(
            f"{path.name}: two columns are called {twice[0]!r}; every column needs its own name"
        )
    return names


def _csv(path: Path, encoding: str) -> Iterator[TableRow | BadRow]:
    _measure(path)
    form = detect(path, encoding)
    names = _names(path, list(form.header))
    for row in rows(path, form):
        if isinstance(row, BadRow):
            yield row
        else:
            yield TableRow(row.line, dict(zip(names, row.cells, strict=True)))


def _measure(path: Path) -> None:
    """Refuse a file that is endless, or whose line is (of a packed one, unpacked): a line is held in memory."""
    size = line = 0
    try:
        with unpacked(path) as file:
            while chunk := file.read(1 << 20):
                size += len(chunk)
                first, last = chunk.find(b"\n"), chunk.rfind(b"\n")
                line += len(chunk) if first < 0 else first
                if size > MOST_BYTES or line > MOST_LINE_BYTES:
                    raise RecordingError(
                        f"{path.name}: {size} bytes so far, {line} in one line; at most {MOST_BYTES} and {MOST_LINE_BYTES}"
                    )
                if last >= 0:
                    line = len(chunk) - 1 - last
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"{path.name}: cannot be read: {error}") from None


def _xlsx(path: Path, sheet: str, header_row: int) -> Iterator[TableRow | BadRow]:
    grid = _grid(path, sheet)
    if len(grid) < header_row or not any(cell is not None for cell in grid[header_row - 1]):
        raise RecordingError(f"{path.name}: row {header_row} is empty; a header with column names is needed")
    header = [_plain(cell) for cell in grid[header_row - 1]]
    width = max(n for n, cell in enumerate(header, 1) if cell is not None)
    names = _names(path, [str("" if cell is None else cell) for cell in header[:width]])
    for number, cells in enumerate(grid[header_row:], header_row + 1):
        values = [_plain(cell) for cell in cells[:width]]
        if all(value is None for value in values):
            continue
        wrong = next((v for v in values if isinstance(v, str) and v.startswith("#") and v in _ERRORS), None)
        if wrong is not None:
            yield BadRow(number, f"a cell holds the error {wrong}")
        else:
            yield TableRow(number, dict(zip(names, values, strict=True)))


_ERRORS: Final = ("#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#N/A")


def _grid(path: Path, sheet: str) -> list[list[Any]]:
    """All cells; a merged range has its value in every cell, as the eye sees it."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
        if unpacked > MOST_XLSX_BYTES:
            raise RecordingError(f"{path.name}: {unpacked} bytes unpacked; at most {MOST_XLSX_BYTES}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that we do not look at
            book = openpyxl.load_workbook(path, data_only=True)
        if sheet and sheet not in book.sheetnames:
            raise RecordingError(
                f"{path.name}: no sheet {sheet!r}; the file has {', '.join(book.sheetnames)}"
            )
        page = book[sheet] if sheet else book.worksheets[0]
        if page.max_row * page.max_column > MOST_CELLS:
            size = f"{page.max_row} × {page.max_column}"
            raise RecordingError(f"{path.name}: {size} cells; at most {MOST_CELLS}")
        grid = [list(row) for row in page.iter_rows(values_only=True)]
        for merged in page.merged_cells.ranges:
            value = page.cell(merged.min_row, merged.min_col).value
            for row in grid[merged.min_row - 1 : merged.max_row]:
                last = min(merged.max_col, len(row))
                row[merged.min_col - 1 : last] = [value] * max(0, last - merged.min_col + 1)
        return grid
    except RecordingError:
        raise
    except _BROKEN as error:
        raise RecordingError(
            f"{path.name}: is no readable XLSX file: {type(error).__name__}: {error}"
        ) from None


def _plain(cell: Any) -> Any:
    """A cell as JSON has it: times as ISO text (a spreadsheet's times have no zone: the mapping gives one)."""
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if cell is None or isinstance(cell, str | int | float | bool):
        return cell
    return str(cell)
