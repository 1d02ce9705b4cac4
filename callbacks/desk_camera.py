"""A camera's card: what was pressed on it is done first, then the card is made anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from dash.development.base_component import Component

from callbacks.dash_view import DashDeps
from incidents import commands as c
from incidents.model import Rejected
from layouts.desk import camera
from layouts.shell.view import View

Asked = Mapping[str, Any]

COMMAND_OF: Final[dict[str, Callable[[Asked], object]]] = {
    "shelve": lambda a: c.ShelveCamera(str(a["camera"]), int(a["minutes"]), str(a["reason"])),
    "unshelve": lambda a: c.UnshelveCamera(str(a["camera"])),
    "ask": lambda a: c.RequestView(str(a["camera"]), str(a["reason"])),
    "approve": lambda a: c.AnswerView(int(a["request"]), True, int(a["minutes"])),
    "refuse": lambda a: c.AnswerView(int(a["request"]), False, answer=str(a["answer"])),
    "open": lambda a: c.OpenView(int(a["request"])),
}


def camera_of(asked: Asked, deps: DashDeps, view: View) -> list[Component]:
    """The card of {camera} after {do} was done. Raises Rejected."""
    link = ""
    if asked.get("do"):
        make = COMMAND_OF.get(str(asked["do"]))
        if make is None:
            raise Rejected("field", f"do={asked['do']!r}: no such button", field="do")
        link = str(deps.handle(make(asked), view.actor, "desk").get("link", ""))
    code = str(asked["camera"])
    file = deps.service.ask(c.CameraDetail(code), view.actor)
    requests = deps.service.ask(c.ViewRequests(camera=code, limit=5), view.actor)["rows"]
    return camera.card(view, file, requests, link)
