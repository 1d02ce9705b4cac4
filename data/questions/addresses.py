"""Questions about addresses: what a text says of a place, and which open incidents nobody can find (S20)."""

from __future__ import annotations

from typing import Any, Final

from data.incident_rows import ms
from data.questions.context import Answer, Ask, bounded
from data.questions.incidents import reporters_of
from data.scope import incident_scope, named
from incidents.address_commands import ReadAddress, UnplacedIncidents
from incidents.address_reading import resolve
from incidents.locating import told
from incidents.model import Rejected
from incidents.privacy import masked

LONGEST: Final = 500
"""Characters of a text that is read."""
UNPLACED: Final = (
    "i.cell = '' AND i.stage NOT IN ('closed', 'refused', 'void')"
    # What the platform tells of itself is of no place.
    " AND EXISTS (SELECT 1 FROM intake s WHERE s.incident_id = i.id AND s.kind <> 'check')"
)


def read_address(ask: Ask, query: ReadAddress) -> dict[str, Any]:
    """See ReadAddress: {status, why, candidates, area} and of a resolved one address, lon, lat, cell, precision_m, score,
    reasons."""
    if len(query.text) > LONGEST:
        raise Rejected("field", f"text: {len(query.text)} characters, at most {LONGEST}", field="text")
    with ask.database.transaction() as cursor:
        read = resolve(query.text, ask.book.book(cursor))
    answer = told(read)
    if read.found is not None:
        answer["cell"] = ask.place_of(read.found.lon, read.found.lat).cell
    return answer


def unplaced_incidents(ask: Ask, query: UnplacedIncidents) -> dict[str, Any]:
    """See UnplacedIncidents: {rows: id, number, title, text, address, level, stage, version, reported_at, area, read}."""
    scope, params = named(incident_scope(ask.actor))
    where = f"{scope} AND {UNPLACED}"
    with ask.database.transaction() as cursor:
        cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM incidents i WHERE {where} LIMIT 1000) n", params)
        ((total,),) = cursor.fetchall()
        cursor.execute(
            "SELECT i.id, i.number, i.title, i.text, i.address, i.level, i.stage, i.version, i.reported_at, i.area_path,"
            " (SELECT place_read FROM intake s WHERE s.incident_id = i.id AND place_read IS NOT NULL ORDER BY s.id LIMIT 1)"
            f" FROM incidents i WHERE {where} ORDER BY i.reported_at, i.id LIMIT %(limit)s",
            {**params, "limit": bounded(query.limit, 1, 500)},
        )
        rows = cursor.fetchall()
    names = (
        "id",
        "number",
        "title",
        "text",
        "address",
        "level",
        "stage",
        "version",
        "reported_at",
        "area",
        "read",
    )
    found = [dict(zip(names, row, strict=True)) for row in rows]
    said = reporters_of(ask, [row["id"] for row in found])
    shown = [masked({**row, "reported_at": ms(row["reported_at"])}, said.get(row["id"], ())) for row in found]
    return {"rows": shown, "total": total}


ANSWERS: Final[dict[type, Answer]] = {ReadAddress: read_address, UnplacedIncidents: unplaced_incidents}
