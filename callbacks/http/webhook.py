"""POST /api/v1/feeds/{feed}/records: sources that send to us, each in its own form, signed in its own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from callbacks.http.errors import Problem
from incidents.ports import BusRefused, BusUnavailable

Take = Callable[[str, Mapping[str, str], bytes], Mapping[str, Any]]
"""`streams.feeds.webhook_intake.WebhookIntake.take`."""

_REFUSALS: Final[Mapping[str, tuple[int, str, str]]] = {
    "unsigned": (401, "login", "the request is not signed as this feed's"),
    "disabled": (403, "forbidden", "the feed is disabled"),
    "broken": (503, "away", "the feed's configuration cannot be used; its operator has been told"),
}

log = structlog.get_logger()


def webhook_router(take: Take, store_away: tuple[type[Exception], ...]) -> APIRouter:
    """The route."""
    router = APIRouter()
    away: tuple[type[Exception], ...] = (BusUnavailable, *store_away)

    @router.post("/api/v1/feeds/{feed}/records", tags=["messages"], status_code=202)
    async def records(request: Request, feed: str) -> Response:
        """Records of a feed of the kind `webhook`, in the source's own form.

        202 only after the bus holds what the mapping made of them; a record that cannot be mapped is set aside,
        counted and kept among the dead letters.
        """
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.body()
        try:
            answer = await run_in_threadpool(take, feed, headers, body)
        except away as error:
            log.warning("webhook waits", feed=feed[:200], error=str(error))
            sentence = "nothing is known to be accepted; send the same again"
            raise Problem(503, "away", sentence, headers={"Retry-After": "2"}) from None
        except BusRefused as error:
            raise Problem(507, "bus_refused", str(error), headers={"Retry-After": "30"}) from None
        if answer["outcome"] in _REFUSALS:
            status, code, sentence = _REFUSALS[answer["outcome"]]
            raise Problem(status, code, sentence, field="feed")
        return JSONResponse({"accepted": answer["accepted"], "set_aside": answer["set_aside"]}, 202)

    return router
