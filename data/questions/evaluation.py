"""Evaluation: rates of a period by group, and the very incidents behind each of them (S17)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from data import formula_versions as stored
from data.database import Cursor
from data.incident_facts import recounted
from data.incident_rows import ms
from data.questions.context import Answer, Ask, bounded
from data.rates import PARTS, Areas, cases_behind, rates_by
from incidents.access import topmost
from incidents.evaluation import BY, BadPeriod, Count, before, period_of, ranked, summed, year_before
from incidents.evaluation_queries import Evaluation, EvaluationCases, Formulas
from incidents.formulas import ANCHORS, FACTS, Formula, Period, Score, in_force, in_force_until, score_of
from incidents.model import Rejected
from incidents.privacy import masked


def _day(field: str, text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise Rejected("field", f"{field}={text!r}: must be a date, YYYY-MM-DD", field=field) from None
    if not 2000 <= found.year <= 2200:
        raise Rejected("field", f"{field}={text!r}: must lie from 2000 to 2200", field=field)
    return found


def days_of(begin: str, end: str) -> tuple[date, date]:
    """First and last day of a query. Raises Rejected."""
    return _day("begin", begin), _day("end", end)


def period_in(ask: Ask, begin: date, end: date) -> Period:
    """Days as moments of the city, until now at most. Raises Rejected."""
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


def areas_of(ask: Ask, area: str) -> tuple[str, ...]:
    """The path of an area given by code or path; when none is given all that the actor has, none of them in another."""
    if not area:
        return topmost(ask.actor.areas)
    rows = ask.database.query("SELECT path FROM areas WHERE code = %s OR path = %s", (area, area))
    if not rows:
        raise Rejected("not_found", f"area={area!r}: no such area", field="area")
    return (str(rows[0][0]),)


Groups = dict[str, dict[str, Count]]


def _told(rate: Count) -> dict[str, Any]:
    return {"value": rate.value, "numerator": rate.numerator, "denominator": rate.denominator}


def _rates(rates: Mapping[str, Count]) -> dict[str, dict[str, Any]]:
    return {name: _told(rate) for name, rate in rates.items()}


def _formula(formula: Formula, versions: Sequence[Formula], score: Score) -> dict[str, Any]:
    until = in_force_until(versions, formula)
    return {
        "id": formula.id, "version": formula.version, "name": formula.name, "numerator": list(formula.numerator),
        "denominator": list(formula.denominator), "exclude": list(formula.exclude), "direction": formula.direction,
        "author": formula.author, "since": formula.since.isoformat(), "until": until and until.isoformat(),
        "weight": score.weights.get(formula.id), "reason": formula.reason, "saved_at": ms(formula.saved_at),
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


@dataclass(frozen=True, slots=True)
class _Span:
    """Days and what was found of them: by group, and of all."""

    begin: date
    end: date
    formulas: Mapping[str, Formula]
    groups: Groups
    total: Mapping[str, Count]


def _span(
    ask: Ask, cursor: Cursor, versions: Sequence[Formula], by: str, areas: Areas, begin: date, end: date
) -> _Span:
    period, formulas = period_in(ask, begin, end), in_force(versions, end)
    groups = rates_by(cursor, by, areas, formulas.values(), period)
    return _Span(begin, end, formulas, groups, summed(groups.values()))


def _recount(ask: Ask) -> dict[str, Any]:
    found = recounted(ask.database)
    return {
        "whole": found.whole, "rounds": found.rounds, "ended_at": ms(found.ended_at), "differed": found.differed,
        "differed_at": ms(found.differed_at), "differed_ids": list(found.differed_ids),
    }  # fmt: skip


def evaluation(ask: Ask, query: Evaluation) -> dict[str, Any]:
    """See Evaluation."""
    by, areas = _by(query.by), areas_of(ask, query.area)
    begin, end = days_of(query.begin, query.end)
    spans = {"now": (begin, end), "before": before(begin, end), "year_before": year_before(begin, end)}
    period_in(ask, begin, end)
    with ask.database.transaction() as cursor:
        versions = stored.formulas(cursor)
        score = score_of(stored.scores(cursor), end)
        # Of a year the one before is the period before and the year before: counted once.
        counted = {
            days: _span(ask, cursor, versions, by, areas, *days) for days in dict.fromkeys(spans.values())
        }
    found = {name: counted[days] for name, days in spans.items()}
    now = found.pop("now")
    names, own = _names(ask, by, now.groups), _names(ask, "area", areas)

    def compared(rates_of: Callable[[_Span], Mapping[str, Count]]) -> dict[str, Any]:
        return {
            name: {
                "begin": then.begin.isoformat(),
                "end": then.end.isoformat(),
                "rates": _rates(rates_of(then)),
            }
            for name, then in found.items()
        }

    return {
        "area": areas[0] if len(areas) == 1 else "", "areas": list(areas),
        "area_name": "、".join(own[area] for area in areas if area in own), "by": by, "begin": begin.isoformat(), "end": end.isoformat(), "as_of": ms(ask.now),
        "unfinished": period_of(begin, end, ask.zone).end > ask.now, "recount": _recount(ask),
        "formulas": [_formula(formula, versions, score) for formula in now.formulas.values()],
        "score": _score(score),
        "total": {
            "rates": _rates(now.total), "score": score.points(now.total, now.formulas) if now.total else None,
            **compared(lambda span: span.total),
        },
        "groups": [
            {
                "group": group, "name": names.get(group, ""), "score": points, "rates": _rates(now.groups[group]),
                **compared(lambda span, group=group: span.groups.get(group, {})),  # type: ignore[misc]
            }
            for group, points in ranked(now.groups, now.formulas, score)
        ],
    }  # fmt: skip


_ROW: Final = (
    "id", "number", "title", "class_name", "stage", "level", "reported_at", "closed_at", "overdue", "unit",
)  # fmt: skip


def evaluation_cases(ask: Ask, query: EvaluationCases) -> dict[str, Any]:
    """See EvaluationCases."""
    by, areas = _by(query.by), areas_of(ask, query.area)
    begin, end = days_of(query.begin, query.end)
    with ask.database.transaction() as cursor:
        versions, score = stored.formulas(cursor), score_of(stored.scores(cursor), end)
    formulas = in_force(versions, end)
    if query.formula not in formulas:
        rule = f"must be one of {', '.join(formulas)}"
        raise Rejected("field", f"formula={query.formula!r}: {rule}", field="formula")
    if query.part not in PARTS:
        raise Rejected("field", f"part={query.part!r}: must be one of {', '.join(PARTS)}", field="part")
    formula, period = formulas[query.formula], period_in(ask, begin, end)
    limit, after = bounded(query.limit, 1, 1000), bounded(query.after, 0, 2**62)
    with ask.database.transaction() as cursor:
        ids, total = cases_behind(
            cursor, formula, query.part, by, query.group, areas, period, limit + 1, after
        )
    more, ids = len(ids) > limit, ids[:limit]
    rows = ask.database.query(
        "SELECT i.id, i.number, i.title, i.class_name, i.stage, i.level, i.reported_at, i.closed_at, i.overdue,"
        " coalesce(u.name, i.unit) FROM incidents i LEFT JOIN units u ON u.code = i.unit WHERE i.id = ANY(%s)"
        " ORDER BY i.id",
        (ids,),
    )
    found: list[dict[str, Any]] = [masked(dict(zip(_ROW, row, strict=True))) for row in rows]
    for row in found:
        row["reported_at"], row["closed_at"] = ms(row["reported_at"]), ms(row["closed_at"])
    return {
        "rows": found, "total": total, "next": ids[-1] if more else None,
        "formula": _formula(formula, versions, score),
    }  # fmt: skip


def _score(score: Score) -> dict[str, Any]:
    return {
        "version": score.version, "weights": dict(score.weights), "author": score.author,
        "since": score.since.isoformat(), "reason": score.reason, "saved_at": ms(score.saved_at),
    }  # fmt: skip


def formulas(ask: Ask, query: Formulas) -> dict[str, Any]:
    """See Formulas."""
    today = ask.now.astimezone(ZoneInfo(ask.zone)).date()
    with ask.database.transaction() as cursor:
        versions, scores = stored.formulas(cursor), stored.scores(cursor)
    score = score_of(scores, today)
    now = in_force(versions, today)
    return {
        "today": today.isoformat(),
        "versions": [
            {**_formula(formula, versions, score), "in_force": now.get(formula.id) is formula} for formula in versions
        ],
        "scores": [{**_score(one), "in_force": one is score} for one in scores],
        "facts": list(FACTS), "anchors": list(ANCHORS),
    }  # fmt: skip


ANSWERS: Final[dict[type, Answer]] = {
    Evaluation: evaluation,
    EvaluationCases: evaluation_cases,
    Formulas: formulas,
}
