"""Questions to a person about a period (`incidents/doubts.py`), and the burden of field work by kind and town (S17, F15)."""

from __future__ import annotations

from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from data.database import Cursor
from data.incident_rows import ms
from data.questions.context import Answer, Ask, bounded
from data.questions.evaluation import areas_of, days_of, period_in
from data.scope import prefixes
from incidents import burden, doubts
from incidents.evaluation_queries import EvaluationDoubts, FieldBurden
from incidents.privacy import masked

_HANDLED: Final = (
    "incident_facts f WHERE f.handled_at >= %(begin)s AND f.handled_at < %(end)s AND NOT f.merged"
    " AND f.area LIKE ANY(%(areas)s)"
)
_REPORTED: Final = (
    "incident_facts f WHERE f.reported_at >= %(begin)s AND f.reported_at < %(end)s AND NOT f.merged"
    " AND f.area LIKE ANY(%(areas)s)"
)

# 0: a picture without any contrast, which resembles every other. At most three bits differ, so at least one of four 16-bit parts is the same: those are looked up, the rest is counted.
_PHOTOS: Final = (
    "WITH used AS (SELECT p.incident_id, p.sha256, p.purpose, l.likeness, p.at >= %(begin)s AND p.at < %(end)s AS now"
    " FROM incident_photos p JOIN photo_likeness l USING (sha256) JOIN incident_facts f USING (incident_id)"
    " WHERE p.at >= %(photos)s AND p.at < %(end)s AND l.likeness <> 0 AND f.area LIKE ANY(%(areas)s)),"
    " parts AS (SELECT u.*, n, (u.likeness >> (16 * n)) & 65535 AS part FROM used u, generate_series(0, 3) n)"
    " SELECT a.incident_id, (array_agg(DISTINCT b.incident_id))[1:5] FROM parts a JOIN parts b ON a.n = b.n AND a.part = b.part"
    " WHERE a.purpose = 'handle' AND a.now AND bit_count((a.likeness # b.likeness)::bit(64)) <= %(bits)s"
    " AND (a.incident_id <> b.incident_id OR b.purpose = 'report') GROUP BY 1 ORDER BY 1"
)
_FAR: Final = (
    "SELECT incident_id, metres FROM (SELECT f.incident_id, max(111195 * sqrt(((t.detail ->> 'lat')::float - i.lat) ^ 2"
    " + (((t.detail ->> 'lon')::float - i.lon) * cos(radians(i.lat))) ^ 2)) AS metres"
    " FROM timeline t JOIN incidents i ON i.id = t.incident_id JOIN incident_facts f ON f.incident_id = t.incident_id"
    " AND f.incident_id IN (SELECT f.incident_id FROM " + _HANDLED + ")"
    " WHERE t.action = 'arrive' AND t.detail ? 'lat' AND i.lat IS NOT NULL GROUP BY 1) x WHERE metres > %(far)s ORDER BY 1"
)
_SECONDS: Final = (
    "SELECT f.incident_id, extract(epoch FROM f.closed_at - f.reported_at) FROM incident_facts f"
    " WHERE f.handled_at >= %(begin)s AND f.handled_at < %(end)s AND NOT f.merged AND f.area LIKE ANY(%(areas)s)"
    " AND f.closed_at - f.reported_at < %(seconds)s ORDER BY 1"
)
_OWN: Final = (
    "SELECT f.incident_id, f.unit FROM incident_facts f WHERE f.incident_id IN (SELECT f.incident_id FROM "
    + _HANDLED
    + ")"
    " AND EXISTS (SELECT 1 FROM timeline r JOIN timeline h ON h.incident_id = r.incident_id AND h.action = 'feed_back'"
    " AND h.actor_id = r.actor_id WHERE r.incident_id = f.incident_id AND r.action = 'report' AND r.actor_id > 0) ORDER BY 1"
)
_BURST: Final = (
    "WITH days AS (SELECT day::date, extract(day FROM day + %(ahead)s * interval '1 day') <= %(ahead)s AS last"
    " FROM generate_series(%(first)s::date, %(until)s::date, interval '1 day') day), found AS (SELECT f.incident_id, f.unit,"
    " (f.reported_at AT TIME ZONE %(zone)s)::date AS day FROM " + _REPORTED + " AND f.unit <> '')"
    " SELECT unit, count(*) FILTER (WHERE last), count(*) FILTER (WHERE NOT last),"
    " (SELECT count(*) FROM days WHERE last), (SELECT count(*) FROM days WHERE NOT last),"
    " array_agg(incident_id ORDER BY incident_id) FILTER (WHERE last) FROM found JOIN days USING (day) GROUP BY 1 ORDER BY 1"
)
_ROWS: Final = (
    "SELECT i.id, i.number, i.title, i.class_name, coalesce(u.name, i.unit), i.reported_at FROM incidents i"
    " LEFT JOIN units u ON u.code = i.unit WHERE i.id = ANY(%s) ORDER BY i.id"
)
_NAMES: Final = ("id", "number", "title", "class_name", "unit", "reported_at")


