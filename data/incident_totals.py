"""How many incidents there are, counted in the store per area: the live state keeps only the newest of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

from data.boards import OPEN_ITEMS
from data.database import Database
from data.incident_rows import ms
from data.questions.incidents import OPEN, OVERDUE
from data.shown_areas import SHOWN, SHOWN_AREAS
from incidents.indicators import ancestors

LEVELS: Final = (1, 2, 3, 4)
_DEEPEST: Final = 4
"""City, district, town, village: as deep as `ancestors` goes."""


def total_items(database: Database, city: str, now: datetime, zone: tzinfo) -> list[dict[str, Any]]:
    """One live item per area down to the village: open (by level, by stage), overdue; reported and closed since the
    city's midnight. `capped`: the live state holds only the newest `OPEN_ITEMS` of level III and IV.

    An incident whose place is not resolved counts for the city, as it does for the indicators.
    """
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    params = {"city": city, "now": now, "midnight": midnight}
    totals: dict[str, Counter[str]] = defaultdict(Counter)

    def add(path: str, what: str, number: int) -> None:
        for area in ancestors(path):
            totals[area][what] += number

    for path, level, stage, number, late in database.query(
        f"SELECT {SHOWN}, i.level, i.stage, count(*), count(*) FILTER (WHERE {OVERDUE}) FROM incidents i{SHOWN_AREAS}"
        f" WHERE {OPEN} GROUP BY 1, 2, 3",
        params,
    ):
        for what in ("open", f"level {level}", f"stage {stage}"):
            add(path, what, number)
        add(path, "overdue", late)
    for what, condition in (
        ("today", "i.reported_at >= %(midnight)s"),
        ("closed", "i.stage = 'closed' AND i.closed_at >= %(midnight)s"),
    ):
        counted = f"SELECT {SHOWN}, count(*) FROM incidents i{SHOWN_AREAS} WHERE {condition} GROUP BY 1"
        for path, number in database.query(counted, params):
            add(path, what, number)
    return of_areas(database, totals, city, now)


def of_areas(
    database: Database, totals: Mapping[str, Counter[str]], city: str, now: datetime
) -> list[dict[str, Any]]:
    """The items of counts per area path. Every area, not only those with incidents: a figure that has become nought
    must be told, too."""
    areas = {
        city,
        *(path for (path,) in database.query("SELECT path FROM areas") if path.count("/") <= _DEEPEST),
    }
    found = totals.get(city, Counter())
    capped = found["level 3"] + found["level 4"] > OPEN_ITEMS
    return [_item(area, totals.get(area, Counter()), capped, now) for area in sorted(areas)]


def _item(area: str, found: Counter[str], capped: bool, now: datetime) -> dict[str, Any]:
    return {
        "kind": "trend",
        "key": f"totals@{area.rstrip('/').rsplit('/', 1)[-1]}",
        "area": area,
        **{what: found[what] for what in ("open", "overdue", "today", "closed")},
        "levels": [found[f"level {level}"] for level in LEVELS],
        "stages": {
            what.removeprefix("stage "): n for what, n in sorted(found.items()) if what.startswith("stage ")
        },
        "capped": capped,
        "as_of": ms(now),
    }
