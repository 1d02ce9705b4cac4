"""The Dash application: one page per terminal, chosen by path; callbacks registered by each page's module."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, Final

from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component
from flask import request

from callbacks import (
    admin,
    catalogue,
    desk,
    devices,
    evaluation,
    formulas,
    leader,
    ops,
    ops_feeds,
    places,
    replies,
    routing,
    screens,
    vitals,
    wall,
)
from callbacks.dash_errors import telling
from callbacks.dash_view import DashDeps, language, view_of
from incidents.model import Actor
from layouts import ids
from layouts.admin import admin as admin_page
from layouts.catalogue import catalogue as catalogue_page
from layouts.desk.page import desk as desk_page
from layouts.devices import devices as devices_page
from layouts.evaluation import evaluation as evaluation_page
from layouts.formulas import formulas as formulas_page
from layouts.leader import leader as leader_page
from layouts.ops import ops as ops_page
from layouts.places import places as places_page
from layouts.replay import replay as replay_page
from layouts.replies import replies as replies_page
from layouts.routing import routing as routing_page
from layouts.screens import screens as screens_page
from layouts.shell import frame, pieces
from layouts.shell.view import View
from layouts.text import t
from layouts.vitals import vitals as vitals_page
from layouts.wall import wall as wall_page

PAGES: Final = {
    "desk": desk_page,
    "leader": leader_page,
    "vitals": vitals_page,
    "places": places_page,
    "replies": replies_page,
    "evaluation": evaluation_page,
    "catalogue": catalogue_page,
    "routing": routing_page,
    "formulas": formulas_page,
    "replay": replay_page,
    "screens": screens_page,
    "wall": wall_page,
    "ops": ops_page,
    "devices": devices_page,
    "admin": admin_page,
}

ASSETS: Final = Path(__file__).parent.parent / "layouts" / "assets"

_INDEX: Final = """<!DOCTYPE html>
<html lang="{lang}" data-timezone="{zone}" data-link="late" data-city="{city}" data-centre="{centre}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="preload" href="/assets/fonts/noto-sans-sc-400.woff2" as="font" type="font/woff2" crossorigin>
<link rel="stylesheet" href="/assets/tokens.css">
<link rel="stylesheet" href="/assets/vendor/maplibre-gl/maplibre-gl.css">
<link rel="stylesheet" href="/assets/desk/shell.css">
{styles}
</head>
<body class="{theme}">
{entry}
<footer>
{config}
{early}
{scripts}
{renderer}
{module}
</footer>
</body>
</html>"""


class CityDash(Dash):
    """Dash with an index page per terminal: its theme, its style sheets, its one browser module."""

    deps: DashDeps

    def interpolate_index(self, *_: Any, **parts: Any) -> str:
        """The HTML of the terminal at the request's path."""
        lang = language()
        terminal = frame.terminal_of(request.path)
        city = self.deps.city_name(lang)
        title = " · ".join(
            x
            for x in (
                t(lang, f"shell.page.{terminal.name}") if terminal else "",
                city,
                t(lang, "product.name"),
            )
            if x
        )
        return _INDEX.format(
            lang="zh-CN" if lang == "zh" else "en",
            zone=escape(self.deps.timezone, quote=True),
            city=escape(city, quote=True),
            centre=",".join(f"{x:.5f}" for x in self.deps.centre),
            title=escape(title),
            theme=terminal.theme if terminal else "theme-desk",
            styles="\n".join(
                f'<link rel="stylesheet" href="/assets/{s}">' for s in (terminal.styles if terminal else ())
            ),
            early="\n".join(
                f'<script src="/assets/{s}"></script>' for s in (terminal.scripts if terminal else ())
            ),
            module=f'<script type="module" src="/assets/{terminal.module}"></script>' if terminal else "",
            entry=parts["app_entry"],
            config=parts["config"],
            scripts=parts["scripts"],
            renderer=parts["renderer"],
        )


def make_dash(deps: DashDeps) -> Dash:
    """The Dash app over `deps`; its `server` is the Flask application to be mounted at "/"."""
    app = CityDash(
        "chengyun",
        assets_folder=str(ASSETS),
        include_assets_files=False,
        requests_pathname_prefix="/",
        routes_pathname_prefix="/",
        serve_locally=True,
        update_title="",
        title="Chengyun",
        csrf_token_name="chengyun_csrf",  # noqa: S106 - the name of a cookie
        csrf_header_name="X-CSRF-Token",
        on_error=telling(deps),
    )
    app.deps = deps
    app.layout = html.Div([dcc.Location(id=ids.URL, refresh=False), html.Div(id=ids.PAGE)])
    everything: Any = html.Div([app.layout, *(page(_nobody()) for page in PAGES.values())])
    app.validation_layout = everything
    register(app, deps)
    for page in (
        desk,
        leader,
        vitals,
        places,
        replies,
        evaluation,
        formulas,
        catalogue,
        routing,
        screens,
        wall,
        ops,
        ops_feeds,
        devices,
        admin,
    ):
        page.register(app, deps)
    return app


def register(app: Dash, deps: DashDeps) -> None:
    """The one callback of the shell: path → page."""

    @app.callback(Output(ids.PAGE, "children"), Input(ids.URL, "pathname"))
    def show_page(path: str) -> Component:
        view = view_of(deps)
        terminal = frame.terminal_of(path)
        if terminal is None:
            return pieces.fault(view.t("error.not_found"))
        if not view.may(terminal.right):
            return frame.refused(view, terminal.name)
        return PAGES[terminal.name](view)


def _nobody() -> View:
    """A view for building the validation layout at start, when nobody looks."""
    return View("zh", "Asia/Shanghai", Actor(0, "", "", "operator"), "")
