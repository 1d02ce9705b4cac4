"""The live endpoints: GET /api/v1/live/snapshot and GET /live (server-sent events)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from callbacks.http.errors import Problem
from callbacks.http.login import session_of
from callbacks.live_columns import MEDIA_TYPE
from callbacks.live_hub import LiveHub

_SINCE: Final = re.compile(r"([0-9a-f]{1,32}):([0-9]{1,15})")
_SILENT: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def live_router(hub: LiveHub) -> APIRouter:
    """The two routes over `hub`."""
    router = APIRouter()

    @router.get("/api/v1/live/snapshot", tags=["live"])
    async def snapshot(request: Request) -> Response:
        """The live state as this account may see it: {"epoch","n","now","items":{kind:{key:item}}}, gzipped. Who accepts
        `application/vnd.chengyun.columns+json` is given kinds of many items as "columns" instead."""
        columns = MEDIA_TYPE in request.headers.get("accept", "")
        body = await run_in_threadpool(hub.snapshot, session_of(request).actor, columns)
        if body is None:
            sentence = "the live state is being rebuilt; try again"
            raise Problem(503, "away", sentence, headers={"Retry-After": "1"})
        headers = {"Content-Encoding": "gzip", "Cache-Control": "no-store", "Vary": "Accept"}
        return Response(body, media_type=MEDIA_TYPE if columns else "application/json", headers=headers)

    @router.get("/live", tags=["live"], response_class=StreamingResponse)
    async def live(
        request: Request, since: str = Query("", alias="from", description="<epoch>:<n> of the snapshot")
    ) -> Response:
        """Deltas after a version as server-sent events: `delta`, `reset` (take a new snapshot), `end` (session
        over), `beat` every 5 s."""
        session = session_of(request)
        # After a dropped connection the browser itself says where it was.
        found = _SINCE.fullmatch(request.headers.get("last-event-id", "") or since)
        if found is None:
            return StreamingResponse(_reset(), media_type="text/event-stream", headers=_SILENT)
        # The task of the whole request: what Starlette runs the stream in cannot be cancelled from outside.
        task = asyncio.current_task()
        frames = hub.stream(session.actor, session.token_hash, found[1], int(found[2]), task)
        return _Closing(frames, media_type="text/event-stream", headers=_SILENT)

    return router


class _Closing(StreamingResponse):
    """Closes its frames at the end, however it comes: a cut-off stream must not linger until garbage is collected."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if isinstance(self.body_iterator, AsyncGenerator):
                await self.body_iterator.aclose()


async def _reset() -> AsyncIterator[bytes]:
    yield b"event: reset\ndata: {}\n\n"
