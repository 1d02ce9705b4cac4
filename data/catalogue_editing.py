"""What a person does to a catalogue that is not published yet: decides an odd limit, changes a standard, publishes it; and a
new one out of a published one. A published catalogue never changes (S12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from data.catalogue_import import import_catalogue, minutes_of
from data.database import Cursor
from data.registry import bump
from incidents.catalogue import LONGEST, names_in
from incidents.catalogue_commands import (
    DecideLimit,
    ImportCatalogue,
    PublishCatalogue,
    ReviseCatalogue,
    SaveStandard,
)
from incidents.limits import MOST, Limit
from incidents.model import Actor, ClockKind, Rejected
from incidents.triage import DEFAULT_LEVEL


def _minutes(amount: float, kind: str) -> int:
    """A limit that a person gives. Raises Rejected naming the field."""
    try:
        known = ClockKind(kind)
    except ValueError:
        kinds = ", ".join(ClockKind)
        raise Rejected("field", f"kind={kind!r}: must be one of {kinds}", field="kind") from None
    if not 0 < amount <= MOST[known]:  # NaN too
        raise Rejected("field", f"amount={amount:g}: must be above 0, at most {MOST[known]}", field="amount")
    return max(1, minutes_of(Limit(Decimal(str(amount)), known)))


def _said(field: str, text: str, rule: str) -> str:
    """A text that must be there. Raises Rejected."""
    found = text.strip()
    if not found or len(found) > LONGEST:
        raise Rejected(
            "field", f"{field}={text[:60]!r}: {rule}, in at most {LONGEST} characters", field=field
        )
    return found


def _one(cursor: Cursor, catalogue: int, code: str) -> None:
    """That the last statement has changed the standard. Raises Rejected."""
    if cursor.rowcount != 1:
        text = f"code={code!r}: is no standard of an unpublished catalogue {catalogue}"
        raise Rejected("not_found", text, field="code")


def decide_limit(cursor: Cursor, command: DecideLimit, actor: Actor, now: datetime) -> dict[str, Any]:
    """See DecideLimit. Raises Rejected."""
    minutes = _minutes(command.amount, command.kind)
    reason = _said("reason", command.reason, "say why")
    cursor.execute(
        "UPDATE standards s SET limit_min = %s, clock_kind = %s, assumed = false, decided_by = %s, decided_at = %s,"
        " decided_why = %s FROM catalogues c WHERE s.catalogue = c.id AND c.published_at IS NULL AND s.catalogue = %s"
        " AND s.code = %s",
        (minutes, command.kind, actor.login, now, reason, command.catalogue, command.code),
    )
    _one(cursor, command.catalogue, command.code)
    return {"code": command.code, "limit_min": minutes, "kind": command.kind}


def save_standard(cursor: Cursor, command: SaveStandard, actor: Actor, now: datetime) -> dict[str, Any]:
    """See SaveStandard. Raises Rejected."""
    units = names_in("、".join(command.units))
    if not units:
        raise Rejected("field", "units=[]: must name at least one", field="units")
    minutes = _minutes(command.amount, command.kind)
    cursor.execute(
        "UPDATE standards s SET condition = %s, units = %s, limit_min = %s, clock_kind = %s, assumed = false,"
        " evidence = %s, closing = %s, decided_by = %s, decided_at = %s, decided_why = %s FROM catalogues c"
        " WHERE s.catalogue = c.id AND c.published_at IS NULL AND s.catalogue = %s AND s.code = %s",
        (
            _said("condition", command.condition, "say when it is filed"), list(units), minutes, command.kind,
            command.evidence.strip()[:LONGEST], command.closing.strip()[:LONGEST], actor.login, now,
            _said("reason", command.reason, "say why"), command.catalogue, command.code,
        ),
    )  # fmt: skip
    _one(cursor, command.catalogue, command.code)
    return {"code": command.code, "limit_min": minutes, "kind": command.kind}


def revise_catalogue(cursor: Cursor, command: ReviseCatalogue, actor: Actor, now: datetime) -> dict[str, Any]:
    """See ReviseCatalogue. Raises Rejected."""
    name = _said("name", command.name, "name the catalogue")
    cursor.execute(
        "INSERT INTO catalogues (name, filename, bare_day, bare_hour, imported_at, imported_by, based_on)"
        " SELECT %s, filename, bare_day, bare_hour, %s, %s, id FROM catalogues"
        " WHERE id = %s AND published_at IS NOT NULL RETURNING id",
        (name, now, actor.login, command.catalogue),
    )
    row = cursor.fetchone()
    if row is None:
        text = f"catalogue={command.catalogue}: is not one that is published"
        raise Rejected("rule", text, field="catalogue")
    cursor.execute(
        "INSERT INTO standards (catalogue, code, row, kind, big_class, small_class, class_code, condition, units,"
        " departments, limit_text, limit_min, clock_kind, assumed, odd, closing, evidence) SELECT %s, code, row, kind,"
        " big_class, small_class, class_code, condition, units, departments, limit_text, limit_min, clock_kind, assumed,"
        " odd, closing, evidence FROM standards WHERE catalogue = %s",
        (row[0], command.catalogue),
    )
    return {"catalogue": row[0], "standards": cursor.rowcount}


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
        "INSERT INTO event_classes (code, version, kind, big_class, name, name_en, level, limit_min, clock_kind,"
        " needs_photo, closing_condition, keywords) SELECT s.class_code, coalesce(e.version, 0) + 1, s.kind, s.big_class,"
        " s.small_class, CASE WHEN e.name = s.small_class THEN e.name_en ELSE '' END, coalesce(e.level, %s), s.limit_min, s.clock_kind, coalesce(e.needs_photo, true), s.closing,"
        " coalesce(e.keywords, s.small_class) FROM (SELECT DISTINCT ON (class_code) * FROM standards"
        " WHERE catalogue = %s ORDER BY class_code, limit_min DESC, row) s"
        " LEFT JOIN LATERAL (SELECT version, name, name_en, level, needs_photo, keywords FROM event_classes"
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


HANDLERS: Final[Mapping[type, Callable[[Cursor, Any, Actor, datetime], dict[str, Any]]]] = {
    ImportCatalogue: import_catalogue,
    DecideLimit: decide_limit,
    SaveStandard: save_standard,
    ReviseCatalogue: revise_catalogue,
    PublishCatalogue: publish_catalogue,
}
