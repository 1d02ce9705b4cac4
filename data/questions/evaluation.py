"""Evaluation: rates of a period by group, and the very incidents behind each of them (S17)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from data.evaluation import read_cases
from data.incident_rows import ms
from data.questions.context import Answer, Ask, bounded
from incidents.evaluation import BY, BadPeriod, Placed, before, period_of, ranked, rates_by, year_before
from incidents.evaluation_queries import Evaluation, EvaluationCases
from incidents.formulas import SCORE, SHIPPED, Formula, Period, Rate, in_force
from incidents.model import Rejected
from incidents.privacy import masked

PARTS: Final = ("numerator", "denominator", "rest")


def _day(field: str, text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise Rejected("field", f"{field}={text!r}: must be a date, YYYY-MM-DD", field=field) from None
    if not 2000 <= found.year <= 2200:
        raise Rejected("field", f"{field}={text!r}: must lie from 2000 to 2200", field=field)
    return found


def _days(begin: str, end: str) -> tuple[date, date]:
    return _day("begin", begin), _day("end", end)


def _period(ask: Ask, begin: date, end: date) -> Period:
    try:
        whole = period_of(begin, end, ask.zone)
        # What is due later this month is not late today.
        return Period(whole.begin, max(whole.begin, min(whole.end, ask.now)))
    except BadPeriod as error:
        raise Rejected("field", str(error), field="end") from None


def _by(name: str) -> str:
    if name not in BY:
        raise Rejected("field", f"by={name!r}: must be one of {', '.join(BY)}", field="by")
    return name


def _area(ask: Ask, area: str) -> str:
    """The path of an area given by code or path; the actor's own first one when none is given."""
    if not area:
        return ask.actor.areas[0] if ask.actor.areas else ""
    rows = ask.database.query("SELECT path FROM areas WHERE code = %s OR path = %s", (area, area))
    if not rows:
        raise Rejected("not_found", f"area={area!r}: no such area", field="area")
    return str(rows[0][0])


def _read(ask: Ask, period: Period, area: str) -> list[Placed]:
    with ask.database.transaction() as cursor:
        return read_cases(cursor, period, area)


def _told(rate: Rate) -> dict[str, Any]:
    return {"value": rate.value, "numerator": len(rate.numerator), "denominator": len(rate.denominator)}


def _rates(rates: Mapping[str, Rate]) -> dict[str, dict[str, Any]]:
    return {name: _told(rate) for name, rate in rates.items()}


def _formula(formula: Formula) -> dict[str, Any]:
    return {
        "id": formula.id, "version": formula.version, "name": formula.name, "numerator": list(formula.numerator),
        "denominator": list(formula.denominator), "exclude": list(formula.exclude), "direction": formula.direction,
        "author": formula.author, "since": formula.since.isoformat(),
        "until": formula.until and formula.until.isoformat(), "weight": SCORE.weights.get(formula.id),
    }  # fmt: skip


def _names(ask: Ask, by: str, groups: Iterable[str]) -> dict[str, str]:
    """Group → its name, as the registries have it; a group they do not know is named by its code."""
    questions = {
        "area": "SELECT path, name FROM areas WHERE path = ANY(%s)",
        "unit": "SELECT code, name FROM units WHERE code = ANY(%s)",
        "class": "SELECT DISTINCT ON (code) code, name FROM event_classes WHERE code = ANY(%s)"
        " ORDER BY code, version DESC",
    }
    return dict(ask.database.query(questions[by], (list(groups),))) if by in questions else {}


def evaluation(ask: Ask, query: Evaluation) -> dict[str, Any]:
    """See Evaluation."""
    by, area = _by(query.by), _area(ask, query.area)
    begin, end = _days(query.begin, query.end)
    formulas = in_force(SHIPPED, end)
    period = _period(ask, begin, end)
    found = _read(ask, period, area)
    groups = rates_by(by, area, found, formulas, period)
    total = rates_by("total", area, found, formulas, period).get("", {})
    compared = {}
    for name, (first, last) in (("before", before(begin, end)), ("year_before", year_before(begin, end))):
        other = _period(ask, first, last)
        rates = rates_by("total", area, _read(ask, other, area), in_force(SHIPPED, last), other).get("", {})
        compared[name] = {"begin": first.isoformat(), "end": last.isoformat(), "rates": _rates(rates)}
    names = _names(ask, by, groups)
    return {
        "area": area, "by": by, "begin": begin.isoformat(), "end": end.isoformat(), "as_of": ms(ask.now),
        "unfinished": period_of(begin, end, ask.zone).end > ask.now,
        "formulas": [_formula(formula) for formula in formulas.values()],
        "total": {"rates": _rates(total), "score": SCORE.points(total, formulas) if total else None, **compared},
        "groups": [
            {"group": group, "name": names.get(group, ""), "score": points, "rates": _rates(groups[group])}
            for group, points in ranked(groups, formulas)
        ],
    }  # fmt: skip


def evaluation_cases(ask: Ask, query: EvaluationCases) -> dict[str, Any]:
    """See EvaluationCases."""
    by, area = _by(query.by), _area(ask, query.area)
    begin, end = _days(query.begin, query.end)
    formulas = in_force(SHIPPED, end)
    if query.formula not in formulas:
        rule = f"must be one of {', '.join(formulas)}"
        raise Rejected("field", f"formula={query.formula!r}: {rule}", field="formula")
    if query.part not in PARTS:
        raise Rejected("field", f"part={query.part!r}: must be one of {', '.join(PARTS)}", field="part")
    period = _period(ask, begin, end)
    made = rates_by(by, area, _read(ask, period, area), {query.formula: formulas[query.formula]}, period)
    rate = made.get(query.group, {}).get(query.formula)
    ids: list[int] = []
    if rate is not None:
        inside = set(rate.numerator)
        ids = {
            "numerator": list(rate.numerator),
            "denominator": list(rate.denominator),
            "rest": [id for id in rate.denominator if id not in inside],
        }[query.part]
    first = max(0, query.offset)
    shown = ids[first : first + bounded(query.limit, 1, 1000)]
    rows = ask.database.query(
        "SELECT i.id, i.number, i.title, i.class_name, i.stage, i.level, i.reported_at, i.closed_at, i.overdue,"
        " coalesce(u.name, i.unit) FROM incidents i LEFT JOIN units u ON u.code = i.unit WHERE i.id = ANY(%s)"
        " ORDER BY i.id",
        (shown,),
    )
    names = (
        "id",
        "number",
        "title",
        "class_name",
        "stage",
        "level",
        "reported_at",
        "closed_at",
        "overdue",
        "unit",
    )
    found: list[dict[str, Any]] = [masked(dict(zip(names, row, strict=True))) for row in rows]
    for row in found:
        row["reported_at"], row["closed_at"] = ms(row["reported_at"]), ms(row["closed_at"])
    return {"rows": found, "total": len(ids), "formula": _formula(formulas[query.formula])}


ANSWERS: Final[dict[type, Answer]] = {Evaluation: evaluation, EvaluationCases: evaluation_cases}
