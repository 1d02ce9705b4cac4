"""The frame of every desk-like page: header with clock, link state, demo tag, user; toasts; refused pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dash import html
from dash.development.base_component import Component

from layouts import ids
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View


@dataclass(frozen=True, slots=True)
class Terminal:
    """A page of its own: its path, the right that opens it, its theme and its browser files."""

    name: str
    path: str
    right: str
    theme: str
    module: str
    styles: tuple[str, ...]
    scripts: tuple[str, ...] = ()


TERMINALS: Final = (
    Terminal(
        "desk",
        "/desk",
        "incident.search",
        "theme-desk",
        "desk/desk.mjs",
        ("desk/desk.css", "desk/routing.css"),
        ("desk/cells.js",),
    ),
    Terminal("leader", "/leader", "incident.escalate", "theme-desk", "desk/leader.mjs", ("desk/leader.css",)),
    Terminal("vitals", "/vitals", "vital.see", "theme-desk", "desk/vitals.mjs", ("desk/vitals.css",)),
    Terminal("places", "/places", "incident.correct", "theme-desk", "desk/places.mjs", ("desk/places.css",)),
    Terminal(
        "replies", "/replies", "incident.call_back", "theme-desk", "desk/replies.mjs", ("desk/places.css",)
    ),
    Terminal(
        "evaluation",
        "/evaluation",
        "evaluation.see",
        "theme-desk",
        "desk/evaluation.mjs",
        ("desk/evaluation.css",),
    ),
    Terminal(
        "formulas",
        "/formulas",
        "formula.see",
        "theme-desk",
        "desk/formulas.mjs",
        ("desk/evaluation.css",),
    ),
    Terminal(
        "catalogue",
        "/catalogue",
        "catalogue.see",
        "theme-desk",
        "desk/catalogue.mjs",
        ("desk/ops.css", "desk/catalogue.css"),
        ("desk/cells.js",),
    ),
    Terminal(
        "routing", "/backtest", "routing.see", "theme-desk", "desk/backtest.mjs", ("desk/backtest.css",)
    ),
    Terminal(
        "replay",
        "/replay",
        "replay.see",
        "theme-desk",
        "desk/replay.mjs",
        ("desk/desk.css", "desk/replay.css"),
    ),
    Terminal(
        "screens", "/screens", "screen.pair", "theme-desk", "desk/screens_page.mjs", ("desk/screens.css",)
    ),
    Terminal("wall", "/wall", "live.see", "theme-wall", "wall/wall.mjs", ("wall/wall.css",)),
    Terminal(
        "ops", "/ops", "status.see", "theme-desk", "desk/ops.mjs", ("desk/ops.css",), ("desk/cells.js",)
    ),
    Terminal(
        "devices",
        "/devices",
        "feed.see",
        "theme-desk",
        "desk/devices.mjs",
        ("desk/ops.css",),
        ("desk/cells.js",),
    ),
    Terminal(
        "admin",
        "/admin",
        "account.see",
        "theme-desk",
        "desk/admin.mjs",
        ("desk/ops.css",),
        ("desk/cells.js",),
    ),
)
"""In the order of the navigation. `right` only hides: every query and command is asked again by the service."""


def terminal_of(path: str) -> Terminal | None:
    """The terminal at `path` (with or without a trailing slash), or None."""
    wanted = "/" + path.strip("/").split("/")[0]
    return next((x for x in TERMINALS if x.path == wanted), None)


def framed(view: View, name: str, body: Component) -> Component:
    """`body` under the header of the page called `name`."""
    return html.Div(
        [header(view, name), body, toasts()],
        className=f"cy-app page page--{name}",
        **attrs({"data-page": name}),
    )


def toasts() -> Component:
    """Where messages to the user appear."""
    return html.Div(id=ids.TOASTS, className="cy-toasts", role="region", **attrs({"aria-live": "polite"}))


def header(view: View, name: str) -> Component:
    """City, navigation, clock, link state, demo tag, bell, user, language, way out."""
    links = [
        html.A(
            view.t(f"shell.page.{x.name}"),
            href=x.path,
            className="nav__link" + (" is-on" if x.name == name else ""),
            **attrs({"aria-current": "page"} if x.name == name else {}),
        )
        for x in TERMINALS
        if view.may(x.right)
    ]
    if view.may("incident.take"):
        # Taking, arriving and finishing are done on the phone's page, on whatever screen it is opened.
        links.append(html.A(view.t("shell.page.phone"), href="/phone", className="nav__link"))
    return html.Header(
        [
            html.Div(
                [
                    html.Span(view.t("product.name"), className="brand__mark"),
                    html.Span(view.city, className="brand__city"),
                ],
                className="brand",
            ),
            html.Nav(links, className="nav"),
            html.Span(
                view.t("product.demo"), className="cy-demo-tag", hidden=True, **attrs({"data-demo": ""})
            ),
            html.Div(className="cy-bar__spacer"),
            _tour_offer(view),
            html.Span(className="cy-link", **attrs({"data-link-badge": ""})),
            pieces.button(
                pieces.icon("bell"),
                kind="ghost icon",
                title=view.t("shell.bell"),
                **attrs({"data-bell": "", "aria-pressed": "false"}),
            ),
            pieces.button(
                pieces.icon("search"),
                kind="ghost icon",
                title=f"{view.t('palette.title')} Ctrl K",
                **attrs({"data-palette": "", "aria-label": view.t("palette.title")}),
            ),
            pieces.button(
                pieces.icon("circle-help"),
                kind="ghost icon",
                title=view.t("help.open"),
                **attrs({"data-help": "", "aria-label": view.t("help.open")}),
            ),
            html.Time(className="clock cy-num", **attrs({"data-clock": ""})),
            html.Div(
                [
                    html.Span(view.actor.name, className="user__name cy-clip"),
                    html.Span(view.word("role", view.actor.role), className="user__role"),
                ],
                className="user",
                **attrs({"data-role": view.actor.role, "data-login": view.actor.login}),
            ),
            pieces.button(
                view.t("ui.switch_language"),
                kind="ghost small",
                **attrs({"data-language": _other(view.lang)}),
            ),
            pieces.button(
                pieces.icon("log-out"),
                kind="ghost icon",
                title=view.t("ui.logout"),
                **attrs({"data-logout": "", "aria-label": view.t("ui.logout")}),
            ),
        ],
        className="cy-bar",
    )


def _tour_offer(view: View) -> Component:
    """For who is here the first time; the browser shows it, and remembers."""
    return html.Span(
        [
            pieces.button(view.t("tour.offer"), kind="small", **attrs({"data-tour-start": ""})),
            pieces.button(
                pieces.icon("x"),
                kind="ghost icon small",
                title=view.t("tour.never"),
                **attrs({"data-tour-never": "", "aria-label": view.t("tour.never")}),
            ),
        ],
        className="tour-offer",
        hidden=True,
        **attrs({"data-tour-offer": ""}),
    )


def _other(lang: str) -> str:
    return "en" if lang == "zh" else "zh"


def refused(view: View, name: str) -> Component:
    """The page of someone without the right to it."""
    body = html.Main(
        [
            pieces.icon("lock"),
            html.H1(view.t("shell.refused.title", page=view.t(f"shell.page.{name}")), className="cy-h1"),
            html.P(
                view.t("shell.refused.text", name=view.actor.name, role=view.word("role", view.actor.role)),
                className="cy-dim",
            ),
            html.A(view.t("shell.refused.home"), href="/", className="cy-button"),
        ],
        className="refused",
    )
    return framed(view, name, body)
