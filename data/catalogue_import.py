"""A city's rule sheet as its event-class catalogue (S12): read, previewed, kept whole, the odd ones decided by a person, then
published as new versions of classes. Incidents that are filed keep the version they were filed under.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from data.database import Cursor, many
from data.registry import bump
from data.sheets import BadFile, content_of, read_sheet, refused_file
from incidents.catalogue import NEEDED, Catalogue, Standard, columns_of, read_catalogue
from incidents.catalogue_commands import DecideLimit, ImportCatalogue, PublishCatalogue
from incidents.limits import MOST, Limit, Odd
from incidents.model import Actor, ClockKind, Rejected
from incidents.storeports import FilingStandard
from incidents.triage import DEFAULT_LEVEL

SHOWN: Final = 500
_INSERT: Final = (
    "INSERT INTO standards (catalogue, code, row, kind, big_class, small_class, class_code, condition, units, departments,"
    " limit_text, limit_min, clock_kind, assumed, odd, closing) VALUES %s"
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
            {"row": s.row, "code": s.code, "limit": s.limit.text, "why": s.limit.why}
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
        bool(limit and limit.assumed), "" if isinstance(s.limit, Limit) else s.limit.why, s.closing,
    )  # fmt: skip


def decide_limit(cursor: Cursor, command: DecideLimit, actor: Actor, now: datetime) -> dict[str, Any]:
    """See DecideLimit. Raises Rejected."""
    try:
        kind = ClockKind(command.kind)
    except ValueError:
        known = ", ".join(ClockKind)
        raise Rejected("field", f"kind={command.kind!r}: must be one of {known}", field="kind") from None
    if not 0 < command.amount <= MOST[kind]:
        raise Rejected(
            "field", f"amount={command.amount:g}: must be above 0, at most {MOST[kind]}", field="amount"
        )
    if not command.reason.strip():
        raise Rejected("field", "reason='': say why", field="reason")
    minutes = minutes_of(Limit(Decimal(str(command.amount)), kind))
    cursor.execute(
        "UPDATE standards s SET limit_min = %s, clock_kind = %s, assumed = false, decided_by = %s, decided_at = %s,"
        " decided_why = %s FROM catalogues c WHERE s.catalogue = c.id AND c.published_at IS NULL AND s.catalogue = %s"
        " AND s.code = %s",
        (
            max(1, minutes),
            str(kind),
            actor.login,
            now,
            command.reason.strip(),
            command.catalogue,
            command.code,
        ),
    )
    if cursor.rowcount != 1:
        text = f"code={command.code!r}: is no standard of an unpublished catalogue {command.catalogue}"
        raise Rejected("not_found", text, field="code")
    return {"code": command.code, "limit_min": max(1, minutes), "kind": str(kind)}


def publish_catalogue(
    cursor: Cursor, command: PublishCatalogue, actor: Actor, now: datetime
) -> dict[str, Any]:
    """See PublishCatalogue. Raises Rejected."""
    cursor.execute("SELECT published_at FROM catalogues WHERE id = %s FOR UPDATE", (command.catalogue,))
    row = cursor.fetchone()
    if row is None or row[0] is not None:
        text = f"catalogue={command.catalogue}: is not one that waits to be published"
        raise Rejected("rule", text, field="catalogue")
    cursor.execute(
        "SELECT code FROM standards WHERE catalogue = %s AND limit_min IS NULL ORDER BY row",
        (command.catalogue,),
    )
    odd = [code for (code,) in cursor.fetchall()]
    if odd:
        text = f"{len(odd)} standards have a limit that a person must decide: {', '.join(odd[:5])}"
        raise Rejected("rule", text, field="limit", odd=odd)
    # A class has the longest of its standards' limits: who files it chooses the standard, and with it the limit.
    cursor.execute(
        "INSERT INTO event_classes (code, version, kind, big_class, name, level, limit_min, clock_kind, needs_photo,"
        " closing_condition, keywords) SELECT s.class_code, coalesce(e.version, 0) + 1, s.kind, s.big_class,"
        " s.small_class, coalesce(e.level, %s), s.limit_min, s.clock_kind, coalesce(e.needs_photo, true), s.closing,"
        " coalesce(e.keywords, s.small_class) FROM (SELECT DISTINCT ON (class_code) * FROM standards"
        " WHERE catalogue = %s ORDER BY class_code, limit_min DESC, row) s"
        " LEFT JOIN LATERAL (SELECT version, level, needs_photo, keywords FROM event_classes"
        " WHERE code = s.class_code ORDER BY version DESC LIMIT 1) e ON true",
        (DEFAULT_LEVEL, command.catalogue),
    )
    classes = cursor.rowcount
    cursor.execute(
        "UPDATE catalogues SET published_at = %s, published_by = %s WHERE id = %s",
        (now, actor.login, command.catalogue),
    )
    bump(cursor)
    return {"catalogue": command.catalogue, "classes": classes}


def standards_of(cursor: Cursor, class_code: str) -> list[FilingStandard]:
    """The standards of a class in the newest published catalogue that has it, in the sheet's order."""
    cursor.execute(
        "SELECT code, condition, units, limit_min, clock_kind, assumed, closing FROM standards"
        " WHERE class_code = %s AND catalogue = (SELECT max(c.id) FROM catalogues c JOIN standards s ON s.catalogue = c.id"
        " WHERE c.published_at IS NOT NULL AND s.class_code = %s) ORDER BY row",
        (class_code, class_code),
    )
    return [
        FilingStandard(code, condition, tuple(units), limit, ClockKind(kind), assumed, closing)
        for code, condition, units, limit, kind, assumed, closing in cursor.fetchall()
    ]
