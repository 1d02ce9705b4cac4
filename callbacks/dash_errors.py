"""What happens when a callback raises: a refusal is told to the user in words, anything else is logged and admitted."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from dash import ctx, set_props

from callbacks.dash_view import DashDeps, view_of
from incidents.model import Rejected
from layouts import ids
from layouts.desk import detail
from layouts.shell import pieces
from layouts.shell.rejection import rejection

log = structlog.get_logger(__name__)

Handler = Callable[[Exception], None]


def telling(deps: DashDeps) -> Handler:
    """The handler of every callback: a toast; the desk wakes its buttons, and reloads what others have changed."""

    def tell(error: Exception) -> None:
        text = words(deps, error)
        kind = "warn" if isinstance(error, Rejected) else "wrong"
        set_props(ids.TOASTS, {"children": [pieces.toast(text, kind)]})
        if str(ctx.triggered_id).startswith("desk-"):
            reload = isinstance(error, Rejected) and error.code in ("stale", "stage")
            set_props(ids.DESK_FOLLOW, {"data": {"reload": reload, "failed": text}})

    return tell


def emptying(deps: DashDeps, parts: tuple[str, ...]) -> Handler:
    """The handler of what fills the detail: it says there why it is empty."""

    def empty(error: Exception) -> None:
        view = view_of(deps)
        set_props(ids.DESK_SHOWN, {"data": None})
        for part, children in zip(parts, detail.nothing(view, words(deps, error)), strict=True):
            set_props(part, {"children": children})

    return empty


def filling(deps: DashDeps, parts: tuple[str, ...], store: str) -> Handler:
    """The handler of what fills parts of a page: each says why it is not known; a failure may be asked again."""

    def fill(error: Exception) -> None:
        view, text = view_of(deps), words(deps, error)
        more = () if isinstance(error, Rejected) else (pieces.again(view, store),)
        for part in parts:
            set_props(part, {"children": [pieces.fault(text, *more)]})

    return fill


def words(deps: DashDeps, error: Exception) -> str:
    """What to tell the user of `error`; what is no refusal goes to the log."""
    view = view_of(deps)
    if isinstance(error, Rejected):
        return rejection(view, error)
    log.error("callback_failed", exc_info=error)
    return view.t("error.server")
