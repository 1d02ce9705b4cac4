"""GET /api/v1/export/evaluation.xlsx and .pdf: the evaluation of a month, of what this account may see."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import date
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from callbacks.http.deps import Deps
from callbacks.http.login import actor_of
from callbacks.http.rights import require
from incidents.evaluation_queries import Evaluation
from layouts.month_report import GROUPINGS, MonthReport, month_report
from layouts.month_report_pdf import pdf
from layouts.month_report_xlsx import xlsx
from layouts.shell.view import View
from layouts.text import COOKIE, language_of

FORMATS: Final[dict[str, tuple[Callable[[MonthReport], bytes], str]]] = {
    "xlsx": (xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "pdf": (pdf, "application/pdf"),
}
Month = Annotated[str, Query(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", description="YYYY-MM")]


def month_report_router(deps: Deps) -> APIRouter:
    """One route for each format."""
    router = APIRouter()
    for kind in FORMATS:
        router.add_api_route(
            f"/api/v1/export/evaluation.{kind}",
            _route(deps, kind),
            methods=["GET"],
            tags=["export"],
            response_class=Response,
        )
    return router


def _route(deps: Deps, kind: str) -> Callable[..., Response]:
    make, media = FORMATS[kind]

    def export(request: Request, month: Month, area: Annotated[str, Query(max_length=200)] = "") -> Response:
        """The rates of a month in an area (default: the account's own), with their ranks by area, unit, post, class, source."""
        actor, thing = actor_of(request), f"month_report:{month} {area} {kind}"
        require(deps, actor, "evaluation.see", thing)
        lang = language_of(request.cookies.get(COOKIE), request.headers.get("accept-language", ""))
        first = date.fromisoformat(f"{month}-01")
        days = first.isoformat(), first.replace(day=monthrange(first.year, first.month)[1]).isoformat()
        answers = {by: deps.service.ask(Evaluation(*days, by, area), actor) for by in GROUPINGS}
        report = month_report(View(lang, deps.timezone, actor, ""), answers)
        deps.audit.append(
            actor=actor.login, role=actor.role, action="evaluation.see", thing=thing, allowed=True, now=deps.now(),
        )  # fmt: skip
        name = quote(f"{report.title}.{kind}")
        disposition = f"attachment; filename=\"evaluation-{month}.{kind}\"; filename*=UTF-8''{name}"
        return Response(make(report), media_type=media, headers={"Content-Disposition": disposition})

    return export
