"""The city's rule sheets and their standards, as a person reads and revises them (S12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from data.incident_rows import ms
from data.questions.context import Answer, Ask, bounded, contains
from incidents.catalogue_commands import ONLY, Catalogues, Standards
from incidents.limits import limit_of
from incidents.model import ClockKind, Rejected

_ONLY: Final[Mapping[str, str]] = {
    "": "true", "odd": "s.limit_min IS NULL", "assumed": "s.assumed", "decided": "s.decided_by <> ''"
}  # fmt: skip


def catalogues(ask: Ask, query: Catalogues) -> dict[str, Any]:
    """See Catalogues. Times in ms since the epoch; `waiting`: limits that a person must decide."""
    rows = ask.database.dicts(
        "SELECT c.id, c.name, c.filename, c.imported_at, c.imported_by, c.published_at, c.published_by, c.based_on,"
        " count(s.code) AS standards, count(DISTINCT s.class_code) AS classes,"
        " count(s.code) FILTER (WHERE s.limit_min IS NULL) AS waiting, count(s.code) FILTER (WHERE s.assumed) AS assumed"
        " FROM catalogues c LEFT JOIN standards s ON s.catalogue = c.id GROUP BY c.id ORDER BY c.id DESC LIMIT 100"
    )
    for row in rows:
        row["imported_at"], row["published_at"] = ms(row["imported_at"]), ms(row["published_at"])
    return {"rows": rows, "total": len(rows)}


def standards(ask: Ask, query: Standards) -> dict[str, Any]:
    """See Standards. `amount`, `clock_kind`: the limit, null while it waits for a person."""
    if query.only not in ONLY:
        raise Rejected("field", f"only={query.only!r}: must be one of {', '.join(ONLY)}", field="only")
    where = f"s.catalogue = %s AND {_ONLY[query.only]}"
    params: list[Any] = [query.catalogue]
    if text := query.text.strip():
        found = ("s.code", "s.big_class", "s.small_class", "s.condition", "array_to_string(s.units, '、')")
        where += f" AND ({' OR '.join(f'{column} ILIKE %s' for column in found)})"
        params += [contains(text)] * len(found)
    rows = ask.database.dicts(
        "SELECT s.code, s.row, s.kind, s.big_class, s.small_class, s.class_code, s.condition, s.units, s.departments,"
        " s.limit_text, s.limit_min, s.clock_kind, s.assumed, s.odd, s.evidence, s.closing, s.decided_by, s.decided_why,"
        f" count(*) OVER () AS found FROM standards s WHERE {where} ORDER BY s.row LIMIT %s",
        [*params, bounded(query.limit, 1, 5000)],
    )
    total = rows[0]["found"] if rows else 0
    for row in rows:
        del row["found"]
        minutes, kind = row.pop("limit_min"), row["clock_kind"]
        row["amount"] = None if minutes is None else float(limit_of(minutes, ClockKind(kind)).amount)
    return {"rows": rows, "total": total}


ANSWERS: Final[dict[type, Answer]] = {Catalogues: catalogues, Standards: standards}
