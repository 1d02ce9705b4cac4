"""POST /api/v1/messages/{topic}: CloudEvents from feeds onto the bus. POST /api/v1/position: a phone's place."""

from __future__ import annotations

import uuid
from typing import Any, Final, cast

import msgspec
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from pydantic import Field as Rule
from starlette.concurrency import run_in_threadpool

from callbacks.http.deps import BadMessage, Deps, FeedRow
from callbacks.http.errors import Problem, shown
from callbacks.http.login import actor_of
from callbacks.http.measures import Measures
from callbacks.http.rights import require
from incidents.ports import BusRefused, BusUnavailable, Outgoing, Position

MOST: Final = 1000
"""Messages in one request."""

_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "time", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "description": "with `source` the duplicate key"},
        "source": {"type": "string"},
        "type": {"type": "string", "description": "the topic"},
        "time": {"type": "string", "format": "date-time"},
        "subject": {"type": "string"},
        "correlationid": {"type": "string", "description": "followed to the screen; else X-Request-ID"},
        "data": {"type": "object"},
    },
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"oneOf": [_EVENT, {"type": "array", "items": _EVENT, "maxItems": MOST}]}
            }
        },
    }
}

log = structlog.get_logger()


class PhonePosition(BaseModel):
    """Where the phone is, as its browser says."""

    model_config = ConfigDict(extra="forbid", strict=True)
    lon: float = Rule(ge=-180, le=180, allow_inf_nan=False)
    lat: float = Rule(ge=-90, le=90, allow_inf_nan=False)
    accuracy_m: float | None = Rule(None, ge=0, le=100_000, allow_inf_nan=False)
    speed_kmh: float | None = Rule(None, ge=0, le=500, allow_inf_nan=False)


def messages_router(deps: Deps, measures: Measures) -> APIRouter:
    """The two routes."""
    router = APIRouter()

    @router.post("/api/v1/messages/{topic}", tags=["messages"], status_code=202, openapi_extra=_BODY)
    async def messages(request: Request, topic: str) -> Response:
        """One CloudEvent or an array of at most 1000, with a feed's token (`Authorization: Bearer …`).

        202 only after the bus holds them all. An array is taken whole or not at all.
        """
        feed = await run_in_threadpool(_feed, deps, request)
        if topic not in deps.topics:
            known = ", ".join(sorted(deps.topics))
            raise Problem(404, "not_found", f"topic={shown(topic)}: must be one of {known}", field="topic")
        if feed.disabled:
            raise Problem(403, "forbidden", f"feed={feed.id!r}: is disabled", field="feed")
        if topic not in feed.topics:
            allowed = ", ".join(feed.topics) or "none"
            raise Problem(
                403, "forbidden", f"topic={topic!r}: feed {feed.id!r} may write to {allowed}", field="topic"
            )
        cause = request.scope["state"]["correlation_id"]
        outgoing = await run_in_threadpool(
            _checked, deps, measures, feed.id, topic, await request.body(), cause
        )
        positions = await run_in_threadpool(publish, deps, measures, outgoing) if outgoing else []
        measures.messages.labels(feed.id, topic).inc(len(outgoing))
        body = {
            "accepted": len(outgoing),
            "positions": [{"partition": p.partition, "offset": p.offset} for p in positions],
        }
        return JSONResponse(body, 202)

    @router.post("/api/v1/messages/{topic}/{system}", tags=["messages"], status_code=202)
    async def foreign(request: Request, topic: str, system: str, edition: str = "2016") -> Response:
        """One alarm as a video system says it (gb28181 | frigate | hikvision | dahua), with a feed's token.

        `edition`: of GB/T 28181 (2011 | 2014 | 2016 | 2022). 202 after the bus holds it: {"accepted": 1}; a heartbeat or
        the end of an alarm is {"accepted": 0, "quiet": why}. What cannot be mapped is refused by
        name with 400 and kept as a dead letter, since cameras do nothing with a 400; what is too large is only counted.
        """
        feed = await run_in_threadpool(_feed, deps, request)
        if deps.adapt_alarm is None or topic != deps.alarm_topic:
            raise Problem(
                404, "not_found", f"topic={shown(topic)}: takes no other maker's words", field="topic"
            )
        if feed.disabled or topic not in feed.topics:
            raise Problem(403, "forbidden", f"feed={feed.id!r}: may not write to {topic}", field="feed")
        try:
            body = await request.body()
            found = await run_in_threadpool(deps.adapt_alarm, feed.id, system, edition, body)
        except deps.bad_message as error:
            bad = cast(BadMessage, error)
            measures.refused.labels(bad.reason).inc()
            if deps.alarm_letter is not None and bad.reason != "too_large":
                letter = deps.alarm_letter(feed.id, system, body, error)
                await run_in_threadpool(publish, deps, measures, [letter])
            facts: dict[str, Any] = {"found": bad.found, "rule": bad.rule}
            raise Problem(400, bad.reason, str(error), field=bad.field, **facts) from None
        if isinstance(found, str):
            return JSONResponse({"accepted": 0, "quiet": found}, 202)
        value = _correlated(found[1], request.scope["state"]["correlation_id"], deps.max_message_bytes)
        outgoing = [Outgoing(topic, found[0], value, (("feed", feed.id.encode()),))]
        positions = await run_in_threadpool(publish, deps, measures, outgoing)
        measures.messages.labels(feed.id, topic).inc(1)
        where = [{"partition": p.partition, "offset": p.offset} for p in positions]
        return JSONResponse({"accepted": 1, "positions": where}, 202)

    @router.post("/api/v1/position", tags=["phone"], status_code=202)
    def position(request: Request, body: PhonePosition) -> dict[str, int]:
        """The place of the logged-in worker: becomes a message on `city.position.v1`."""
        actor = actor_of(request)
        require(deps, actor, "position.report", "position")
        data = {"worker": actor.login, "point": {"lon": body.lon, "lat": body.lat}}
        event = {
            "specversion": "1.0",
            "id": uuid.uuid4().hex,
            "source": f"urn:phone:{actor.login}",
            "type": deps.position_topic,
            "time": deps.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "subject": actor.login,
            "datacontenttype": "application/json",
            "correlationid": request.scope["state"]["correlation_id"],
            "data": data
            | ({} if body.accuracy_m is None else {"accuracy_m": body.accuracy_m})
            | ({} if body.speed_kmh is None else {"speed_kmh": body.speed_kmh}),
        }
        message = _outgoing(deps, deps.feed_of_phones, deps.position_topic, msgspec.json.encode(event))
        publish(deps, measures, [message])
        return {"accepted": 1}

    return router


