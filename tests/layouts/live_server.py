"""A live endpoint for tests of the browser's live client: the protocol, and handles to disturb it.

python -m tests.layouts.live_server PORT EPOCH
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles

from callbacks.http.text import text_router

ROOT = Path(__file__).resolve().parents[2]
PAGE = '<!doctype html><html lang="zh"><head><link rel="icon" href="data:,"></head><body></body></html>'


class Hub:
    """Current items, the deltas made so far, and the streams that are open."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.n = 0
        self.items: dict[str, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] = []
        self.streams: set[asyncio.Queue[str | None]] = set()
        self.joined = asyncio.Event()  # set while a stream is open
        self.opened = 0
        self.snapshots = 0
        self.mute = False
        self.snapshot_status = 200
        self.stream_status = 200

    def push(self, items: list[dict[str, Any]], gone: list[list[str]], send: bool = True) -> dict[str, Any]:
        """Change the state; `send=False` keeps the delta from open streams (a lost message)."""
        delta = {"epoch": self.epoch, "n": self.n + 1, "prev": self.n, "set": items, "del": gone}
        self.n += 1
        for item in items:
            self.items.setdefault(item["kind"], {})[item["key"]] = item
        for kind, key in gone:
            self.items.get(kind, {}).pop(key, None)
        self.log.append(delta)
        if send:
            self.send("delta", delta)
        return delta

    def send(self, event: str, data: object) -> None:
        """One event to every open stream."""
        if self.mute:
            return
        for stream in self.streams:
            stream.put_nowait(f"event: {event}\ndata: {json.dumps(data)}\n\n")

    def snapshot(self) -> dict[str, Any]:
        """What GET snapshot answers."""
        return {"epoch": self.epoch, "n": self.n, "items": self.items, "now": int(time.time() * 1000)}


def make_app(hub: Hub) -> FastAPI:
    """The server."""
    app = FastAPI()
    app.include_router(text_router())

    @app.get("/api/v1/live/snapshot")
    async def snapshot() -> Response:
        hub.snapshots += 1
        if hub.snapshot_status != 200:
            return Response(status_code=hub.snapshot_status)
        return JSONResponse(hub.snapshot())

    @app.get("/live")
    async def live(request: Request) -> Response:
        hub.opened += 1
        if hub.stream_status != 200:
            return Response(status_code=hub.stream_status)
        epoch, _, n = request.query_params["from"].partition(":")
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        if epoch != hub.epoch:
            queue.put_nowait("event: reset\ndata: {}\n\n")
        else:
            for delta in hub.log[int(n) :]:
                queue.put_nowait(f"event: delta\ndata: {json.dumps(delta)}\n\n")
        hub.streams.add(queue)
        hub.joined.set()

        async def events() -> AsyncIterator[str]:
            try:
                yield ": open\n\n"
                while (text := await queue.get()) is not None:
                    yield text
            finally:
                hub.streams.discard(queue)
                if not hub.streams:
                    hub.joined.clear()

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.post("/control")
    async def control(request: Request) -> JSONResponse:
        """Do what the test asks: {"do": …}."""
        order = await request.json()
        match order["do"]:
            case "push":
                hub.push(order.get("set", []), order.get("del", []), order.get("send", True))
            case "joined":
                await asyncio.wait_for(hub.joined.wait(), 20)
            case "event":
                hub.send(order["event"], order.get("data", {}))
            case "drop":
                for stream in list(hub.streams):
                    stream.put_nowait(None)
            case "set":
                for name, value in order["values"].items():
                    setattr(hub, name, value)
        return JSONResponse(
            {
                "opened": hub.opened,
                "snapshots": hub.snapshots,
                "streams": len(hub.streams),
                "state": {"epoch": hub.epoch, "n": hub.n, "items": {k: v for k, v in hub.items.items() if v}},
            }
        )

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        return {"ok": True}

    @app.get("/page")
    @app.get("/login")
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE)

    app.mount("/assets", StaticFiles(directory=ROOT / "layouts" / "assets"))
    return app


if __name__ == "__main__":
    uvicorn.run(make_app(Hub(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
