"""Small pieces of the Dash pages: badges, fields, empty and refused states. Classes are those of tokens.css."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts.shell.view import View, epoch_ms

NUMERALS: Final = {1: "Ⅰ", 2: "Ⅱ", 3: "Ⅲ", 4: "Ⅳ"}


def attrs(values: Mapping[str, object]) -> dict[str, Any]:
    """Attributes whose names Python cannot write as keywords (data-…, aria-…), for `**`."""
    return dict(values)


def icon(name: str) -> Component:
    """An icon of icons.svg; the browser fills it in (Dash has no SVG elements)."""
    return html.Span(className="ico", **attrs({"data-icon": name, "aria-hidden": "true"}))


def level_badge(view: View, level: object) -> Component:
    """Level by colour, shape and roman numeral; '' for no level."""
    number = int(str(level or 0))
    return html.Span(
        NUMERALS.get(number, "–"), className=f"cy-level cy-level--{number}", title=view.word("level", number)
    )


def stage_chip(view: View, stage: object) -> Component:
    """Stage in words, shape by CSS."""
    return html.Span(view.word("stage", stage), className=f"cy-stage cy-stage--{stage}")


def age_of(value: object, limit_s: float | None = None) -> Component:
    """A moment shown as its age, kept up to date by age.mjs; past `limit_s` it is marked as stale."""
    facts = {"data-as-of": str(epoch_ms(value) or "")}
    if limit_s is not None:
        facts["data-limit-s"] = f"{limit_s:g}"
    return html.Span("", className="age", **attrs(facts))


def since_of(value: object) -> Component:
    """How long something has been so since a moment, kept up to date by age.mjs."""
    return html.Span("", className="since", **attrs({"data-since": str(epoch_ms(value) or "")}))


def due_of(value: object) -> Component:
    """Time left or over until a moment, kept up to date by age.mjs."""
    return html.Span("", className="due", **attrs({"data-due": str(epoch_ms(value) or "")}))


def empty(text: str, *, mark: str = "inbox") -> Component:
    """Nothing to show, said in words."""
    return html.Div([icon(mark), html.Span(text)], className="cy-empty")


def fault(text: str, *more: Component) -> Component:
    """Something went wrong, or is not allowed, said in words; `more`: what may be done about it."""
    return html.Div([icon("ban"), html.Span(text), *more], className="cy-empty is-fault", role="alert")


def again(view: View, store: str) -> Component:
    """Asks once more what the store `store` asked for (desk/answers.mjs)."""
    return button(view.t("ui.again"), kind="small", **attrs({"data-again": store}))


def button(label: Any, *, kind: str = "", act: dict[str, object] | None = None, **props: Any) -> Component:
    """A button; `act` is what the page's module sends on when it is pressed."""
    names = ["cy-button", *(f"cy-button--{k}" for k in kind.split())]
    data = {"data-act": json.dumps(act, ensure_ascii=False)} if act is not None else {}
    return html.Button(label, className=" ".join(names), type="button", **attrs(data), **props)


def field(label: str, control: Component, *, required: bool = False, hint: str = "") -> Component:
    """A labelled control."""
    name = html.Label(
        label,
        className="cy-label" + (" is-required" if required else ""),
        htmlFor=str(getattr(control, "id", "")),
    )
    return html.Div(
        [name, control, *([html.Div(hint, className="cy-hint")] if hint else [])], className="cy-field"
    )


def dropdown_words(view: View) -> Any:
    """What a drop-down says by itself, in the page's language (`labels` of dcc.Dropdown)."""
    names = ("search", "clear_search", "clear_selection", "no_options_found", "select_all", "deselect_all")
    return {name: view.t(f"ui.dropdown.{name}") for name in names} | {
        "selected_count": view.t("ui.dropdown.selected_count", num_selected="{num_selected}")
    }


def reason(view: View, id: str, placeholder: str) -> Component:
    """The field of a reason, which the audit log keeps."""
    control = dcc.Input(id=id, type="text", className="cy-input", placeholder=placeholder, maxLength=500)
    return field(view.t("word.reason"), control)


def facts(pairs: Iterable[tuple[str, Any]]) -> Component:
    """A definition list; pairs without a value are left out."""
    rows: list[Component] = []
    for name, value in pairs:
        if value is not None and value != "" and value != []:
            rows += [html.Dt(name), html.Dd(value)]
    return html.Dl(rows, className="cy-facts")


def table(
    heads: Sequence[str], rows: Iterable[Component], *, nothing: str, className: str = "", host: str = ""
) -> Component:
    """A plain table with a sticky head, or `nothing` in words."""
    body = list(rows)
    if not body:
        return empty(nothing)
    head = html.Thead(html.Tr([html.Th(h) for h in heads]))
    return html.Div(
        html.Table([head, html.Tbody(body)], className=f"cy-table {className}"),
        className=f"cy-scroll table-host {host}",
        tabIndex=0,  # a table that scrolls can be scrolled by the keyboard
    )


def toast(text: str, kind: str = "") -> Component:
    """A short message; CSS lets it fade. `kind`: '' (done), warn, wrong."""
    mark = {"": "circle-check", "warn": "triangle-alert", "wrong": "circle-x"}[kind]
    return html.Div(
        [icon(mark), html.Span(text)],
        className=f"cy-toast{f' cy-toast--{kind}' if kind else ''}",
        role="alert" if kind else "status",
    )
