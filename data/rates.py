"""Rates of a period in SQL: numerators and denominators by group, and the incidents behind each (S17).

A formula's facts are data (`incidents/formulas.py`); here they become conditions on `incident_facts`. A contract test holds
both readers together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from data.database import Cursor
from incidents.evaluation import Count
from incidents.formulas import FACTS, POST_OF, Condition, Formula, Period

Areas = Sequence[str]
"""Paths of areas that are counted together; none lies in another (`incidents.access.topmost`)."""

_IN_AREA: Final = "(starts_with(f.area, {0}) OR f.area = '' AND {0} ~ '^[^/]+/$')"
"""Lies in the area; what has no place yet is the whole city's, as in `incidents.access.covers`."""
_BELOW: Final = (
    "{0} || CASE WHEN position('/' IN substr(f.area, length({0}) + 1)) > 0"
    " THEN split_part(substr(f.area, length({0}) + 1), '/', 1) || '/' ELSE '' END"
)


def area_names(areas: Areas) -> dict[str, str]:
    """The parameters that `in_areas` names."""
    return {f"area{n}": area for n, area in enumerate(areas)}


def in_areas(areas: Areas) -> str:
    """`f.area` lies in one of them, as SQL; in none of none."""
    parts = [_IN_AREA.format(f"%({name})s") for name in area_names(areas)]
    return f"({' OR '.join(parts)})" if parts else "false"


def _below(areas: Areas) -> str:
    """The path one level below the one that it lies in."""
    *several, last = [f"%({name})s" for name in area_names(areas)]
    cases = " ".join(f"WHEN {_IN_AREA.format(area)} THEN {_BELOW.format(area)}" for area in several)
    return f"CASE {cases} ELSE {_BELOW.format(last)} END" if cases else _BELOW.format(last)


GROUP_SQL: Final[Mapping[str, str]] = {
    "total": "''",
    "area": "{below}",
    "unit": "f.unit",
    "class": "f.class_code",
    "channel": "f.channel",
    "post": "f.{post}",
}
"""What groups are made by → the group of a row; see `incidents.evaluation.BY`."""

_SQL: Final[Mapping[str, str]] = {
    "holds": "coalesce(f.{0} >= %(begin)s AND f.{0} < %(end)s, false)",
    "over": "coalesce(f.{0} < %(end)s, false)",
    "not_over": "coalesce(f.{0} >= %(end)s, true)",
    "in_time": "coalesce(f.{0} <= coalesce(f.{1}, f.{0}), false)",
    "has": "'{1}' = ANY(string_to_array(f.{0}, ' '))",
}
_COUNTED: Final = frozenset({"reworks", "extensions"})
"""Facts that are numbers; noted when there is one."""


def _condition(condition: Condition) -> str:
    if condition.kind in ("noted", "not_noted"):
        noted = f"f.{condition.field} > 0" if condition.field in _COUNTED else f"f.{condition.field}"
        return f"({noted})" if condition.kind == "noted" else f"NOT ({noted})"
    return _SQL[condition.kind].format(condition.field, condition.other)


FACT_SQL: Final[Mapping[str, str]] = {
    name: "(" + " OR ".join("(" + " AND ".join(map(_condition, terms)) + ")" for terms in fact) + ")"
    for name, fact in FACTS.items()
}
"""Fact → the condition. Only names of the product's own facts and columns are in it, never a user's text."""


def _parts(formula: Formula) -> tuple[str, str]:
    """(denominator, numerator) of a formula as conditions; the numerator is a part of the denominator."""
    denominator = [FACT_SQL[name] for name in formula.denominator]
    denominator += [f"NOT {FACT_SQL[name]}" for name in formula.exclude]
    whole = " AND ".join(denominator)
    return whole, " AND ".join([whole, *(FACT_SQL[name] for name in formula.numerator)])


def _rows(anchor: str, by: str, areas: Areas) -> tuple[str, str]:
    """(group, FROM … WHERE) of what counts by one moment: a range of that moment's index."""
    group = GROUP_SQL[by].format(post=POST_OF[anchor], below=_below(areas) if by == "area" else "")
    where = (
        f" FROM incident_facts f WHERE f.{anchor} >= %(begin)s AND f.{anchor} < %(end)s AND NOT f.merged"
        f" AND {in_areas(areas)}"
    )
    return group, where


def _asked(period: Period, areas: Areas) -> dict[str, Any]:
    return {"begin": period.begin, "end": period.end, **area_names(areas)}


def rates_by(
    cursor: Cursor, by: str, areas: Areas, formulas: Iterable[Formula], period: Period
) -> dict[str, dict[str, Count]]:
    """Group → formula → how many; groups in order, those with nothing in any denominator left out."""
    if not areas:
        return {}
    found: dict[str, dict[str, Count]] = {}
    formulas = list(formulas)
    for anchor in sorted({formula.anchor for formula in formulas}):
        mine = [formula for formula in formulas if formula.anchor == anchor]
        group, rows = _rows(anchor, by, areas)
        counts = ", ".join(
            f"count(*) FILTER (WHERE {part})" for formula in mine for part in reversed(_parts(formula))
        )
        cursor.execute(f"SELECT {group}, {counts}{rows} GROUP BY 1", _asked(period, areas))
        for name, *numbers in cursor.fetchall():
            for formula, numerator, denominator in zip(mine, numbers[::2], numbers[1::2], strict=True):
                found.setdefault(name, {})[formula.id] = Count(
                    formula.id, formula.version, numerator, denominator
                )
    none = {formula.id: Count(formula.id, formula.version, 0, 0) for formula in formulas}
    return {
        group: {**none, **counts}
        for group, counts in sorted(found.items())
        if any(count.denominator for count in counts.values())
    }


PARTS: Final = ("numerator", "denominator", "rest")


def cases_behind(
    cursor: Cursor, formula: Formula, part: str, by: str, group: str, areas: Areas, period: Period,
    limit: int, after: int = 0,
) -> tuple[list[int], int]:  # fmt: skip
    """(ids of one page, how many there are in all) of a number: `part` is one of PARTS; rest: in the denominator only. The
    page holds the first `limit` of the ids beyond `after`."""
    if not areas:
        return [], 0
    denominator, numerator = _parts(formula)
    condition = {
        "numerator": numerator, "denominator": denominator, "rest": f"{denominator} AND NOT ({numerator})",
    }[part]  # fmt: skip
    name, rows = _rows(formula.anchor, by, areas)
    where = f"{rows} AND {name} = %(group)s AND {condition}"
    asked = {**_asked(period, areas), "group": group, "limit": limit, "after": after}
    cursor.execute(f"SELECT count(*){where}", asked)
    (total,) = cursor.fetchone() or (0,)
    cursor.execute(
        f"SELECT f.incident_id{where} AND f.incident_id > %(after)s ORDER BY f.incident_id LIMIT %(limit)s",
        asked,
    )
    return _ids(cursor.fetchall()), total


def _ids(rows: Sequence[Sequence[Any]]) -> list[int]:
    return [int(row[0]) for row in rows]
