"""The web process: a FastAPI shell that owns login, live stream, REST, tiles and health; Dash under it in threads."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn
from a2wsgi import WSGIMiddleware
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.middleware.gzip import GZipMiddleware

from callbacks.http.commands import commands_router
from callbacks.http.deps import Deps
from callbacks.http.devices import devices_router
from callbacks.http.errors import register
from callbacks.http.export import export_router
from callbacks.http.health import health_router
from callbacks.http.live import live_router
from callbacks.http.login import login_router
from callbacks.http.measures import Measures
from callbacks.http.messages import messages_router
from callbacks.http.month_report import month_report_router
from callbacks.http.pairing import pairing_router
from callbacks.http.photos import photos_router
from callbacks.http.replay import replay_router
from callbacks.http.shell import Shell
from callbacks.live_hub import LiveHub

_DASH_THREADS: Final = 16


def make_server(deps: Deps) -> FastAPI:
    """The ASGI application over `deps`. Its lifespan starts and stops the live hub (`app.state.hub`)."""
    hub = LiveHub(deps.live, deps.sessions, deps.now, deps.store_away)
    measures = Measures()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        hub.start(asyncio.get_running_loop())
        try:
            yield
        finally:
            await asyncio.to_thread(hub.stop)

    app = FastAPI(
        title="Chengyun 城运",
        version="1",
        docs_url=None,  # the usual pages load scripts from a CDN
        redoc_url=None,
        openapi_url=None,
        lifespan=life,
        redirect_slashes=False,
    )
    app.state.hub = hub
    app.state.measures = measures
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(Shell, deps=deps, measures=measures)
    register(app, deps.store_away)

    @app.get("/api/openapi.json", include_in_schema=False)
    def openapi() -> Response:
        return JSONResponse(app.openapi())

    for router in (
        login_router(deps),
        pairing_router(deps),
        live_router(hub),
        commands_router(deps),
        messages_router(deps, measures),
        devices_router(deps, measures),
        photos_router(deps),
        export_router(deps),
        month_report_router(deps),
        health_router(deps, hub, measures),
        *([replay_router(deps, deps.past)] if deps.past is not None else []),
        *deps.routers,
    ):
        app.include_router(router)
    if deps.dash_server is not None:
        # Last: everything that is not named above. In threads: a callback that waits for the database must
        # never hold the event loop, and with it every stream.
        dash: Any = WSGIMiddleware(deps.dash_server, workers=_DASH_THREADS)
        app.mount("/", dash, name="dash")
    return app


class WebServer(uvicorn.Server):
    """uvicorn that ends the live streams before it waits for open connections: screens reconnect by themselves."""

    def __init__(self, app: FastAPI, **options: Any) -> None:
        """`options` of uvicorn.Config: host, port, ssl_certfile …"""
        silent: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False}
        super().__init__(
            uvicorn.Config(
                app, **(silent | {"timeout_graceful_shutdown": 3, "timeout_keep_alive": 75} | options)
            )
        )
        self._hub: LiveHub = app.state.hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called on the event loop, on SIGTERM or SIGINT."""
        self._hub.finish()
        await super().shutdown(sockets)
