"""Views that people keep of their pages, inside the caller's transaction."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import orjson

from data.database import Cursor, Database, json
from incidents.desk_commands import DeleteView, SavedViews, SaveView
from incidents.model import Actor, Rejected

MOST_BYTES: Final = 20_000
MOST_VIEWS: Final = 50
_PAGE: Final = re.compile(r"[a-z]{2,20}")


def save_view(cursor: Cursor, command: SaveView, actor: Actor, now: datetime) -> dict[str, Any]:
    """See SaveView. Raises Rejected."""
    name = command.name.strip()
    if not 1 <= len(name) <= 40:
        raise Rejected("field", f"name={name[:60]!r}: must be 1 to 40 characters", field="name")
    if not _PAGE.fullmatch(command.page):
        raise Rejected("field", f"page={command.page[:60]!r}: must be the name of a page", field="page")
    if len(orjson.dumps(command.content)) > MOST_BYTES:
        raise Rejected("field", f"content: must be at most {MOST_BYTES} bytes", field="content")
    if command.shared and not actor.unit:
        raise Rejected("rule", "shared=True: your account belongs to no unit", field="shared")
    cursor.execute(
        "SELECT count(*) FROM saved_views WHERE login = %s AND page = %s AND name <> %s",
        (actor.login, command.page, name),
    )
    row = cursor.fetchone()
    if row and row[0] >= MOST_VIEWS:
        raise Rejected("rule", f"name={name!r}: {MOST_VIEWS} views are kept; delete one first", field="name")
    cursor.execute(
        "INSERT INTO saved_views (login, unit, page, name, content, saved_at) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (login, page, name) DO UPDATE SET unit = EXCLUDED.unit, content = EXCLUDED.content,"
        " saved_at = EXCLUDED.saved_at RETURNING id",
        (actor.login, actor.unit if command.shared else "", command.page, name, json(command.content), now),
    )
    row = cursor.fetchone()
    assert row is not None
    return {"id": row[0], "name": name}


def delete_view(cursor: Cursor, command: DeleteView, actor: Actor, now: datetime) -> dict[str, Any]:
    """See DeleteView. Raises Rejected."""
    if not 0 <= command.id < 2**63:
        raise Rejected("not_found", f"id={command.id!r}: no such view of yours", field="id")
    cursor.execute(
        "DELETE FROM saved_views WHERE id = %s AND login = %s RETURNING name", (command.id, actor.login)
    )
    row = cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"id={command.id!r}: no such view of yours", field="id")
    return {"id": command.id, "name": row[0]}


def saved_views(database: Database, query: SavedViews, actor: Actor) -> list[dict[str, Any]]:
    """See SavedViews."""
    return database.dicts(
        "SELECT v.id, v.name, v.content, v.login = %(login)s AS own, v.unit <> '' AS shared, a.name AS author"
        " FROM saved_views v LEFT JOIN accounts a ON a.login = v.login WHERE v.page = %(page)s"
        " AND (v.login = %(login)s OR v.unit <> '' AND v.unit = %(unit)s) ORDER BY own DESC, v.name, v.id",
        {"login": actor.login, "unit": actor.unit, "page": query.page},
    )


HANDLERS: Final[dict[type, Callable[[Cursor, Any, Actor, datetime], dict[str, Any]]]] = {
    SaveView: save_view,
    DeleteView: delete_view,
}
