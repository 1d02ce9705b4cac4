"""Commands of routing that change registries: rules approved again, responsibility tables imported and published, special
periods. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from data.city_wide import require_city
from data.database import Cursor, json, many
from data.registry import bump
from data.router_models import publish_router, switch_off_router
from data.sheets import BadFile, content_of, read_sheet, refused_file
from data.unit_capacity import set_capacity
from data.unit_roles import import_roles
from incidents.model import Actor, Rejected
from incidents.routing_commands import (
    ApproveRule,
    EndPeriod,
    ImportResponsibilities,
    ImportRoles,
    PublishResponsibilities,
    PublishRouter,
    SavePeriod,
    SetCapacity,
    SwitchOffRouter,
)
from incidents.table_coverage import coverage

HEADERS: Final[Mapping[str, Sequence[str]]] = {
    "class_code": ("class_code", "class", "小类代码", "类别代码", "小类"),
    "area": ("area", "area_path", "区域", "区域代码"),
    "unit": ("unit", "责任单位", "单位", "单位代码"),
    "reason": ("reason", "依据", "理由"),
    "period": ("period", "特殊时期"),
}
NEEDED: Final = ("class_code", "area", "unit")
SHOWN: Final = 500
NAMED: Final = 12
"""Classes told of each kind that a table does not cover everywhere."""


def approve_rule(cursor: Cursor, command: ApproveRule, actor: Actor, now: datetime) -> dict[str, Any]:
    """See ApproveRule. Raises Rejected."""
    if not command.reason.strip():
        raise Rejected("field", "reason='': say why it may act by itself again", field="reason")
    cursor.execute(
        "UPDATE withdrawn_rules SET approved_at = %s, approved_by = %s, approved_why = %s WHERE rule = %s"
        " AND approved_at IS NULL",
        (now, actor.login, command.reason.strip(), command.rule),
    )
    if cursor.rowcount == 0:
        raise Rejected(
            "not_found", f"rule={command.rule!r}: is not one that waits for approval", field="rule"
        )
    return {"rule": command.rule, "returns": cursor.rowcount}


def _columns(header: Sequence[str]) -> dict[str, int]:
    places = {cell.strip().lower(): n for n, cell in enumerate(header)}
    return {name: places[h] for name, heads in HEADERS.items() for h in reversed(heads) if h in places}


def import_responsibilities(
    cursor: Cursor, command: ImportResponsibilities, actor: Actor, now: datetime
) -> dict[str, Any]:
    """See ImportResponsibilities. Raises Rejected."""
    try:
        sheet = read_sheet(content_of(command.content), lambda cells: set(NEEDED) <= set(_columns(cells)))
    except BadFile as bad:
        raise refused_file(command.filename, bad) from None
    where = _columns(sheet.header)
    faults = [
        _fault(sheet.header_row, name, "", "a column of the table", "表中须有此列")
        for name in NEEDED
        if name not in where
    ]
    rows: dict[tuple[str, str, str], tuple[str, str]] = {}
    if not faults:
        rows, faults = _read(cursor, where, sheet.rows)
    answer = {"rows": len(sheet.rows), "understood": len(rows), "faulty": len({f["row"] for f in faults}),
              "faults": faults[:SHOWN], "coverage": _coverage(cursor, rows)}  # fmt: skip
    if not command.confirm:
        return {**answer, "stored": False}
    if faults:
        text = f"row {faults[0]['row']}: {faults[0]['column']}={faults[0]['value']!r} must be {faults[0]['rule']}"
        raise Rejected("rule", text, field=str(faults[0]["column"]), **answer)
    if not command.name.strip():
        raise Rejected("field", "name='': must name the table", field="name")
    cursor.execute(
        "INSERT INTO responsibility_tables (name, filename, imported_at, imported_by, coverage)"
        " VALUES (%s, %s, %s, %s, %s) RETURNING id",
        (command.name.strip(), command.filename, now, actor.login, json(answer["coverage"])),
    )
    (number,) = cursor.fetchone() or (0,)
    many(
        cursor,
        "INSERT INTO responsibility_rows (table_id, class_code, area_path, period, unit, reason) VALUES %s",
        [(number, *key, *told) for key, told in rows.items()],
    )
    return {**answer, "stored": True, "table": number}


def _fault(row: int, column: str, value: str, rule: str, rule_zh: str) -> dict[str, Any]:
    """What is wrong with a cell, in both languages: the row as a person sees it, the column, what it must be."""
    return {"row": row, "column": column, "column_zh": HEADERS[column][2 if column != "unit" else 1], "value": value,
            "rule": rule, "rule_zh": rule_zh}  # fmt: skip


def _coverage(cursor: Cursor, rows: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """What the table covers of the catalogue and the city as they are now; NAMED classes of each kind by name."""
    cursor.execute("SELECT DISTINCT ON (code) code, name FROM event_classes ORDER BY code, version DESC")
    classes = dict(cursor.fetchall())
    cursor.execute("SELECT path FROM areas WHERE NOT disabled")
    found = coverage(rows, classes, [path for (path,) in cursor.fetchall()])
    kinds = {"partly": found.partly, "nowhere": found.nowhere}
    return {
        "classes": found.classes, "everywhere": found.everywhere, "cells": found.cells, "covered": found.covered,
        **{kind: len(codes) for kind, codes in kinds.items()},
        **{f"{kind}_of": [classes[code] for code in codes[:NAMED]] for kind, codes in kinds.items()},
    }  # fmt: skip


def _read(
    cursor: Cursor, where: Mapping[str, int], rows: Sequence[tuple[int, tuple[str, ...]]]
) -> tuple[dict[tuple[str, str, str], tuple[str, str]], list[dict[str, Any]]]:
    """((class, area path, period) → (unit, reason), faults)."""
    cursor.execute("SELECT DISTINCT code FROM event_classes")
    classes = {code for (code,) in cursor.fetchall()}
    cursor.execute("SELECT code, path FROM areas WHERE NOT disabled")
    areas = {name: path for code, path in cursor.fetchall() for name in (code, path)}
    cursor.execute("SELECT code, name FROM units WHERE NOT disabled")
    units = {name: code for code, title in cursor.fetchall() for name in (title, code)}
    known = {
        "class_code": (classes, "a class of the catalogue", "须为目录中的小类代码"),
        "area": (areas, "code or path of an area", "须为区域代码或路径"),
        "unit": (units, "code or name of a unit that takes orders", "须为可接单单位的代码或名称"),
    }
    found: dict[tuple[str, str, str], tuple[str, str]] = {}
    faults: list[dict[str, Any]] = []
    for number, cells in rows:
        told = {name: cells[n].strip() if n < len(cells) else "" for name, n in where.items()}
        wrong = [name for name in NEEDED if told[name] not in known[name][0]]
        faults += [_fault(number, n, told[n], *known[n][1:]) for n in wrong]
        if wrong:
            continue
        key = (told["class_code"], areas[told["area"]], told.get("period", ""))
        if key in found:
            rule = "once for a class, an area and a period", "同一小类、区域、时期只能有一行"
            faults.append(_fault(number, "area", told["area"], *rule))
        found[key] = (units[told["unit"]], told.get("reason", ""))
    return found, faults


def publish_responsibilities(
    cursor: Cursor, command: PublishResponsibilities, actor: Actor, now: datetime
) -> dict[str, Any]:
    """See PublishResponsibilities. Raises Rejected. A table that was in force before may come back."""
    # One after the other: a second publisher must see, and take away, what the first has put in force.
    cursor.execute("LOCK TABLE responsibilities IN SHARE ROW EXCLUSIVE MODE")
    cursor.execute(
        "UPDATE responsibility_tables SET published_at = %s, published_by = %s WHERE id = %s",
        (now, actor.login, command.table),
    )
    if cursor.rowcount != 1:
        raise Rejected("not_found", f"table={command.table}: no such imported table", field="table")
    cursor.execute("DELETE FROM responsibilities")
    former = cursor.rowcount
    cursor.execute(
        "INSERT INTO responsibilities (class_code, area_path, period, unit, reason) SELECT class_code, area_path, period,"
        " unit, reason FROM responsibility_rows WHERE table_id = %s",
        (command.table,),
    )
    rows = cursor.rowcount
    bump(cursor)
    return {"table": command.table, "rows": rows, "former_rows": former}


def save_period(cursor: Cursor, command: SavePeriod, actor: Actor, now: datetime) -> dict[str, Any]:
    """See SavePeriod. Raises Rejected."""
    for field in ("kind", "name"):
        if not getattr(command, field).strip():
            raise Rejected("field", f"{field}='': must be given", field=field)
    for field in ("begins", "ends"):
        if getattr(command, field).tzinfo is None:
            raise Rejected("field", f"{field}: must have its offset from UTC", field=field)
    if command.ends <= command.begins:
        raise Rejected("field", f"ends={command.ends.isoformat()}: must be after its begin", field="ends")
    cursor.execute(
        "INSERT INTO special_periods (kind, name, begins, ends, saved_by) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (kind, begins) DO UPDATE SET name = EXCLUDED.name, ends = EXCLUDED.ends,"
        " saved_by = EXCLUDED.saved_by",
        (command.kind.strip(), command.name.strip(), command.begins, command.ends, actor.login),
    )
    bump(cursor)
    return {"kind": command.kind.strip(), "begins": command.begins.isoformat()}


def end_period(cursor: Cursor, command: EndPeriod, actor: Actor, now: datetime) -> dict[str, Any]:
    """See EndPeriod. Raises Rejected."""
    if command.begins.tzinfo is None:
        raise Rejected("field", "begins: must have its offset from UTC", field="begins")
    cursor.execute(
        "SELECT ends FROM special_periods WHERE kind = %s AND begins = %s FOR UPDATE",
        (command.kind, command.begins),
    )
    row = cursor.fetchone()
    if row is None:
        text = f"kind={command.kind!r}: no such period begins {command.begins.isoformat()}"
        raise Rejected("not_found", text, field="kind")
    if row[0] <= now:
        raise Rejected("rule", f"kind={command.kind!r}: is over since {row[0].isoformat()}", field="kind")
    if command.begins >= now:
        cursor.execute(
            "DELETE FROM special_periods WHERE kind = %s AND begins = %s", (command.kind, command.begins)
        )
    else:
        cursor.execute(
            "UPDATE special_periods SET ends = %s, saved_by = %s WHERE kind = %s AND begins = %s",
            (now, actor.login, command.kind, command.begins),
        )
    bump(cursor)
    return {"kind": command.kind, "taken_back": command.begins >= now}


_HANDLERS: Final[dict[type, Callable[[Cursor, Any, Actor, datetime], dict[str, Any]]]] = {
    ApproveRule: approve_rule,
    PublishRouter: publish_router,
    SwitchOffRouter: switch_off_router,
    ImportResponsibilities: import_responsibilities,
    PublishResponsibilities: publish_responsibilities,
    SavePeriod: save_period,
    EndPeriod: end_period,
    ImportRoles: import_roles,
}


def carry_out(cursor: Cursor, command: Any, actor: Actor, now: datetime) -> dict[str, Any]:
    """A command of routing: each is about the whole city. Raises Rejected."""
    require_city(cursor, command, actor)
    return _HANDLERS[type(command)](cursor, command, actor, now)


HANDLERS: Final = {**dict.fromkeys(_HANDLERS, carry_out), SetCapacity: set_capacity}
