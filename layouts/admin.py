"""Administration: accounts, units, areas. A change ends the open sessions of whom it concerns (the service does)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from incidents.access import ROLES
from layouts import ids
from layouts.shell import frame, pieces
from layouts.shell.grids import column, grid, number_column
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

TABS: Final = (
    ("accounts", "account.see", "users"),
    ("units", "unit.manage", "unit"),
    ("areas", "area.manage", "area"),
)


def admin(view: View) -> Component:
    """The page: tabs, the table, a form for the chosen or new row."""
    tabs = [
        html.Button(
            [pieces.icon(mark), view.t(f"admin.tab.{name}")],
            type="button",
            className="side-nav__item",
            **attrs({"data-tab": name, "role": "tab", "aria-selected": "false"}),
        )
        for name, right, mark in TABS
        if view.may(right)
    ]
    body = html.Main(
        [
            html.Nav(
                [
                    html.Div(tabs, className="side-nav__tabs", role="tablist"),
                    dcc.Input(
                        id=ids.ADMIN_SEARCH,
                        type="search",
                        className="cy-input",
                        placeholder=view.t("admin.search"),
                        autoComplete="off",
                    ),
                    html.Div(className="cy-grow"),
                    pieces.button(
                        [pieces.icon("refresh-cw"), view.t("ui.refresh")],
                        kind="ghost",
                        **attrs({"data-refresh": ""}),
                    ),
                ],
                className="side-nav",
            ),
            html.Section(
                html.Div(id=ids.ADMIN_BODY, className="ops__body"), className="cy-panel ops__main cy-scroll"
            ),
            html.Aside(
                [
                    _form_head(view),
                    html.Div([_account_form(view), _unit_form(view), _area_form(view)], id=ids.ADMIN_FORM),
                    html.Div(id=ids.ADMIN_SECRET),
                ],
                className="cy-panel ops__side cy-scroll",
                hidden=True,
                **attrs({"data-side": ""}),
            ),
            *(dcc.Store(id=x) for x in (ids.ADMIN_ASK, ids.ADMIN_EDIT, ids.ADMIN_PRESS)),
        ],
        className="ops admin",
    )
    return frame.framed(view, "admin", body)


def _form_head(view: View) -> Component:
    return html.Div(
        [
            html.H2("", className="cy-h2 cy-grow", **attrs({"data-form-title": ""})),
            pieces.button(
                pieces.icon("x"),
                kind="ghost icon small",
                title=view.t("ui.close"),
                **attrs({"data-side-close": ""}),
            ),
        ],
        className="cy-row",
    )


def _text(
    view: View, id_: str, label: str, *, required: bool = False, hint: str = "", **more: Any
) -> Component:
    return pieces.field(
        label,
        dcc.Input(id=id_, type="text", className="cy-input", autoComplete="off", **more),
        required=required,
        hint=hint,
    )


def _account_form(view: View) -> Component:
    roles = [{"label": view.word("role", r), "value": r} for r in ROLES]
    return html.Div(
        [
            _text(view, ids.ADMIN_LOGIN, view.t("admin.login"), required=True, maxLength=60),
            _text(view, ids.ADMIN_NAME, view.t("word.name"), required=True, maxLength=60),
            pieces.field(
                view.t("admin.role"),
                dcc.Dropdown(
                    labels=pieces.dropdown_words(view), id=ids.ADMIN_ROLE, options=roles, clearable=False
                ),
                required=True,
            ),
            pieces.field(
                view.t("word.unit"),
                dcc.Dropdown(labels=pieces.dropdown_words(view), id=ids.ADMIN_UNIT, options=[]),
                hint=view.t("admin.unit.hint"),
            ),
            pieces.field(
                view.t("admin.areas"),
                dcc.Dropdown(labels=pieces.dropdown_words(view), id=ids.ADMIN_AREAS, options=[], multi=True),
                required=True,
                hint=view.t("admin.areas.hint"),
            ),
            html.Div(
                [pieces.button(view.t("ui.save"), kind="primary", **attrs({"data-save": "account"}))],
                className="cy-row",
            ),
            html.Div(
                [
                    pieces.button(
                        [pieces.icon("key"), view.t("admin.reset")], **attrs({"data-save": "reset"})
                    ),
                    pieces.button(
                        [pieces.icon("ban"), view.t("admin.disable")],
                        kind="danger",
                        **attrs({"data-save": "disable"}),
                    ),
                    pieces.button(view.t("admin.enable"), **attrs({"data-save": "enable"})),
                ],
                className="cy-row cy-row--wrap",
                **attrs({"data-only": "edit"}),
            ),
            html.Div(view.t("admin.ends_sessions"), className="cy-hint"),
        ],
        className="cy-stack",
        hidden=True,
        **attrs({"data-form": "accounts"}),
    )


def _unit_form(view: View) -> Component:
    return html.Div(
        [
            _text(view, ids.ADMIN_CODE, view.t("admin.code"), required=True, maxLength=40),
            _text(view, f"{ids.ADMIN_NAME}-unit", view.t("word.name"), required=True, maxLength=60),
            _text(view, ids.ADMIN_KIND, view.t("word.type"), maxLength=40),
            _text(view, ids.ADMIN_PHONE, view.t("word.phone"), maxLength=30),
            pieces.field(
                view.t("word.area"),
                dcc.Dropdown(labels=pieces.dropdown_words(view), id=ids.ADMIN_AREA, options=[]),
                required=True,
            ),
            html.Div(
                [
                    pieces.button(view.t("ui.save"), kind="primary", **attrs({"data-save": "unit"})),
                    pieces.button(
                        view.t("admin.disable"),
                        kind="danger",
                        **attrs({"data-save": "unit-disable", "data-only": "edit"}),
                    ),
                    pieces.button(
                        view.t("admin.enable"), **attrs({"data-save": "unit-enable", "data-only": "edit"})
                    ),
                ],
                className="cy-row",
            ),
        ],
        className="cy-stack",
        hidden=True,
        **attrs({"data-form": "units"}),
    )


def _area_form(view: View) -> Component:
    levels = [
        {"label": view.word("area", x), "value": x}
        for x in ("district", "town", "village", "duty_grid", "cell")
    ]
    return html.Div(
        [
            _text(view, f"{ids.ADMIN_CODE}-area", view.t("admin.code"), required=True, maxLength=40),
            _text(view, f"{ids.ADMIN_NAME}-area", view.t("word.name"), required=True, maxLength=60),
            _text(view, ids.ADMIN_PARENT, view.t("admin.parent"), maxLength=40),
            pieces.field(
                view.t("admin.level"),
                dcc.Dropdown(
                    labels=pieces.dropdown_words(view), id=ids.ADMIN_LEVEL, options=levels, clearable=False
                ),
                required=True,
            ),
            html.Div(
                [
                    pieces.button(view.t("ui.save"), kind="primary", **attrs({"data-save": "area"})),
                    pieces.button(
                        view.t("admin.disable"),
                        kind="danger",
                        **attrs({"data-save": "area-disable", "data-only": "edit"}),
                    ),
                    pieces.button(
                        view.t("admin.enable"), **attrs({"data-save": "area-enable", "data-only": "edit"})
                    ),
                ],
                className="cy-row",
            ),
            html.Div(view.t("admin.area.hint"), className="cy-hint"),
        ],
        className="cy-stack",
        hidden=True,
        **attrs({"data-form": "areas"}),
    )


def accounts(view: View, answer: Row) -> list[Component]:
    """The accounts, each opening its form."""
    lines = [
        {
            "key": str(r.get("login")),
            "who": [str(r.get("name")), str(r.get("login"))],
            "role": view.word("role", r.get("role")),
            "unit": str(r.get("unit_name") or r.get("unit") or "–"),
            "areas": _areas_shown(view, r.get("areas") or []),
            "state": _account_state(view, r),
            "sessions": r.get("sessions") or None,
            "open": {
                "form": "accounts",
                **{k: r.get(k) for k in ("login", "name", "role", "unit", "areas", "disabled")},
            },
        }
        for r in answer.get("rows", [])
    ]
    columns = [
        column("who", view.t("word.account"), cellRenderer="CyPair", minWidth=150),
        column("role", view.t("admin.role"), width=120),
        column("unit", view.t("word.unit"), minWidth=180),
        column("areas", view.t("admin.areas"), minWidth=180, cellClass="cy-dim cy-num"),
        column("state", view.t("word.status"), width=150, cellRenderer="CyLamp"),
        number_column("sessions", view.t("admin.sessions")),
    ]
    table = grid(view, ids.ADMIN_GRID, columns, lines, nothing=view.t("ui.empty"), row_height=50)
    return [_title(view, "accounts", answer), table]


def _areas_shown(view: View, paths: Sequence[str]) -> str:
    """The codes of the areas; of many the first and how many there are."""
    codes = [path.rstrip("/").rsplit("/", 1)[-1] for path in paths]
    return view.t("admin.areas.many", first=codes[0], n=len(codes)) if len(codes) > 2 else ", ".join(codes)


def _account_state(view: View, r: Row) -> list[str]:
    if r.get("disabled"):
        return [view.t("admin.disabled"), "warn"]
    if r.get("locked_until"):
        return [view.t("admin.locked", time=view.moment(r["locked_until"])), "warn"]
    return [view.t("admin.first_login" if r.get("must_change") else "admin.active"), ""]


def units(view: View, answer: Row) -> list[Component]:
    """The responsible units."""
    lines = [
        html.Tr(
            [
                html.Td(
                    [
                        html.Div(view.named(dict(r)), className="cy-strong"),
                        html.Div(str(r.get("code")), className="cy-faint cy-num"),
                    ]
                ),
                html.Td(str(r.get("kind") or "–")),
                html.Td(str(r.get("area_name") or r.get("area") or "–"), className="cy-dim"),
                html.Td(str(r.get("phone") or "–"), className="cy-num"),
                html.Td(
                    html.Span(view.t("admin.disabled"), className="lamp lamp--warn")
                    if r.get("disabled")
                    else html.Span(view.t("admin.active"), className="cy-dim")
                ),
            ],
            **_row("units", {k: r.get(k) for k in ("code", "name", "kind", "area", "phone", "disabled")}),
        )
        for r in answer.get("rows", [])
    ]
    heads = [
        view.t("word.unit"),
        view.t("word.type"),
        view.t("word.area"),
        view.t("word.phone"),
        view.t("word.status"),
    ]
    return [
        _title(view, "units", answer),
        pieces.table(heads, lines, nothing=view.t("ui.empty"), className="is-clickable"),
    ]


def areas(view: View, answer: Row, parent: str, trail: Sequence[Row]) -> list[Component]:
    """The children of an area; a click goes one level down, the pencil edits."""
    crumbs = [
        html.Button(
            str(x.get("name")),
            type="button",
            className="crumb",
            **attrs(
                {
                    "data-ask": json.dumps(
                        {"tab": "areas", "parent": x.get("code"), "trail": list(trail[: i + 1])},
                        ensure_ascii=False,
                    )
                }
            ),
        )
        for i, x in enumerate(trail)
    ]
    root = html.Button(
        view.t("admin.roots"),
        type="button",
        className="crumb",
        **attrs({"data-ask": json.dumps({"tab": "areas"})}),
    )
    lines = [
        html.Tr(
            [
                html.Td(
                    html.Button(
                        view.named(dict(r)),
                        type="button",
                        className="crumb",
                        **attrs(
                            {
                                "data-ask": json.dumps(
                                    {
                                        "tab": "areas",
                                        "parent": r.get("code"),
                                        "trail": [*trail, {"code": r.get("code"), "name": r.get("name")}],
                                    },
                                    ensure_ascii=False,
                                )
                            }
                        ),
                    )
                ),
                html.Td(str(r.get("code")), className="cy-num cy-dim"),
                html.Td(view.word("area", r.get("level"))),
                html.Td(
                    html.Span(view.t("admin.disabled"), className="lamp lamp--warn")
                    if r.get("disabled")
                    else html.Span(view.t("admin.active"), className="cy-dim")
                ),
                html.Td(
                    pieces.button(
                        pieces.icon("pencil"),
                        kind="ghost icon small",
                        title=view.t("ui.edit"),
                        **_row(
                            "areas",
                            {k: r.get(k) for k in ("code", "name", "parent", "level", "disabled")},
                            button=True,
                        ),
                    )
                ),
            ]
        )
        for r in answer.get("rows", [])
    ]
    heads = [view.t("word.name"), view.t("admin.code"), view.t("admin.level"), view.t("word.status"), ""]
    return [
        _title(view, "areas", answer, {"parent": parent}),
        html.Div([root, *crumbs], className="crumbs"),
        pieces.table(heads, lines, nothing=view.t("ui.empty")),
    ]


def _row(form: str, values: Row, *, button: bool = False) -> dict[str, Any]:
    facts: dict[str, Any] = {"data-edit": json.dumps({"form": form, **values}, ensure_ascii=False)}
    return facts if button else {**facts, "tabIndex": "0", "role": "button"}


def _title(view: View, name: str, answer: Row, new: Row | None = None) -> Component:
    total = answer.get("total", len(answer.get("rows", [])))
    return html.Div(
        [
            html.H1(view.t(f"admin.tab.{name}"), className="cy-h1"),
            html.Span(f"{total:,}", className="cy-count"),
            html.Div(className="cy-grow"),
            pieces.button(
                [pieces.icon("plus"), view.t("ui.add")],
                kind="primary",
                **attrs({"data-edit": json.dumps({"form": name, "new": True, **(new or {})})}),
            ),
        ],
        className="cy-row ops__title",
    )


def secret(view: View, login: str, password: str) -> list[Component]:
    """A first password, shown this once."""
    return [
        html.Div(
            [
                html.Div([pieces.icon("key"), view.t("admin.secret", login=login)], className="cy-strong"),
                html.Code(password, className="secret", **attrs({"data-copy": password})),
                html.Div(view.t("admin.secret.once"), className="cy-hint"),
            ],
            className="secret-host",
            role="alert",
        )
    ]
