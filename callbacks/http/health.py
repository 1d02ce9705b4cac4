"""/healthz (the process lives), /readyz (so does all it stands on), /metrics, /status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool

from callbacks.http.commands import Json
from callbacks.http.deps import Deps
from callbacks.http.errors import Problem
from callbacks.http.login import actor_of
from callbacks.http.measures import Gauge, Measures
from callbacks.http.shell import insider
from callbacks.live_hub import LiveHub
from incidents.commands import Status
from incidents.ports import BusUnavailable

FRESH_S: Final = 15.0
"""A process that was not heard of for longer is not well."""

log = structlog.get_logger()


def health_router(deps: Deps, hub: LiveHub, measures: Measures) -> APIRouter:
    """The routes, and the gauges they are asked for."""
    router = APIRouter()
    measures.ask(_gauges(deps, hub))

    @router.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, bool]:
        """This process answers."""
        return {"ok": True}

    @router.get("/readyz", tags=["health"])
    async def readyz(request: Request) -> Response:
        """Everything this process needs is there; else 503 with the broken links named.

        Why they are broken is told to this machine and to holders of the metrics token.
        """
        links = await run_in_threadpool(_links, deps, hub)
        ok = all(link["ok"] for link in links.values())
        if not insider(request.scope, request.headers, deps.metrics_token):
            links = {name: {"ok": link["ok"]} for name, link in links.items()}
        return JSONResponse({"ok": ok, "links": links}, 200 if ok else 503)

    @router.get("/metrics", tags=["health"])
    async def metrics(request: Request) -> Response:
        """Prometheus text; from elsewhere than this machine only with the token."""
        if not insider(request.scope, request.headers, deps.metrics_token):
            raise Problem(401, "login", "metrics: from loopback, or with the metrics token")
        return Response(await run_in_threadpool(measures.text), media_type=CONTENT_TYPE_LATEST)

    @router.get("/status", tags=["health"])
    def status(request: Request) -> Response:
        """What the product runs on and how it is."""
        return Json(deps.service.ask(Status(), actor_of(request)))

    return router


def _links(deps: Deps, hub: LiveHub) -> dict[str, dict[str, Any]]:
    links: dict[str, dict[str, Any]] = {}

    def probe(name: str, ask: Callable[[], str], *away: type[Exception]) -> None:
        began = time.perf_counter()
        try:
            fault = ask()
        except away as error:
            fault = str(error) or type(error).__name__
        except Exception as error:
            log.exception("probe_failed", link=name)
            fault = f"{type(error).__name__}: {error}"
        links[name] = {"ok": not fault, "ms": round((time.perf_counter() - began) * 1000, 1)}
        if fault:
            links[name]["why"] = fault

    def bus() -> str:
        deps.inspector.ranges(deps.position_topic)
        return ""

    def live() -> str:
        deps.live.ping()
        if hub.lost_since is not None:
            return f"the live state is lost since {hub.lost_since.isoformat(timespec='seconds')}"
        return "" if hub.replica.loaded else "the live state is not built yet"

    probe("store", deps.migrations_current, *deps.store_away)
    probe("live", live, ConnectionError)
    probe("bus", bus, BusUnavailable)
    beats: dict[str, float] = {}

    def heard() -> str:
        beats.update(ages_s(deps))
        return ""

    probe("heartbeats", heard, ConnectionError)
    for process in deps.processes:
        age = youngest(beats, process)
        fresh = age is not None and age <= FRESH_S
        links[process] = {"ok": fresh} | ({} if age is None else {"age_s": round(age, 1)})
        if not fresh:
            rule = f"a heartbeat within {FRESH_S:g} s"
            links[process]["why"] = (
                f"never heard of; {rule}" if age is None else f"silent for {age:.0f} s; {rule}"
            )
    return links


def ages_s(deps: Deps) -> dict[str, float]:
    """Seconds since each process was heard of."""
    now_ms = deps.now().timestamp() * 1000
    return {name: (now_ms - at) / 1000 for name, at in deps.live.beats().items()}


def youngest(ages: Mapping[str, float], process: str) -> float | None:
    """The freshest heartbeat of `process` ("ingest") or one of its kind ("ingest:2"); None without any."""
    found = [age for name, age in ages.items() if name == process or name.startswith(process + ":")]
    return min(found) if found else None


def _gauges(deps: Deps, hub: LiveHub) -> list[Gauge]:
    def lag() -> dict[tuple[str, ...], float]:
        found: dict[tuple[str, ...], float] = {}
        try:
            for topic, group in deps.ingest_groups.items():
                done = deps.inspector.committed(group, topic)
                ends = deps.inspector.ranges(topic)
                found[(topic,)] = float(
                    sum(end - done.get(part, first) for part, (first, end) in ends.items())
                )
        except BusUnavailable as error:
            log.warning("lag_unknown", error=str(error))
        return found

    def beats() -> dict[tuple[str, ...], float]:
        try:
            return {(process,): age for process, age in ages_s(deps).items()}
        except ConnectionError:
            return {}

    def counters() -> dict[tuple[str, ...], float]:
        try:
            found = deps.live.counters()
        except ConnectionError:
            return {}
        return {(process, name): value for process, of in found.items() for name, value in of.items()}

    def counts() -> Mapping[tuple[str, ...], float]:
        try:
            return deps.counts()
        except deps.store_away as error:
            log.warning("counts_unknown", error=str(error))
            return {}

    return [
        ("chengyun_sse_clients", "Open live streams", (), lambda: {(): float(hub.clients)}),
        ("chengyun_live_n", "Version of the live state here", (), lambda: {(): float(hub.replica.n)}),
        (
            "chengyun_live_lost",
            "1 while the live state is lost",
            (),
            lambda: {(): float(hub.lost_since is not None)},
        ),
        ("chengyun_ingest_lag", "Messages on the bus that the group has not taken", ("topic",), lag),
        ("chengyun_heartbeat_age_seconds", "Since a process was heard of", ("process",), beats),
        (
            "chengyun_process",
            "Running totals of ingest and relay since each started",
            ("process", "counter"),
            counters,
        ),
        ("chengyun_store", "What the store has counted", ("kind", "state"), counts),
    ]
