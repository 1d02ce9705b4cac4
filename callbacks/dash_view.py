"""What callbacks need of the outside: the deps they are given, and the view of the present request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request

from callbacks.actor import current_actor, current_request
from callbacks.http.deps import Service
from incidents.model import Actor
from layouts.shell.view import View
from layouts.text import COOKIE, language_of


@dataclass(frozen=True, slots=True)
class DashDeps:
    """What app.py gives to the Dash pages. `centre`: (lon, lat) on which the maps open."""

    service: Service
    city: str
    city_en: str
    centre: tuple[float, float]
    timezone: str = "Asia/Shanghai"

    def handle(self, command: object, actor: Actor, channel: str) -> dict[str, Any]:
        """Carry out a command of the present request; raises Rejected."""
        return self.service.handle(command, actor, channel, current_request())

    def city_name(self, lang: str) -> str:
        """The city's name in `lang`."""
        return self.city_en if lang == "en" and self.city_en else self.city


def language() -> str:
    """The language of the present request."""
    return language_of(request.cookies.get(COOKIE), request.headers.get("Accept-Language", ""))


def view_of(deps: DashDeps) -> View:
    """Language, time zone, actor and city name of the present request."""
    lang = language()
    return View(lang, deps.timezone, current_actor(), deps.city_name(lang))