def publish(deps: Deps, measures: Measures, messages: list[Outgoing]) -> list[Position]:
    """Put them on the bus; when it returns, the bus holds them all. Raises Problem."""
    try:
        return deps.producer.publish(messages)
    except BusUnavailable as error:
        log.warning("bus_away", error=str(error))
        measures.refused.labels("bus_away").inc(len(messages))
        sentence = "the bus is away; nothing is known to be accepted; send the same again"
        raise Problem(503, "away", sentence, headers={"Retry-After": "2"}) from None
    except BusRefused as error:
        measures.refused.labels("bus_refused").inc(len(messages))
        raise Problem(507, "bus_refused", str(error), headers={"Retry-After": "30"}) from None


def bearer(request: Request) -> str:
    """The bearer token of a request, '' without a usable one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and 0 < len(token) <= 500 else ""


def values_in(body: bytes, measures: Measures) -> tuple[bool, list[bytes]]:
    """(whether the body is an array, its messages as they stand there). Raises Problem."""
    if body.lstrip()[:1] != b"[":
        return False, [body]
    try:
        values = [bytes(raw) for raw in _LIST.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        measures.refused.labels("malformed").inc()
        raise Problem(400, "malformed", f"body: must be JSON: {error}", field="body") from None
    if len(values) > MOST:
        raise Problem(
            413, "too_large", f"body: {len(values)} messages, at most {MOST} in one request", field="body"
        )
    return True, values


def _feed(deps: Deps, request: Request) -> FeedRow:
    token = bearer(request)
    feed = deps.feeds.find(token) if token else None
    if feed is None:
        sentence = "Authorization: must be 'Bearer ' and the token of a registered feed"
        raise Problem(
            401,
            "login",
            sentence,
            field="Authorization",
            headers={"WWW-Authenticate": 'Bearer realm="feeds"'},
        )
    return feed


def _checked(
    deps: Deps, measures: Measures, feed: str, topic: str, body: bytes, cause: str
) -> list[Outgoing]:
    """The messages of a body, each checked; the first bad one refuses all, named by its index."""
    many, values = values_in(body, measures)
    outgoing: list[Outgoing] = []
    for index, value in enumerate(values):
        try:
            outgoing.append(_outgoing(deps, feed, topic, value, cause))
        except deps.bad_message as error:
            bad = cast(BadMessage, error)
            measures.refused.labels(bad.reason).inc()
            place = f"message {index}: " if many else ""
            facts: dict[str, Any] = {"found": bad.found, "rule": bad.rule}
            facts |= {"index": index} if many else {}
            raise Problem(400, bad.reason, f"{place}{error}", field=bad.field, **facts) from None
    return outgoing


def _outgoing(deps: Deps, feed: str, topic: str, value: bytes, cause: str = "") -> Outgoing:
    key = deps.check_message(topic, value)
    return Outgoing(topic, key, _correlated(value, cause, deps.max_message_bytes), (("feed", feed.encode()),))


def _correlated(value: bytes, cause: str, limit: int) -> bytes:
    """A checked message with the request's id as its `correlationid` where it has none.

    One search and one copy, no second decoding: the field is put first, so that one of the sender's own, however
    it is spelt, comes later and wins. The shell lets only `[A-Za-z0-9._:-]` into a request's id.
    """
    field = b'"correlationid":"%s",' % cause.encode()
    if not cause or b'"correlationid"' in value or len(value) + len(field) > limit:
        return value
    return value.replace(b"{", b"{" + field, 1)
