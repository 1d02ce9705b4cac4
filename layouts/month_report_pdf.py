"""The month report as a PDF: A4 across, Chinese text in the shipped font (Noto Sans SC, OFL), embedded as what it uses of it."""

from __future__ import annotations

import io
from html import escape
from pathlib import Path
from typing import Any, Final

from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import CondPageBreak, LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

from layouts.month_report import Cell, Column, MonthReport, Section

FONT: Final = "NotoSansSC"
FONT_FILE: Final = Path(__file__).parent / "fonts" / "noto-sans-sc-400.ttf"
MARGIN: Final = 14 * mm
INK, FAINT, LINE = colors.HexColor("#16181d"), colors.HexColor("#5b6472"), colors.HexColor("#c9d0d9")
GROUND: Final = colors.HexColor("#eef1f5")


def _font() -> str:
    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(FONT, str(FONT_FILE)))
    return FONT


def _style(size: float, colour: Any = INK, **more: Any) -> ParagraphStyle:
    # CJK: lines break between any two Chinese characters.
    return ParagraphStyle(
        f"s{size}{colour.hexval()}{sorted(more.items())}", fontName=_font(), fontSize=size, leading=size * 1.4, textColor=colour,
        wordWrap="CJK", **more,
    )  # fmt: skip


def words(column: Column, value: Cell) -> str:
    """A cell as it is read; – where there is no data."""
    if value is None:
        return "–"
    match column.kind:
        case "percent":
            return f"{float(value) * 100:.1f}%"
        case "change":
            return "0.0" if abs(float(value)) < 0.05 else f"{float(value):+.1f}"
        case "points":
            return f"{float(value):.1f}"
        case "count":
            return f"{int(value):,}"
    return str(value)


def pdf(report: MonthReport) -> bytes:
    """The file."""
    out = io.BytesIO()
    page = landscape(A4)
    document = SimpleDocTemplate(
        out, pagesize=page, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN,
        title=report.title, author="Chengyun",
    )  # fmt: skip
    story: list[Any] = [Paragraph(escape(report.title), _style(18)), Spacer(1, 3 * mm)]
    story += [Paragraph(escape(fact), _style(9, FAINT)) for fact in report.facts]
    for section in report.sections:
        story += _section(section, page[0] - 2 * MARGIN - 12)  # 12: what the frame of a page keeps free

    def foot(canvas: Any, document: Any) -> None:
        canvas.setFont(_font(), 8)
        canvas.setFillColor(FAINT)
        canvas.drawString(MARGIN, 8 * mm, report.title)
        canvas.drawRightString(page[0] - MARGIN, 8 * mm, str(document.page))

    document.build(story, onFirstPage=foot, onLaterPages=foot)
    return out.getvalue()


def _section(section: Section, width: float) -> list[Any]:
    whole = sum(column.width for column in section.columns)
    text, number = _style(8.5), _style(8.5, alignment=TA_RIGHT)
    head_text, head_number = _style(8, FAINT), _style(8, FAINT, alignment=TA_RIGHT)
    heads = [
        Paragraph(escape(column.head), head_text if column.kind == "text" else head_number)
        for column in section.columns
    ]
    rows = [
        [
            Paragraph(escape(words(column, value)), text if column.kind == "text" else number)
            for column, value in zip(section.columns, cells, strict=True)
        ]
        for cells in section.rows
    ]
    table = LongTable(
        [heads, *rows], colWidths=[width * column.width / whole for column in section.columns], repeatRows=1
    )
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, 0), GROUND),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    title = Paragraph(escape(section.title), _style(12, spaceBefore=14, spaceAfter=4))
    return [
        CondPageBreak(45 * mm),
        title,
        table,
        *([Paragraph(escape(section.note), _style(8, FAINT, spaceBefore=3))] if section.note else []),
    ]
