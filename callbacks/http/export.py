"""GET /api/v1/export/incidents.xlsx: the incident list as filtered and as allowed."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from itertools import chain, islice
from typing import Annotated, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from pydantic import BaseModel

from callbacks.http.commands import model_of, plain
from callbacks.http.deps import Deps
from callbacks.http.errors import Problem
from callbacks.http.login import actor_of
from callbacks.http.rights import require
from incidents.commands import IncidentList
from incidents.model import Actor
from layouts.text import COOKIE, language_of, t

MOST_ROWS: Final = 50_000
_PAGE: Final = 5000
_ALL: Final = 10_000_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_MEDIA: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_COLUMNS: Final = (
    ("number", "word.number"), ("class_name", "word.class"), ("title", "word.title"), ("level", "word.level"),
    ("stage", "word.stage"), ("address", "word.address"), ("lon", "export.lon"), ("lat", "export.lat"),
    ("unit_name", "word.unit"), ("worker_name", "word.worker"), ("reported_at", "word.reported_at"),
    ("stage_due_at", "export.stage_due"), ("handle_due_at", "export.handle_due"),
    ("closed_at", "export.closed_at"), ("overdue", "word.overdue"), ("sources", "word.sources"),
)  # fmt: skip
_TIMES: Final = frozenset({"reported_at", "stage_due_at", "handle_due_at", "closed_at"})


def neutral(text: str) -> str:
    """Text that no spreadsheet takes for a formula, without characters that XML cannot hold."""
    clean = str(ILLEGAL_CHARACTERS_RE.sub("", text))
    return "'" + clean if clean.startswith(_FORMULA) else clean


def export_router(deps: Deps) -> APIRouter:
    """The route; its filters are those of the query `incidents`."""
    router = APIRouter()
    model = model_of(IncidentList, strict=False)
    zone = ZoneInfo(deps.timezone)

    def export(request: Request, asked: BaseModel) -> Response:
        """The incidents that this account may see and that fit the filters, newest first, as XLSX."""
        actor = actor_of(request)
        require(deps, actor, "incident.export", f"incidents:{request.url.query[:200]}")
        lang = language_of(request.cookies.get(COOKIE), request.headers.get("accept-language", ""))
        query = IncidentList(**plain(asked))
        content, rows = _workbook(_rows(deps, actor, query), lang, zone)
        deps.audit.append(
            actor=actor.login,
            role=actor.role,
            action="incident.export",
            thing=f"incidents:{request.url.query[:200]}",
            allowed=True,
            now=deps.now(),
            detail={"rows": rows},
        )
        day = deps.now().astimezone(zone).strftime("%Y%m%d-%H%M")
        name = quote(f"{t(lang, 'export.file')}-{day}.xlsx")
        disposition = f"attachment; filename=\"incidents-{day}.xlsx\"; filename*=UTF-8''{name}"
        return Response(content, media_type=_MEDIA, headers={"Content-Disposition": disposition})

    export.__annotations__["asked"] = Annotated[model, Query()]
    router.add_api_route(
        "/api/v1/export/incidents.xlsx",
        export,
        methods=["GET"],
        tags=["export"],
        response_class=Response,
    )
    return router


def _rows(deps: Deps, actor: Actor, query: IncidentList) -> Iterator[Mapping[str, Any]]:
    # Words are counted to the end only by a page that could hold them all.
    asked = replace(query, limit=MOST_ROWS + 1 if query.text else _PAGE, offset=0, after="", most=_ALL)
    while True:
        answer = deps.service.ask(asked, actor)
        if (total := answer["total"] or 0) > MOST_ROWS:
            rule = f"{total} incidents fit, at most {MOST_ROWS} in one file: filter further"
            raise Problem(422, "rule", f"filters: {rule}", field="filters", total=total, most=MOST_ROWS)
        yield from answer["rows"]
        if not answer["next"]:
            return
        asked = replace(asked, after=answer["next"])


def _workbook(rows: Iterator[Mapping[str, Any]], lang: str, zone: tzinfo) -> tuple[bytes, int]:
    first = list(islice(rows, 1))  # before the book: a refusal must not leave a half-written one behind
    book = Workbook(write_only=True)
    sheet = book.create_sheet(t(lang, "export.sheet"))
    sheet.freeze_panes = "A2"
    for column, width in zip(
        "ABCDEFGHIJKLMNOP", (22, 18, 36, 8, 10, 30, 11, 11, 20, 12, 19, 19, 19, 19, 8, 8), strict=True
    ):
        sheet.column_dimensions[column].width = width
    sheet.append([_heading(name, key, lang, zone) for name, key in _COLUMNS])
    count = 0
    for row in chain(first, rows):
        sheet.append([_cell(name, row.get(name), lang, zone) for name, _ in _COLUMNS])
        count += 1
    out = io.BytesIO()
    book.save(out)
    return out.getvalue(), count


def _heading(name: str, key: str, lang: str, zone: tzinfo) -> str:
    words = t(lang, key)
    return t(lang, "export.local", name=words, zone=str(zone)) if name in _TIMES else words


def _cell(name: str, value: Any, lang: str, zone: tzinfo) -> Any:
    if value is None or value == "":
        return None
    if name in _TIMES:
        # Spreadsheets know no time zones: the heading says which one it is.
        return datetime.fromtimestamp(value / 1000, UTC).astimezone(zone).replace(tzinfo=None, microsecond=0)
    if name == "level":
        return t(lang, f"level.{value}")
    if name == "stage":
        return t(lang, f"stage.{value}")
    if isinstance(value, bool):
        return t(lang, "word.yes" if value else "word.no")
    return value if isinstance(value, int | float) else neutral(str(value))
