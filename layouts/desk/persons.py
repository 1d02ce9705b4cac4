"""Who reported an incident, in full, after it was asked for with a reason; gone as soon as another incident is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import html
from dash.development.base_component import Component

from layouts.desk.detail import channel
from layouts.shell import pieces
from layouts.shell.view import View


def persons(view: View, answer: Mapping[str, Any]) -> list[Component]:
    """The answer of UnmaskIncident: name, phone and words of every source."""
    lines = [
        html.Tr(
            [
                html.Td(str(one["name"]) or "–"),
                html.Td(str(one["phone"]) or "–", className="cy-num"),
                html.Td(channel(view, one["channel"])),
                html.Td(str(one["text"]), className="detail__text"),
            ]
        )
        for one in answer["people"]
    ]
    heads = [view.t(f"word.{name}") for name in ("reporter", "phone", "source", "text")]
    return [
        html.Div(
            [
                html.Div(
                    [pieces.icon("eye"), html.Span(view.t("desk.unmasked", number=answer["number"]))],
                    className="cy-row cy-strong",
                ),
                pieces.table(heads, lines, nothing=view.t("desk.unmasked.none")),
            ],
            className="persons",
        )
    ]
