"""POST /api/v1/devices/{device}/readings: the HTTPS door for devices, each with a credential of its own."""

from __future__ import annotations

import math
import time
from typing import Any, Final, cast

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from callbacks.http.deps import BadMessage, Deps
from callbacks.http.errors import Problem, shown
from callbacks.http.measures import Measures
from callbacks.http.messages import MOST, bearer, publish, values_in
from incidents.gateway import FEED, DeviceDoor, Limiter, Sender, Tally
from incidents.ports import Outgoing

DOOR: Final = "https"

_READING: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["metric", "value"],
    "properties": {
        "metric": {"type": "string"},
        "value": {"type": "number"},
        "time": {"type": "string", "format": "date-time"},
    },
}
_PAYLOAD: Final[dict[str, Any]] = {
    "type": "object",
    "description": "one reading (metric, value, time) or a batch (readings, time)",
    "properties": {
        **_READING["properties"],
        "readings": {"type": "array", "items": _READING, "minItems": 1, "maxItems": 1000},
        "seq": {"type": "integer", "description": "the device's own number of this payload; or `id`"},
        "id": {"type": "string"},
        "missing": {"type": "integer", "description": "readings that the device had to drop"},
    },
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"oneOf": [_PAYLOAD, {"type": "array", "items": _PAYLOAD, "maxItems": MOST}]}
            }
        },
    }
}

log = structlog.get_logger()


def devices_router(deps: Deps, measures: Measures) -> APIRouter:
    """The route; none without a door for devices."""
    router = APIRouter()
    door = deps.devices
    if door is None:
        return router
    limiter, tally = Limiter(), Tally()

    def take(secret: str, device: str, body: bytes, cause: str) -> int:
        try:
            return _taken(secret, device, body, cause)
        finally:
            _hand_on(deps, door, tally)

    def _taken(secret: str, device: str, body: bytes, cause: str) -> int:
        sender = _sender(deps, door, secret, device)
        many, values = values_in(body, measures)
        _limit(deps, measures, limiter, tally, sender, len(values))
        outgoing = [_message(deps, measures, tally, sender, value, cause, index if many else None)
                    for index, value in enumerate(values)]  # fmt: skip
        if outgoing:
            publish(deps, measures, outgoing)
        for message in outgoing:
            measures.messages.labels(FEED, message.topic).inc()
        return len(outgoing)

    @router.post("/api/v1/devices/{device}/readings", tags=["messages"], status_code=202, openapi_extra=_BODY)
    async def readings(request: Request, device: str) -> Response:
        """Readings of one device: a payload or an array of at most 1000, with the device's credential
        (`Authorization: Bearer …`).

        202 only after the bus holds them all; an array is taken whole or not at all. The same sent again is a
        duplicate, not a second reading. 429: faster than the device may; `Retry-After` says when.
        """
        secret, body = bearer(request), await request.body()
        cause = request.scope["state"]["correlation_id"]
        return JSONResponse({"accepted": await run_in_threadpool(take, secret, device, body, cause)}, 202)

    return router


def _sender(deps: Deps, door: DeviceDoor, secret: str, device: str) -> Sender:
    sender = door.find(secret, deps.now()) if secret else None
    if sender is None:
        sentence = "Authorization: must be 'Bearer ' and a credential of the device that stands"
        headers = {"WWW-Authenticate": 'Bearer realm="devices"'}
        raise Problem(401, "login", sentence, field="Authorization", headers=headers)
    if sender.device != device:
        sentence = (
            f"device={shown(device)}: a device writes only as itself; this credential is another device's"
        )
        raise Problem(403, "forbidden", sentence, field="device")
    if sender.disabled:
        raise Problem(403, "forbidden", f"device={device!r}: is retired", field="device")
    return sender


def _limit(deps: Deps, measures: Measures, limiter: Limiter, tally: Tally, sender: Sender, n: int) -> None:
    rate = sender.rate or deps.device_rate
    wait = limiter.wait_s(sender.device, rate, n, time.monotonic())
    if not wait:
        return
    measures.refused.labels("rate").inc(n)
    tally.add((sender.device, DOOR, "rate"), n)
    rule = f"at most {rate.per_s:g} messages a second and {rate.burst} at once"
    if wait == math.inf:
        raise Problem(
            413, "too_large", f"body: {n} messages; {sender.device!r} may send {rule}", field="body"
        )
    raise Problem(
        429,
        "rate",
        f"device={sender.device!r}: {n} messages are too many now; {rule}; again in {wait:.1f} s",
        field="device",
        headers={"Retry-After": str(math.ceil(wait))},
        per_s=rate.per_s,
        burst=rate.burst,
    )


def _message(
    deps: Deps, measures: Measures, tally: Tally, sender: Sender, value: bytes, cause: str, index: int | None
) -> Outgoing:
    assert deps.device_message is not None
    try:
        return deps.device_message(sender, value, cause)
    except deps.bad_message as error:
        bad = cast(BadMessage, error)
        measures.refused.labels(bad.reason).inc()
        tally.add((sender.device, DOOR, bad.reason))
        status = 413 if bad.reason == "too_large" else 403 if bad.reason == "other_device" else 400
        place = "" if index is None else f"payload {index}: "
        facts: dict[str, Any] = {"found": bad.found, "rule": bad.rule}
        facts |= {} if index is None else {"index": index}
        raise Problem(status, bad.reason, f"{place}{error}", field=bad.field, **facts) from None


def _hand_on(deps: Deps, door: DeviceDoor, tally: Tally) -> None:
    """What was refused goes to the store, at most once a second."""
    counts = tally.take(time.monotonic())
    if not counts:
        return
    try:
        door.refused(counts, deps.now())
    except deps.store_away as error:
        tally.put_back(counts)
        log.warning("refusals_wait", error=str(error))
