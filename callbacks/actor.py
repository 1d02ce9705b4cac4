"""Who is behind the present request, for Dash callbacks: the actor that the shell found by the session cookie, and
the request's id."""

from __future__ import annotations

from flask import request

from incidents.model import Actor


class NoActor(RuntimeError):
    """There is no logged-in account behind this request: it did not come through the shell."""


def current_actor() -> Actor:
    """The actor of the Flask request being answered. Raises NoActor outside of one."""
    scope = request.environ.get("asgi.scope") or {}
    actor = scope.get("state", {}).get("actor")
    if not isinstance(actor, Actor):
        raise NoActor(f"{request.path}: no session")
    return actor


def current_request() -> str:
    """Id of the Flask request being answered (X-Request-ID), '' when it did not come through the shell."""
    scope = request.environ.get("asgi.scope") or {}
    return str(scope.get("state", {}).get("correlation_id", ""))
