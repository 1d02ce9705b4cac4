"""How the incidents of the list are spread over time and classes: two charts, empty here; desk/spread.mjs fills them.

What is pressed or drawn upon in them narrows list and map, so they hold what the list holds, live.
"""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from layouts import figures
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View


def opener(view: View) -> Component:
    """The button of the list that shows and hides the charts."""
    words = {"data-spread-open": "", "aria-label": view.t("desk.spread"), "aria-expanded": "false"}
    return pieces.button(
        pieces.icon("chart-column"), kind="icon", title=view.t("desk.spread"), **attrs(words)
    )


def charts(view: View) -> list[Component]:
    """When the incidents were reported, and of which class they are."""
    return [
        html.Figure(
            [
                html.Figcaption(
                    [
                        view.t(f"desk.spread.{name}"),
                        html.Span("", className="cy-faint", **attrs({"data-spread-note": name})),
                    ]
                ),
                dcc.Graph(
                    id=f"desk-spread-{name}",
                    figure=figures.brushed(height=None),
                    config=figures.CONFIG,
                    className="chart",
                    style={"height": "116px"},
                    responsive=True,
                ),
            ],
            title=view.t(f"desk.spread.{name}.how"),
            **attrs({"data-spread-of": name}),
        )
        for name in ("times", "classes")
    ]
