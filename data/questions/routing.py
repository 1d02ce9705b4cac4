"""Questions of routing: whose an incident is and why, what was advised, which routers there are, backtests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from data.backtests import Run
from data.database import Cursor, dicts
from data.incident_rows import ms, to_incident
from data.questions.context import Answer, Ask, bounded
from data.questions.incidents import OPEN, SELECT
from data.router_models import COLUMNS, city_lat
from data.routing_store import asked_of, duties, told, trust
from incidents import commands as c
from incidents.backtest import OF, Replayed, Score, loads, picked, score
from incidents.dispatch_model import Decision, Duty
from incidents.model import Rejected
from incidents.privacy import masked
from incidents.routing import Candidate, rank
from incidents.routing_queries import Backtest, BacktestCases, RoutingAdvice, RoutingState

_WITHDRAWN: Final = (
    "SELECT w.rule, w.wrong_field, w.incident_id, i.number, w.unit, coalesce(u.name, w.unit) AS unit_name, w.version,"
    " w.automatic, w.said, w.said_en, w.why, w.at, w.by_login, w.approved_at, w.approved_by, w.approved_why"
    " FROM withdrawn_rules w JOIN incidents i ON i.id = w.incident_id LEFT JOIN units u ON u.code = w.unit"
)


def route_incident(ask: Ask, query: c.RouteIncident) -> dict[str, Any]:
    """See RouteIncident."""
    router = ask.routing().router()
    with ask.database.transaction() as cursor:
        cursor.execute(f"{SELECT} WHERE i.id = %s", (query.id,))
        row = cursor.fetchone()
        if row is None:
            raise Rejected("not_found", f"id={query.id}: no such incident", field="id")
        found = to_incident(row[:-2])
        looked = router.look(asked_of(cursor, found, router.scenes.rules))
        busy = duties(cursor, looked.units)
        decision = router.decided(looked, busy, trust(cursor))
        candidates = _candidates(cursor, found.unit or decision.unit)
        cursor.execute("SELECT code, name, kind FROM units WHERE NOT disabled ORDER BY kind, name")
        units = dicts(cursor)
    return {
        **_first(decision),
        "decision": _shown(decision, busy),
        "units": units,
        "workers": [
            {
                "login": w.login, "name": w.name, "unit": w.unit, "on_duty": w.on_duty,
                "open_tasks": w.open_tasks, "distance_m": w.distance_m, "position_age_s": w.position_age_s,
                "own_grid": w.own_grid, "reasons": list(w.reasons),
            }
            for w in rank(found.place, candidates, ask.now)[:20]
        ],
    }  # fmt: skip


def _first(decision: Decision) -> dict[str, Any]:
    """The first unit with its reasons in one sentence; '' with why nobody can be named."""
    reasons = decision.ranked[0].reasons if decision.ranked else ()
    return {
        "unit": decision.unit,
        "unit_name": decision.ranked[0].unit_name if decision.ranked else "",
        "reason": "；".join(r.zh for r in reasons) or decision.why,
        "reason_en": "; ".join(r.en for r in reasons) or decision.why_en,
    }


def _shown(decision: Decision, busy: dict[str, Duty]) -> dict[str, Any]:
    """A decision as data, with what each unit has to do now."""
    found = told(decision)
    for ranked in found["ranked"]:
        duty = busy.get(ranked["unit"])
        ranked["open_incidents"] = duty.open_incidents if duty else None
        ranked["capacity"] = duty.capacity if duty else 0
    return found


def _candidates(cursor: Cursor, unit: str) -> list[Candidate]:
    cursor.execute(
        "SELECT a.login, a.name, a.unit, a.on_duty, (SELECT count(*) FROM incidents i WHERE"
        f" i.worker = a.login AND {OPEN}), a.areas, w.lon, w.lat, w.located_at"
        " FROM accounts a LEFT JOIN workers w ON w.login = a.login"
        " WHERE a.unit = %s AND a.role = 'grid_worker' AND NOT a.disabled",
        (unit,),
    )
    return [
        Candidate(login, name, unit, duty, tasks, tuple(areas), lon, lat, at)
        for login, name, unit, duty, tasks, areas, lon, lat, at in cursor.fetchall()
    ]


def routing_advice(ask: Ask, query: RoutingAdvice) -> dict[str, Any]:
    """See RoutingAdvice."""
    rows = ask.database.dicts(
        "SELECT incident_version, moment, at, decision FROM routing_advice WHERE incident_id = %s"
        " ORDER BY incident_version DESC, at DESC LIMIT 50",
        (query.id,),
    )
    withdrawn = ask.database.dicts(f"{_WITHDRAWN} WHERE w.incident_id = %s ORDER BY w.id DESC", (query.id,))
    for row in rows:
        row["at"] = ms(row["at"])
    return {"rows": rows, "withdrawn": [_times(row, "at", "approved_at") for row in withdrawn]}


def _times(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**row, **{name: ms(row[name]) for name in names}}


def routing_state(ask: Ask, query: RoutingState) -> dict[str, Any]:
    """See RoutingState."""
    router = ask.routing().router()
    models = ask.database.dicts(
        f"SELECT {', '.join(COLUMNS)} FROM router_models ORDER BY trained_at DESC, version DESC LIMIT 50"
    )
    tables = ask.database.dicts(
        "SELECT t.id, t.name, t.filename, t.imported_at, t.imported_by, t.published_at, t.published_by, t.coverage,"
        " count(r.unit)::int AS rows FROM responsibility_tables t LEFT JOIN responsibility_rows r ON r.table_id = t.id"
        " GROUP BY t.id ORDER BY t.id DESC LIMIT 50"
    )
    waiting = ask.database.dicts(f"{_WITHDRAWN} WHERE w.approved_at IS NULL ORDER BY w.rule, w.id DESC")
    done = ask.database.dicts(
        f"{_WITHDRAWN} WHERE w.approved_at IS NOT NULL ORDER BY w.approved_at DESC LIMIT 20"
    )
    moments = ("trained_at", "learned_from", "learned_until", "measured_until", "published_at")
    return {
        "version": router.version,
        "threshold": router.threshold,
        "models": [_times(row, *moments) for row in models],
        "tables": [_times(row, "imported_at", "published_at") for row in tables],
        "withdrawn": _by_rule(_times(row, "at", "approved_at") for row in waiting),
        "approved": [_times(row, "at", "approved_at") for row in done],
        "units": _loads(ask),
        "periods": _periods(ask),
    }


def _loads(ask: Ask) -> list[dict[str, Any]]:
    """Units that take orders, with what they have in hand for how many they can (None: not said); the fullest first."""
    return ask.database.dicts(
        "SELECT u.code, u.name, u.area_path, u.capacity, coalesce(h.held, 0)::int AS open_incidents FROM units u"
        " LEFT JOIN (SELECT unit, count(*) AS held FROM incidents WHERE stage IN ('dispatched', 'taken', 'on_site',"
        " 'handled') GROUP BY unit) h ON h.unit = u.code WHERE NOT u.disabled"
        " ORDER BY coalesce(h.held, 0)::float / u.capacity DESC NULLS LAST, 5 DESC, u.name"
    )


def _periods(ask: Ask) -> list[dict[str, Any]]:
    """Special periods, the latest first; `state`: coming | now | over."""
    rows = ask.database.dicts(
        "SELECT kind, name, begins, ends, saved_by, CASE WHEN begins > %s THEN 'coming' WHEN ends > %s THEN 'now'"
        " ELSE 'over' END AS state FROM special_periods ORDER BY begins DESC LIMIT 50",
        (ask.now, ask.now),
    )
    return [{**_times(row, "begins", "ends"), "since": row["begins"].isoformat()} for row in rows]


def _by_rule(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each rule, its newest return, and how often it came back."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        one = found.setdefault(row["rule"], {**row, "returns": 0})
        one["returns"] += 1
    return sorted(found.values(), key=lambda row: -row["at"])


def _score(found: Score) -> dict[str, Any]:
    def share(part: int, whole: int) -> float | None:
        return round(part / whole, 5) if whole else None

    return {
        **asdict(found),
        "coverage": share(found.automatic, found.cases),
        "accuracy": share(found.right, found.cases),
        "automatic_accuracy": share(found.right_automatic, found.automatic),
    }


def _scores(cases: Sequence[Replayed]) -> dict[str, Any]:
    return {
        "before": _score(score(cases, lambda case: case.before)),
        "after": _score(score(cases, lambda case: case.after)),
    }


def _names(ask: Ask, units: Iterable[str]) -> dict[str, str]:
    return dict(ask.database.query("SELECT code, name FROM units WHERE code = ANY(%s)", (list(units),)))


def _run(ask: Ask, query: Backtest | BacktestCases) -> Run:
    return ask.routing().run(query, ask.now, lambda: city_lat(ask.database))


def backtest(ask: Ask, query: Backtest) -> dict[str, Any]:
    """See Backtest."""
    run = _run(ask, query)
    changed = loads(run.cases)
    names = _names(ask, (load.unit for load in changed))
    return {
        "before": run.before, "after": run.after, "threshold": run.threshold,
        "learned_until": ms(run.learned_until), "begin": ms(run.begin), "end": ms(run.end),
        "all": _scores(run.cases), "unseen": _scores([case for case in run.cases if case.unseen]),
        "counts": {of: len(picked(run.cases, of)) for of in OF},
        "loads": [{**asdict(load), "unit_name": names.get(load.unit, load.unit)} for load in changed],
    }  # fmt: skip


def backtest_cases(ask: Ask, query: BacktestCases) -> dict[str, Any]:
    """See BacktestCases."""
    if query.of not in OF:
        raise Rejected("field", f"of={query.of!r}: must be one of {', '.join(OF)}", field="of")
    found = picked(_run(ask, query).cases, query.of, query.unit)
    shown = found[::-1][: bounded(query.limit, 1, 1000)]
    facts = {
        row["id"]: row
        for row in ask.database.dicts(
            "SELECT id, number, title, class_name, reported_at FROM incidents WHERE id = ANY(%s)",
            ([case.id for case in shown],),
        )
    }
    names = _names(ask, {u for case in shown for u in (case.before.unit, case.after.unit, case.handled_by)})
    rows = [
        {
            **masked(_times(facts[case.id], "reported_at")), "handled_by": names.get(case.handled_by, case.handled_by),
            "before": names.get(case.before.unit, case.before.unit), "after": names.get(case.after.unit, case.after.unit),
            "confidence": case.after.confidence, "automatic": case.after.automatic, "unseen": case.unseen,
            "right_before": case.before.unit == case.handled_by, "right_after": case.after.unit == case.handled_by,
        }
        for case in shown
    ]  # fmt: skip
    return {"rows": rows, "total": len(found)}


ANSWERS: Final[dict[type, Answer]] = {
    c.RouteIncident: route_incident,
    RoutingAdvice: routing_advice,
    RoutingState: routing_state,
    Backtest: backtest,
    BacktestCases: backtest_cases,
}
