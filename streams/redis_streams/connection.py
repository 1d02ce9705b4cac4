"""The connection to Redis, and its errors said in the port's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from incidents.ports import BusRefused, BusUnavailable


def _as_it_came(response: Any, **_options: Any) -> Any:
    return response


def connect(url: str, answer_timeout_s: float) -> redis.Redis:
    """A client for `url` (opens nothing yet). Safe to share between threads.

    It never repeats a command by itself: a lost answer must not become a second append in silence.
    Stream replies are left raw, because building dictionaries costs more than reading the socket.
    """
    client = redis.Redis.from_url(
        url,
        protocol=2,
        socket_timeout=answer_timeout_s,
        socket_connect_timeout=3.0,
        retry=Retry(NoBackoff(), 0),
    )
    for command in ("XREAD", "XRANGE", "XINFO GROUPS"):
        client.set_response_callback(command, _as_it_came)
    return client


def refused(error: redis.ResponseError) -> BusRefused:
    """The plain sentence for an answer with which Redis refused a command."""
    text = str(error)
    # Inside a script Redis 6.2 puts the code OOM in the middle of its sentence.
    if isinstance(error, redis.OutOfMemoryError) or "-OOM " in text or "'maxmemory'" in text:
        return BusRefused(
            "the bus is at its memory limit and takes no new messages until its readers catch up;"
            " nothing it holds was dropped"
        )
    return BusRefused(f"Redis refused: {text[:300]}")


@contextmanager
def port_errors() -> Iterator[None]:
    """Turn Redis errors raised inside into BusUnavailable (try again later) or BusRefused (it said no)."""
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.AuthorizationError) as error:
        raise BusRefused(f"Redis refused the login: {error}") from error
    except (redis.ReadOnlyError, redis.exceptions.MasterDownError) as error:
        raise BusUnavailable(f"Redis takes no writes now: {error}") from error
    except redis.ResponseError as error:
        raise refused(error) from error
    except (redis.RedisError, OSError) as error:
        raise BusUnavailable(f"Redis cannot be reached: {error}") from error


def call(client: redis.Redis, *command: str | bytes | int) -> Any:
    """Answer of one command. Raises BusUnavailable or BusRefused."""
    with port_errors():
        return client.execute_command(*command)  # type: ignore[no-untyped-call]


def call_all(client: redis.Redis, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]:
    """Answers of several commands sent in one go (no transaction). Raises BusUnavailable or BusRefused."""
    with port_errors():
        pipeline = client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        return list(pipeline.execute(raise_on_error=True))
