"""Marks on everybody's map in the store. A mark is one row and never changes but to end; live it is one item per area of its
points, so that whoever sees one of the places has it (screens show each mark once)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from data.database import Cursor, Database, dicts, json
from data.device_registry import Handler, PlaceOf
from data.incident_rows import ms
from data.live_outbox import show
from incidents.access import Thing, may
from incidents.marks import checked
from incidents.model import Actor, Rejected
from incidents.screen_commands import ClearMark, DrawMark

MOST_STANDING: Final = 300
"""Of the whole city: a map full of marks says nothing."""

_DEEPEST: Final = 5  # city, district, town, village, duty grid: nobody has less than a duty grid
_COLUMNS: Final = "id, shape, points, word, areas, drawn_by, drawn_name, drawn_at, ends_at"


def live_items(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A mark as live items, one per area: {mark, shape, points, word, by, name, drawn_at, ends_at (ms)}."""
    what = {
        "mark": row["id"],
        "shape": row["shape"],
        "points": row["points"],
        "word": row["word"],
        "by": row["drawn_by"],
        "name": row["drawn_name"],
        "drawn_at": ms(row["drawn_at"]),
        "ends_at": ms(row["ends_at"]),
    }
    return [
        {"kind": "mark", "key": key, "area": area, **what}
        for (_, key), area in zip(live_keys(row), row["areas"], strict=True)
    ]


def live_keys(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(kind, key) of each of a mark's items."""
    return [("mark", f"{row['id']}.{n}") for n in range(len(row["areas"]))]


def mark_items(database: Database, now: datetime) -> Iterator[dict[str, Any]]:
    """Every mark that stands, for a rebuild of the live state."""
    for row in database.dicts(
        f"SELECT {_COLUMNS} FROM marks WHERE cleared_at IS NULL AND ends_at > %s ORDER BY id", (now,)
    ):
        yield from live_items(row)


def ended(database: Database, now: datetime) -> list[dict[str, Any]]:
    """Marks whose time is over and that nobody has cleared: id, areas."""
    return database.dicts(
        "SELECT id, areas FROM marks WHERE cleared_at IS NULL AND ends_at <= %s ORDER BY id LIMIT 500", (now,)
    )


def end(database: Database, ids: list[int]) -> None:
    """They are off the screens."""
    database.query("UPDATE marks SET cleared_at = ends_at WHERE id = ANY(%s) AND cleared_at IS NULL", (ids,))


def _draw(
    cursor: Cursor, command: DrawMark, actor: Actor, now: datetime, place_of: PlaceOf
) -> dict[str, Any]:
    points = checked(command)
    found = [place_of(lon, lat).area_path for lon, lat in points]
    areas = list(dict.fromkeys("".join(f"{x}/" for x in path.split("/")[:_DEEPEST] if x) for path in found))
    if len(areas) > 1:
        areas = [area for area in areas if area]  # a point at sea belongs to whom the others belong to
    for area in areas:
        decision = may(actor, "mark.draw", Thing(area))
        if not decision:
            raise Rejected("forbidden", f"mark.draw: {decision.reason}", field="actor")
    cursor.execute("SELECT count(*) FROM marks WHERE cleared_at IS NULL AND ends_at > %s", (now,))
    if (cursor.fetchone() or (0,))[0] >= MOST_STANDING:
        raise Rejected("rule", f"marks: {MOST_STANDING} stand already; clear some first", field="marks")
    cursor.execute(
        "INSERT INTO marks (shape, points, word, areas, drawn_by, drawn_name, drawn_at, ends_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s + make_interval(mins => %s))"
        f" RETURNING {_COLUMNS}",
        (
            command.shape, json([list(point) for point in points]), command.word.strip(), areas, actor.login,
            actor.name, now, now, command.minutes,
        ),
    )  # fmt: skip
    (row,) = dicts(cursor)
    show(cursor, now, live_items(row))
    return {"mark": row["id"], "ends_at": row["ends_at"].isoformat()}


def _clear(
    cursor: Cursor, command: ClearMark, actor: Actor, now: datetime, _place_of: PlaceOf
) -> dict[str, Any]:
    known = 0 <= command.mark < 2**63
    cursor.execute(
        f"SELECT {_COLUMNS}, cleared_at FROM marks WHERE id = %s FOR UPDATE",
        (command.mark if known else -1,),
    )
    rows = dicts(cursor)
    if not rows:
        raise Rejected("not_found", f"mark={command.mark}: there is no such mark", field="mark")
    for area in rows[0]["areas"] if rows[0]["drawn_by"] != actor.login else ():
        decision = may(actor, "screen.drive", Thing(area))
        if not decision:
            raise Rejected("forbidden", f"mark.draw: drawn by another; {decision.reason}", field="actor")
    if rows[0]["cleared_at"] is not None:
        return {"mark": command.mark}  # two who clear the same mark both have what they want
    cursor.execute(
        "UPDATE marks SET cleared_at = %s, cleared_by = %s WHERE id = %s", (now, actor.login, command.mark)
    )
    show(cursor, now, gone=live_keys(rows[0]))
    return {"mark": command.mark}


HANDLERS: Final[dict[type, Handler]] = {DrawMark: _draw, ClearMark: _clear}
