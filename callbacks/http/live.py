"""The live endpoints: GET /api/v1/live/snapshot and GET /live (server-sent events)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from callbacks.http.errors import Problem
from callbacks.http.login import session_of
from callbacks.live_hub import LiveHub

_SINCE: Final = re.compile(r"([0-9a-f]{1,32}):([0-9]{1,15})")
_SILENT: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def live_router(hub: LiveHub) -> APIRouter:
    """The two routes over `hub`."""
    router = APIRouter()

    @router.get("/api/v1/live/snapshot", tags=["live"])
    async def snapshot(request: Request) -> Response:
        """The live state as this account may see it: {"epoch","n","now","items":{kind:{key:item}}}, gzipped."""
        body = await run_in_threadpool(hub.snapshot, session_of(request).actor)
        if body is None:
            sentence = "the live state is being rebuilt; try again"
            raise Problem(503, "away", sentence, headers={"Retry-After": "1"})
        headers = {"Content-Encoding": "gzip", "Cache-Control": "no-store"}
        return Response(body, media_type="application/json", headers=headers)

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
        frames = hub.stream(session.actor, session.token_hash, found[1], int(found[2]))
        return StreamingResponse(frames, media_type="text/event-stream", headers=_SILENT)

    return router


async def _reset() -> AsyncIterator[bytes]:
    yield b"event: reset\ndata: {}\n\n"