def _count(cursor: Cursor, counted: str, asked: dict[str, Any]) -> int:
    cursor.execute(f"{_COUNT} {counted}", asked)
    (found,) = cursor.fetchone() or (0,)
    return int(found)


_COUNT: Final = "SELECT count(*) FROM"


def _bursts(cursor: Cursor, asked: dict[str, Any]) -> tuple[dict[int, str], list[str]]:
    """Incidents of units whose last days of a month had far more reports than the others; and those units."""
    cursor.execute(_BURST, asked)
    found: dict[int, str] = {}
    units = []
    for unit, last, other, last_days, other_days, ids in cursor.fetchall():
        if not last_days or not other_days or last < doubts.BURST_LEAST:
            continue
        a_day, usual = last / last_days, other / other_days
        if a_day >= doubts.BURST_TIMES * usual:
            units.append(unit)
            found |= dict.fromkeys(ids, f"{unit}: {a_day:.1f} / {usual:.1f}")
    return found, units


def evaluation_doubts(ask: Ask, query: EvaluationDoubts) -> dict[str, Any]:
    """See EvaluationDoubts."""
    areas, (begin, end) = areas_of(ask, query.area), days_of(query.begin, query.end)
    period = period_in(ask, begin, end)
    asked = {
        "begin": period.begin, "end": period.end, "areas": prefixes(areas), "photos": period.begin - doubts.PHOTOS_BACK,
        "bits": doubts.ALIKE_BITS, "far": doubts.FAR_M, "seconds": doubts.SECONDS, "first": begin, "zone": ask.zone,
        "until": min(end, ask.now.astimezone(ZoneInfo(ask.zone)).date()), "ahead": doubts.MONTH_END_DAYS,
    }  # fmt: skip
    found: dict[str, dict[int, str]] = {}
    with ask.database.transaction() as cursor:
        cursor.execute(_PHOTOS, asked)
        found["reused_photo"] = {id: ", ".join(map(str, others)) for id, others in cursor.fetchall()}
        for kind, sql, words in (
            ("far_away", _FAR, "{:.0f} m"), ("in_seconds", _SECONDS, "{:.0f} s"), ("own_report", _OWN, "{}"),
        ):  # fmt: skip
            cursor.execute(sql, asked)
            found[kind] = {id: words.format(fact) for id, fact in cursor.fetchall()}
        found["month_end"], _ = _bursts(cursor, asked)
        handled, reported = _count(cursor, _HANDLED, asked), _count(cursor, _REPORTED, asked)
        waiting = _count(
            cursor, "photos p LEFT JOIN photo_likeness l USING (sha256) WHERE l.sha256 IS NULL", {}
        )
    limit = bounded(query.limit, 1, 200)
    return {
        "photos_waiting": waiting,
        "questions": [
            {
                "kind": kind, "found": len(found[kind]), "of": reported if kind == "month_end" else handled,
                "rows": _rows(ask, found[kind], limit),
            }
            for kind in doubts.KINDS
        ],
    }  # fmt: skip


def _rows(ask: Ask, found: dict[int, str], limit: int) -> list[dict[str, Any]]:
    rows = ask.database.query(_ROWS, (sorted(found)[:limit],))
    made: list[dict[str, Any]] = [masked(dict(zip(_NAMES, row, strict=True))) for row in rows]
    return [{**row, "reported_at": ms(row["reported_at"]), "why": found[row["id"]]} for row in made]


