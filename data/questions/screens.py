"""Questions about the screens of the wall."""

from __future__ import annotations

from typing import Any, Final

from data.questions.context import Answer, Ask
from data.screens import live_item
from incidents.access import covers
from incidents.screen_commands import Screens


def screens(ask: Ask, query: Screens) -> dict[str, Any]:
    """See Screens: {rows: what `data.screens.live_item` says of each, with areas, area_names, address, paired_by, paired_at,
    last_seen, revoked_by, revoked_at (None: paired)}."""
    rows = ask.database.dicts(
        "SELECT s.*, a.login, (SELECT max(last_seen) FROM sessions WHERE account = s.account) AS last_seen,"
        " (SELECT array_agg(r.name ORDER BY r.path) FROM areas r WHERE r.path = ANY(s.areas)) AS area_names"
        " FROM screens s JOIN accounts a ON a.id = s.account WHERE (%s OR s.revoked_at IS NULL) ORDER BY s.id DESC LIMIT 200",
        (query.revoked,),
    )
    more = (
        "areas", "area_names", "address", "paired_by", "paired_at", "last_seen", "revoked_by", "revoked_at",
    )  # fmt: skip
    mine = (row for row in rows if covers(ask.actor.areas, row["areas"][0]))
    return {"rows": [live_item(row) | {name: row[name] for name in more} for row in mine]}


ANSWERS: Final[dict[type, Answer]] = {Screens: screens}
