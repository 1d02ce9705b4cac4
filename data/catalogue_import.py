"""A city's rule sheet as its event-class catalogue (S12): read, previewed, kept whole. What a person does
to it then is in `data/catalogue_editing.py`; incidents that are filed keep the version they were filed under.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from data.database import Cursor, many
from data.sheets import BadFile, content_of, read_sheet, refused_file
from incidents.catalogue import NEEDED, Catalogue, Standard, columns_of, read_catalogue
from incidents.catalogue_commands import ImportCatalogue
from incidents.limits import Limit, Odd
from incidents.model import Actor, ClockKind, Rejected
from incidents.storeports import FilingStandard

SHOWN: Final = 500
_INSERT: Final = (
    "INSERT INTO standards (catalogue, code, row, kind, big_class, small_class, class_code, condition, units, departments,"
    " limit_text, limit_min, clock_kind, assumed, odd, closing, evidence) VALUES %s"
)


def minutes_of(limit: Limit) -> int:
    """A limit as classes keep it: see `limits.limit_of`."""
    hour = limit.kind in (ClockKind.URGENT_HOUR, ClockKind.WORK_HOUR)
    return max(1, int(limit.amount * (60 if hour else 1440)))


def _profile(command: ImportCatalogue) -> Mapping[str, ClockKind]:
    kinds = {}
    for field, value in (("bare_day", command.bare_day), ("bare_hour", command.bare_hour)):
        try:
            kinds[field] = ClockKind(value)
        except ValueError:
            known = ", ".join(ClockKind)
            raise Rejected("field", f"{field}={value!r}: must be one of {known}", field=field) from None
    return {
        "天": kinds["bare_day"], "日": kinds["bare_day"], "小时": kinds["bare_hour"], "时": kinds["bare_hour"]
    }  # fmt: skip


def read_file(command: ImportCatalogue) -> Catalogue:
    """The standards of a file. Raises BadFile, Rejected."""

    def is_header(cells: Any) -> bool:
        where, _ = columns_of(list(cells))
        return sum(name in where for name in NEEDED) >= 2

    sheet = read_sheet(content_of(command.content), is_header)
    return read_catalogue(list(sheet.header), list(sheet.rows), _profile(command))


def class_code_of(standard: Standard) -> str:
    """The code of a standard's class: its own without the number."""
    return standard.code.rpartition("-")[0]


def told(found: Catalogue) -> dict[str, Any]:
    """A preview as an answer."""
    return {
        "rows": len(found.standards) + len({fault.row for fault in found.faults}),
        "standards": len(found.standards),
        "classes": len({class_code_of(s) for s in found.standards}),
        "assumed": len(found.assumed),
        "several_units": sum(len(s.units) > 1 for s in found.standards),
        "odd": [
            {"row": s.row, "code": s.code, "limit": s.limit.text, "why": s.limit.why, "rule": s.limit.rule}
            for s in found.odd
            if isinstance(s.limit, Odd)
        ][:SHOWN],
        "faulty": len({fault.row for fault in found.faults}),
        "faults": [
            {
                "row": fault.row,
                "column": fault.column,
                "value": fault.value,
                "rule": fault.rule.removeprefix("must "),
            }
            for fault in found.faults[:SHOWN]
        ],
    }


def import_catalogue(cursor: Cursor, command: ImportCatalogue, actor: Actor, now: datetime) -> dict[str, Any]:
    """See ImportCatalogue. Raises Rejected."""
    try:
        found = read_file(command)
    except BadFile as bad:
        raise refused_file(command.filename, bad) from None
    answer = told(found)
    if not command.confirm:
        return {**answer, "stored": False}
    if found.faults:
        text = f"{found.faults[0]}; {answer['faulty']} rows are wrong, nothing was stored"
        raise Rejected("rule", text, field=found.faults[0].column, **answer)
    if not command.name.strip():
        raise Rejected("field", "name='': must name the catalogue", field="name")
    cursor.execute(
        "INSERT INTO catalogues (name, filename, bare_day, bare_hour, imported_at, imported_by)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (command.name.strip(), command.filename, command.bare_day, command.bare_hour, now, actor.login),
    )
    (number,) = cursor.fetchone() or (0,)
    many(cursor, _INSERT, [_row(number, standard) for standard in found.standards])
    return {**answer, "stored": True, "catalogue": number}


def _row(catalogue: int, s: Standard) -> tuple[Any, ...]:
    limit = s.limit if isinstance(s.limit, Limit) else None
    return (
        catalogue, s.code, s.row, s.kind, s.big_class, s.small_class, class_code_of(s), s.condition, list(s.units),
        list(s.departments), s.text_of_limit, limit and minutes_of(limit), limit and str(limit.kind),
        bool(limit and limit.assumed), "" if isinstance(s.limit, Limit) else s.limit.rule, s.closing,
        s.evidence,
    )  # fmt: skip


def standards_of(cursor: Cursor, class_code: str) -> list[FilingStandard]:
    """The standards of a class in the newest published catalogue that has it, in the sheet's order."""
    cursor.execute(
        "SELECT code, condition, units, limit_min, clock_kind, assumed, closing, evidence FROM standards"
        " WHERE class_code = %s AND catalogue = (SELECT max(c.id) FROM catalogues c JOIN standards s ON s.catalogue = c.id"
        " WHERE c.published_at IS NOT NULL AND s.class_code = %s) ORDER BY row",
        (class_code, class_code),
    )
    return [
        FilingStandard(code, condition, tuple(units), limit, ClockKind(kind), assumed, closing, evidence)
        for code, condition, units, limit, kind, assumed, closing, evidence in cursor.fetchall()
    ]
