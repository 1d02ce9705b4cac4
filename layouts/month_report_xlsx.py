"""The month report as a spreadsheet: a sheet of the rates, one of each ranking; numbers are numbers."""

from __future__ import annotations

import io
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from layouts.month_report import Cell, Column, MonthReport, Section

FORMATS: Final = {"percent": "0.0%", "change": "+0.0;-0.0;0.0", "points": "0.0", "count": "#,##0"}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_HEAD: Final = PatternFill("solid", fgColor="E8ECF1")


def neutral(value: Cell) -> Cell:
    """Text that no spreadsheet takes for a formula, without characters that XML cannot hold; numbers as they are."""
    if not isinstance(value, str):
        return value
    clean = str(ILLEGAL_CHARACTERS_RE.sub("", value))
    return "'" + clean if clean.startswith(_FORMULA) else clean


def xlsx(report: MonthReport) -> bytes:
    """The file."""
    book = Workbook()
    sheet: Any = book.active
    for section in report.sections:
        sheet = sheet if section is report.sections[0] else book.create_sheet()
        sheet.title = section.title[:31]
        row = _facts(sheet, report) if section is report.sections[0] else 1
        _table(sheet, section, row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _facts(sheet: Worksheet, report: MonthReport) -> int:
    """Title and facts; the row below them."""
    sheet.cell(1, 1, str(neutral(report.title))).font = Font(bold=True, size=16)
    for row, fact in enumerate(report.facts, 2):
        sheet.cell(row, 1, str(neutral(fact)))
    return len(report.facts) + 3


def _table(sheet: Worksheet, section: Section, first: int) -> None:
    for place, column in enumerate(section.columns, 1):
        head = sheet.cell(first, place, str(neutral(column.head)))
        head.font, head.fill = Font(bold=True), _HEAD
        head.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.column_dimensions[get_column_letter(place)].width = max(9.0, column.width * 1.4)
    for row, cells in enumerate(section.rows, first + 1):
        for place, (column, value) in enumerate(zip(section.columns, cells, strict=True), 1):
            _cell(sheet, row, place, column, value)
    sheet.freeze_panes = f"A{first + 1}"
    if section.note:
        sheet.cell(first + len(section.rows) + 2, 1, str(neutral(section.note)))


def _cell(sheet: Worksheet, row: int, place: int, column: Column, value: Cell) -> None:
    written = sheet.cell(row, place)
    written.value = neutral(value)
    if column.kind in FORMATS:
        written.number_format = FORMATS[column.kind]
    else:
        written.alignment = Alignment(wrap_text=True, vertical="top")