_BURDEN: Final = (
    "SELECT class_code, town, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY minutes) FROM ("
    " SELECT f.class_code, (regexp_match(f.area, '^([^/]+/[^/]+/[^/]+/)'))[1] AS town,"
    " extract(epoch FROM f.handled_at - max(t.at)) / 60 AS minutes FROM incident_facts f"
    " JOIN timeline t ON t.incident_id = f.incident_id AND t.action = 'take' AND t.at <= f.handled_at"
    " WHERE f.incident_id IN (SELECT f.incident_id FROM " + _HANDLED + ") GROUP BY f.incident_id) x"
    " GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
)


def field_burden(ask: Ask, query: FieldBurden) -> dict[str, Any]:
    """See FieldBurden."""
    areas, days = areas_of(ask, query.area), days_of(query.begin, query.end)
    period = period_in(ask, *days)
    found = ask.database.query(_BURDEN, {"begin": period.begin, "end": period.end, "areas": prefixes(areas)})
    towns = dict(
        ask.database.query("SELECT path, name FROM areas WHERE path = ANY(%s)", ([r[1] for r in found],))
    )
    classes = dict(
        ask.database.query(
            "SELECT DISTINCT ON (code) code, name FROM event_classes WHERE code = ANY(%s) ORDER BY code, version DESC",
            ([r[0] for r in found],),
        )
    )
    told = [row for row in found if row[2] >= doubts.BURDEN_LEAST]
    return {
        "forms": _forms(ask, areas, *days),
        "least": doubts.BURDEN_LEAST, "withheld": sum(row[2] for row in found) - sum(row[2] for row in told),
        "rows": [
            {
                "class": code, "class_name": classes.get(code, code), "town": town or "", "town_name": towns.get(town, ""),
                "tasks": count, "median_min": round(float(median), 1),
            }
            for code, town, count, median in told
        ],
    }  # fmt: skip


_FORMS: Final = (
    "WITH sent AS (SELECT form, (regexp_match(area_path, '^([^/]+/[^/]+/[^/]+/)'))[1] AS town, day, seconds, taps, person"
    " FROM form_efforts WHERE day BETWEEN %(begin)s AND %(end)s AND area_path LIKE ANY(%(areas)s)),"
    # A person has another mark each month: people are counted within one.
    " months AS (SELECT form, town, count(DISTINCT person) AS people FROM sent GROUP BY 1, 2, date_trunc('month', day)),"
    " people AS (SELECT form, town, max(people) AS people FROM months GROUP BY 1, 2)"
    " SELECT s.form, s.town, count(*), p.people, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.seconds),"
    " percentile_cont(0.9) WITHIN GROUP (ORDER BY s.seconds), percentile_cont(0.5) WITHIN GROUP (ORDER BY s.taps)"
    " FROM sent s JOIN people p ON p.form = s.form AND p.town IS NOT DISTINCT FROM s.town"
    " GROUP BY 1, 2, 4 ORDER BY 3 DESC, 1, 2"
)


def _forms(ask: Ask, areas: tuple[str, ...], begin: date, end: date) -> dict[str, Any]:
    """Seconds on the phone's forms by form and town, of groups that are large enough to be nobody's."""
    found = ask.database.query(_FORMS, {"begin": begin, "end": end, "areas": prefixes(areas)})
    towns = dict(
        ask.database.query("SELECT path, name FROM areas WHERE path = ANY(%s)", ([r[1] for r in found],))
    )
    told = [row for row in found if row[2] >= burden.LEAST and row[3] >= burden.LEAST_PEOPLE]
    return {
        "least": burden.LEAST, "people": burden.LEAST_PEOPLE,
        "withheld": sum(row[2] for row in found) - sum(row[2] for row in told),
        "rows": [
            {
                "form": form, "town": town or "", "town_name": towns.get(town, ""), "count": count,
                "median_s": round(float(median), 1), "p90_s": round(float(late), 1), "taps": round(float(taps), 1),
            }
            for form, town, count, _, median, late, taps in told
        ],
    }  # fmt: skip


ANSWERS: Final[dict[type, Answer]] = {EvaluationDoubts: evaluation_doubts, FieldBurden: field_burden}
