"""The time machine: GET /api/v1/replay/at and GET /api/v1/replay/between. What was shown then, as this account may see it
now; items and changes have the shape of the live protocol, so that the same screens draw them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from callbacks.http.deps import Deps, Past
from callbacks.http.login import actor_of
from callbacks.http.rights import require
from callbacks.live_hub import sees
from incidents.model import Actor, Rejected
from incidents.scopes import scope_of

LONGEST: Final = timedelta(minutes=15)
"""Of one request for changes: a player asks again."""
SHORTEST: Final = timedelta(milliseconds=200)
MOST_STEPS: Final = 600
AHEAD: Final = timedelta(minutes=10)
"""A moment that far ahead is now, on a browser whose clock is."""
AT_ONCE: Final = 2
"""Looks into the past that one process makes at once; others wait, so that live streams do not."""

Item = dict[str, Any]


def replay_router(deps: Deps, past: Past) -> APIRouter:
    """The two routes over `past`. Handlers are plain functions: FastAPI runs them in threads."""
    router = APIRouter(prefix="/api/v1/replay", tags=["replay"])
    turns = threading.Semaphore(AT_ONCE)

    def moment(name: str, ms: int) -> datetime:
        now = deps.now()
        try:
            found = datetime.fromtimestamp(ms / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            found = now + timedelta(days=1)
        if now < found <= now + AHEAD:
            return now
        if found > now:
            raise Rejected("field", f"{name}={ms}: must be a moment that has passed, in ms", field=name)
        return found

    @router.get("/at")
    def at(
        request: Request, t: int = Query(description="The moment, milliseconds since the epoch.")
    ) -> Response:
        """{"t", "begins", "items": {kind: {key: item}}}; `begins`: since when what was shown of incidents is kept."""
        actor = actor_of(request)
        require(deps, actor, "replay.see", f"replay:{t}")
        items: dict[str, dict[str, Item]] = {}
        asked = moment("t", t)
        with turns:
            for item in _seen(actor, past.at(asked)):
                items.setdefault(item["kind"], {})[item["key"]] = item
        begins = past.begins(deps.now())
        told = int(asked.timestamp() * 1000)
        return _packed({"t": told, "begins": begins and int(begins.timestamp() * 1000), "items": items})

    @router.get("/between")
    def between(
        request: Request,
        begin: int = Query(alias="from", description="Milliseconds since the epoch."),
        end: int = Query(alias="to", description="At most 15 minutes later."),
        step_ms: int = Query(1000, description="Changes are gathered into steps of so many milliseconds."),
    ) -> Response:
        """{"moments": [{"t", "set": [item], "del": [[kind, key]]}]} in order: applied to the state at `from`, they give
        the state at `to`."""
        actor = actor_of(request)
        require(deps, actor, "replay.see", f"replay:{begin}-{end}")
        first, last = moment("from", begin), moment("to", end)
        if not timedelta() < last - first <= LONGEST:
            raise Rejected("field", f"to={end}: must be after from={begin}, at most 15 minutes", field="to")
        step = timedelta(milliseconds=step_ms)
        if step < SHORTEST or (last - first) / step > MOST_STEPS:
            rule = f"must be at least 200 and make at most {MOST_STEPS} steps"
            raise Rejected("field", f"step_ms={step_ms}: {rule}", field="step_ms")
        moments = []
        with turns:
            changes = past.between(first, last, step)
        for change in changes:
            items = list(_seen(actor, change.items))
            gone = [[kind, key] for kind, key, area in change.gone if sees(actor, kind, f"{area}\t\t")]
            # What is not for this account any more leaves its screen, as it does on the live one.
            shown = {(item["kind"], item["key"]) for item in items}
            gone += [
                ["incident", i["key"]]
                for i in change.items
                if i["kind"] == "incident" and ("incident", i["key"]) not in shown
            ]
            if items or gone:
                moments.append({"t": int(change.at.timestamp() * 1000), "set": items, "del": gone})
        return _packed({"moments": moments})

    return router


def _seen(actor: Actor, items: Iterable[Item]) -> Iterable[Item]:
    known: dict[tuple[str, str], bool] = {}
    for item in items:
        key = (item["kind"], scope_of(item))
        if key not in known:
            known[key] = sees(actor, *key)
        if known[key]:
            yield item


def _packed(body: dict[str, Any]) -> Response:
    headers = {"Content-Encoding": "gzip", "Cache-Control": "no-store"}
    packed = gzip.compress(orjson.dumps(body), compresslevel=4)
    return Response(packed, media_type="application/json", headers=headers)
