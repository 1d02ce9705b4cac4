"""Devices: the registry with health, quarantine of unknown devices, import of tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from incidents.device_registry import STATUSES
from incidents.health import STATES
from layouts import ids
from layouts.shell import frame, pieces
from layouts.shell.grids import column, grid, number_column
from layouts.shell.pieces import attrs
from layouts.shell.view import View, epoch_ms

Row = Mapping[str, Any]

TABS: Final = (
    ("registry", "device.see", "device"),
    ("quarantine", "deadletter.see", "inbox"),
    ("import", "device.manage", "upload"),
    ("cameras", "camera.see", "camera"),
    ("precision", "camera.see", "crosshair"),
    ("views", "camera.ask", "eye"),
    ("types", "device.see", "gauge"),
)
LAMPS: Final = {"online": "", "faulty": "wrong", "silent": "warn"}
"""Health → lamp; the others are said in words alone."""

SKEW_WARNS_S: Final = 60
"""A clock so far off mixes up what was first."""

SHEET: Final = ("id", "type", "name", "unit", "owner", "address", "lon", "lat", "expected_period_s", "status",
                "installed_on", "calibration_due")  # fmt: skip
"""The fields of the form, each with the id `device-<field>`."""


def devices(view: View) -> Component:
    """The page: tabs, the table, a form for the chosen, new or unknown device."""
    tabs = [
        html.Button(
            [pieces.icon(mark), view.t(f"devices.tab.{name}")],
            type="button",
            className="side-nav__item",
            **attrs({"data-tab": name, "role": "tab", "aria-selected": "false"}),
        )
        for name, right, mark in TABS
        if view.may(right)
    ]
    refresh = [pieces.icon("refresh-cw"), view.t("ui.refresh")]
    body = html.Main(
        [
            html.Nav(
                [
                    html.Div(tabs, className="side-nav__tabs", role="tablist"),
                    _filters(view),
                    html.Div(className="cy-grow"),
                    pieces.button(refresh, kind="ghost", **attrs({"data-refresh": ""})),
                ],
                className="side-nav",
            ),
            html.Section(
                [html.Div(id=ids.DEVICES_BODY, className="ops__body"), _import(view)],
                className="cy-panel ops__main cy-scroll",
            ),
            html.Aside(
                [_form_head(view), html.Div(id=ids.DEVICES_SIDE, className="cy-stack"), _form(view)],
                className="cy-panel ops__side cy-scroll",
                hidden=True,
                **attrs({"data-side": ""}),
            ),
            *(
                dcc.Store(id=x)
                for x in (ids.DEVICES_ASK, ids.DEVICES_EDIT, ids.DEVICES_PRESS, ids.DEVICES_CONFIRM)
            ),
        ],
        className="ops devices",
    )
    return frame.framed(view, "devices", body)


def _filters(view: View) -> Component:
    statuses = [{"label": view.word("devices.status", s), "value": s} for s in STATUSES]
    return html.Div(
        [
            dcc.Input(
                id=ids.DEVICES_SEARCH, type="search", className="cy-input", autoComplete="off", debounce=True,
                placeholder=view.t("devices.search"),
            ),
            dcc.Dropdown(labels=pieces.dropdown_words(view), id=ids.DEVICES_TYPE, options=[], placeholder=view.t("devices.column.type")),
            dcc.Dropdown(labels=pieces.dropdown_words(view), id=ids.DEVICES_STATUS, options=statuses, placeholder=view.t("word.status")),
        ],
        className="cy-stack devices__filters",
    )  # fmt: skip


def _form_head(view: View) -> Component:
    close = pieces.button(
        pieces.icon("x"), kind="ghost icon small", title=view.t("ui.close"), **attrs({"data-side-close": ""})
    )
    return html.Div(
        [html.H2("", className="cy-h2 cy-grow", **attrs({"data-form-title": ""})), close], className="cy-row"
    )


def _text(view: View, name: str, **more: Any) -> Component:
    control = dcc.Input(id=f"device-{name}", type="text", className="cy-input", autoComplete="off", **more)
    return pieces.field(view.t(f"devices.column.{name}"), control, required=name == "id")


def _form(view: View) -> Component:
    statuses = [{"label": view.word("devices.status", s), "value": s} for s in STATUSES]
    kinds = dcc.Dropdown(labels=pieces.dropdown_words(view), id="device-type", options=[], clearable=False)
    units = dcc.Dropdown(labels=pieces.dropdown_words(view), id="device-unit", options=[])
    status = dcc.Dropdown(
        labels=pieces.dropdown_words(view), id="device-status", options=statuses, clearable=False
    )

    def press(save: str, mark: str, only: str, kind: str = "") -> Component:
        label = [pieces.icon(mark), view.t(f"devices.{save}")]
        return pieces.button(label, kind=kind, **attrs({"data-save": save, "data-only": only}))

    return html.Div(
        [
            _text(view, "id", maxLength=64),
            pieces.field(view.t("devices.column.type"), kinds, required=True),
            _text(view, "name", maxLength=200),
            pieces.field(view.t("devices.column.unit"), units),
            _text(view, "owner", maxLength=200),
            _text(view, "address", maxLength=200),
            html.Div([_text(view, "lon", inputMode="decimal"), _text(view, "lat", inputMode="decimal")], className="devices__pair"),
            html.Div([_text(view, "expected_period_s", inputMode="decimal"), pieces.field(view.t("word.status"), status)],
                     className="devices__pair"),
            html.Div([_text(view, "installed_on", placeholder="2026-03-05"), _text(view, "calibration_due", placeholder="2027-03-05")],
                     className="devices__pair"),
            html.Div(view.t("devices.form.hint"), className="cy-hint"),
            html.Div(
                [press("save", "save", "known new", "primary"), press("adopt", "check", "unknown", "primary"),
                 *([press("camera", "check", "camera", "primary")] if view.may("camera.manage") else [])],
                className="cy-row",
            ),
            pieces.field(
                view.t("word.reason"),
                dcc.Input(id=ids.DEVICES_REASON, type="text", className="cy-input", maxLength=500, autoComplete="off"),
                hint=view.t("devices.reason.hint"),
            ),
            html.Div(
                [press("retire", "ban", "known", "danger"), press("reject", "archive", "unknown camera", "danger"),
                 press("release", "redo-2", "camera")],
                className="cy-row cy-row--wrap",
            ),
        ],
        id=ids.DEVICES_FORM,
        className="cy-stack",
        hidden=not view.may("device.manage"),
        **attrs({"data-form": "devices"}),
    )  # fmt: skip


def _import(view: View) -> Component:
    """Always there, shown on its tab by the style sheet: a file that was chosen stays while one looks elsewhere."""
    upload = dcc.Upload(
        [pieces.icon("upload"), html.Span(view.t("devices.import.drop"))],
        id=ids.DEVICES_UPLOAD,
        className="devices__drop",
        max_size=8_000_000,
        accept=".csv,.xlsx,.txt",
    )
    return html.Div(
        [upload, html.Div(id=ids.DEVICES_PREVIEW, className="cy-stack")], className="devices__import cy-stack"
    )


# -- the registry --------------------------------------------------------------------------------------------


def registry(view: View, answer: Row, asked: Row) -> list[Component]:
    """Health as chips that filter, and the devices, each opening its form."""
    rows: Sequence[Row] = answer.get("rows", [])
    counted = answer.get("health", {})
    chips = [_chip(view, asked, "", sum(counted.values()))] + [
        _chip(view, asked, state, counted.get(state, 0))
        for state in (*STATES, "due")
        if counted.get(state) or state in (asked.get("health"), "due")
    ]
    columns = [
        column("who", view.t("word.device"), cellRenderer="CyPair", minWidth=190),
        column("type", view.t("devices.column.type"), width=130),
        column("of", view.t("devices.column.unit"), cellRenderer="CyPair", minWidth=170),
        column("health", view.t("devices.health"), width=110, cellRenderer="CyLamp"),
        number_column("score", view.t("devices.score"), width=80),
        column("why", view.t("word.reason"), cellClass="cy-dim", minWidth=200),
        column("reported_at", view.t("devices.heard"), width=110, cellRenderer="CyAge"),
        column("skew", view.t("devices.skew"), width=110, cellRenderer="CyLamp"),
        column("due", view.t("devices.column.calibration_due"), width=120, cellRenderer="CyLamp"),
    ]
    new = {"form": "new"}
    return [
        title(view, "registry", answer.get("total", 0), new if view.may("device.manage") else None),
        html.Div(chips, className="cy-row cy-row--wrap"),
        grid(
            view,
            ids.DEVICES_GRID,
            columns,
            [_line(view, r) for r in rows],
            nothing=view.t("ui.empty"),
            row_height=50,
        ),
    ]


def _chip(view: View, asked: Row, state: str, number: int) -> Component:
    ask = {**{k: v for k, v in asked.items() if k != "at"}, "tab": "registry", "health": state}
    label = view.word("devices.state", state) if state else view.t("word.all")
    count = [] if state == "due" else [html.Span(f"{number:,}", className="cy-num")]
    return _asks([label, *count], ask, str(asked.get("health") or "") == state)


def _asks(words: list[Any], ask: Row, on: bool) -> Component:
    """A chip that asks the page anew; `on`: this is what is shown."""
    return html.Button(
        words,
        type="button",
        className="cy-chip is-button" + (" is-on" if on else ""),
        **attrs({"data-ask": json.dumps(ask, ensure_ascii=False), "aria-pressed": str(on).lower()}),
    )


def _line(view: View, r: Row) -> dict[str, Any]:
    health, due = str(r.get("health")), str(r.get("calibration_due") or "–")
    return {
        "key": str(r.get("id")),
        "who": [
            str(r.get("name") or r.get("id")),
            " · ".join(filter(None, (str(r.get("id")), r.get("pole")))),
        ],
        "type": view.named(dict(r), "type_name"),
        "of": [str(r.get("unit_name") or "–"), str(r.get("owner") or "")],
        "health": [view.word("devices.state", health), LAMPS.get(health, "")],
        "score": r.get("score"),
        "why": reasons(view, r),
        "reported_at": r.get("last_reported_at"),
        "skew": skew(view, r.get("clock_skew_s")),
        "due": [due, "warn" if r.get("due") else ""],
        "open": {"form": "known", "reasons": reasons(view, r), **{k: _plain(r.get(k)) for k in SHEET}},
    }


def skew(view: View, behind_s: float | None) -> list[str]:
    """[words, lamp] of a device's clock against the bus's: + is fast. What is below a second is the way of the message."""
    if behind_s is None:
        return ["–", ""]
    if abs(behind_s) < 1:
        return [view.t("devices.skew.none"), ""]
    words = view.t("devices.skew.of", s=f"{-behind_s:+,.0f}".replace("-", "−"))
    return [words, "warn" if abs(behind_s) >= SKEW_WARNS_S else ""]


def reasons(view: View, r: Row) -> str:
    """Why points are missing, in the view's language."""
    texts = [str(x.get("text" if view.lang == "zh" else "text_en")) for x in r.get("reasons") or []]
    return ("；" if view.lang == "zh" else "; ").join(texts)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else str(value)


# -- quarantine ----------------------------------------------------------------------------------------------


def quarantine(view: View, answer: Row, asked: Row) -> list[Component]:
    """Unknown devices and cameras; a click opens the form that registers one."""
    state = str(asked.get("state") or "waiting")
    choice = [
        _asks([view.t(f"devices.held.{name}")], {"tab": "quarantine", "state": name}, name == state)
        for name in ("waiting", "rejected")
    ]
    lines = [_waiting(view, r) for r in answer.get("rows", [])]
    columns = [
        column("who", view.t("devices.unknown"), cellRenderer="CyPair", minWidth=190),
        number_column("messages", view.t("ops.held.n")),
        column("since", view.t("ops.held.first"), width=130, cellClass="cy-num"),
        column("reported_at", view.t("ops.held.last"), width=110, cellRenderer="CyAge"),
        column("metrics", view.t("devices.sample"), minWidth=220),
        column("fits", view.t("devices.fits"), width=150),
        column("feeds", view.t("ops.feed"), width=120),
    ]
    if state == "rejected":
        columns.append(column("reason", view.t("word.reason"), minWidth=160))
    head = title(view, "quarantine", answer.get("total", 0))
    note = html.P(view.t("devices.held.note", n=f"{answer.get('messages', 0):,}"), className="law")
    table = grid(view, ids.DEVICES_GRID, columns, lines, nothing=view.t("ops.held.none"), row_height=50)
    return [head, note, html.Div(choice, className="cy-row"), table]


def _waiting(view: View, r: Row) -> dict[str, Any]:
    kind, thing = str(r.get("kind")), str(r.get("thing"))
    types = r.get("types") or []
    return {
        "key": f"{kind}:{thing}",
        "who": [thing, view.t(f"word.{kind}") + (f" · {view.t('devices.known')}" if r.get("registered") else "")],
        "messages": r.get("messages"),
        "since": view.moment(r.get("since")),
        "reported_at": epoch_ms(r.get("last")),
        "metrics": ", ".join(f"{m['id']}={m['value']:g}" + ("" if m["declared"] else " ?") for m in r.get("metrics") or []),
        "fits": ", ".join(view.named(x) for x in types) or "–",
        "feeds": ", ".join(r.get("feeds") or []),
        "reason": str(r.get("reason") or ""),
        "open": {
            "form": "unknown" if kind == "device" else "camera", "id": thing, "kind": kind, "type": types[0]["id"] if types else None,
            "messages": r.get("messages"), "name": "", "status": "in_service",
            "rejected": bool(r.get("reason") or r.get("settled_by")),
        },
    }  # fmt: skip


# -- import --------------------------------------------------------------------------------------------------


def import_(view: View, asked: Row) -> list[Component]:
    """What a table must be, of devices or of cameras; below it stands the drop zone."""
    of = "cameras" if asked.get("of") == "cameras" else "devices"
    choice = [
        _asks([view.t(f"devices.import.of.{name}")], {"tab": "import", "of": name}, name == of)
        for name, right in (("devices", "device.manage"), ("cameras", "camera.manage"))
        if view.may(right)
    ]
    heads = (
        [view.t("devices.import.camera_heads")]
        if of == "cameras"
        else [view.t(f"devices.column.{field}") for field in SHEET]
    )
    return [
        title(view, "import"),
        html.Div(choice, className="cy-row"),
        html.P(view.t("devices.import.law"), className="law"),
        html.P(
            view.t("devices.import.heads") + ("、" if view.lang == "zh" else ", ").join(heads),
            className="law",
        ),
    ]


def preview(view: View, answer: Row, filename: str) -> list[Component]:
    """What a file would do, with every fault; a button when it may be stored."""
    faults: Sequence[Row] = answer.get("faults", [])
    counts = [
        html.Span([view.t(f"devices.import.{name}"), html.Span(f"{answer.get(name, 0):,}", className="cy-num cy-strong")],
                  className="cy-chip")
        for name in ("rows", "new", "changed", "same", "faulty")
    ]  # fmt: skip
    zh = view.lang == "zh"
    lines = [
        html.Tr(
            [
                html.Td(str(f.get("row")), className="is-right cy-num"),
                html.Td(str(f.get("column_zh" if zh else "column"))),
                html.Td(str(f.get("value")), className="cy-strong"),
                html.Td(view.t("devices.import.must", rule=f.get("rule_zh" if zh else "rule"))),
            ]
        )
        for f in faults
    ]
    heads = [view.t(f"devices.import.{name}") for name in ("row", "column")] + [
        view.t("word.value"),
        view.t("devices.import.rule"),
    ]
    changes = answer.get("new", 0) + answer.get("changed", 0)
    if answer.get("stored"):
        end: list[Component] = [
            html.Div([pieces.icon("circle-check"), view.t("devices.import.stored")], className="verdict")
        ]
    elif answer.get("faulty"):
        end = [
            html.Div(
                [pieces.icon("circle-x"), view.t("devices.import.refused")],
                className="verdict verdict--wrong",
            )
        ]
    elif not changes:
        end = [html.Div([pieces.icon("check"), view.t("devices.import.nothing")], className="verdict")]
    else:
        label = [pieces.icon("check"), view.t("devices.import.confirm", n=f"{changes:,}")]
        end = [pieces.button(label, kind="primary", **attrs({"data-confirm": ""}))]
    table = pieces.table(heads, lines, nothing="") if lines else html.Div()
    return [
        html.H2(filename, className="cy-h2"),
        html.Div(counts, className="cy-row cy-row--wrap"),
        html.Div(end, className="cy-row"),
        table,
    ]


def title(view: View, name: str, total: int | None = None, new: Row | None = None) -> Component:
    """The head of a tab; `new`: what the button beside it opens."""
    count = [] if total is None else [html.Span(f"{total:,}", className="cy-count")]
    add = (
        []
        if new is None
        else [
            pieces.button(
                [pieces.icon("plus"), view.t("ui.add")],
                kind="primary",
                **attrs({"data-edit": json.dumps(new)}),
            )
        ]
    )
    return html.Div(
        [
            html.H1(view.t(f"devices.tab.{name}"), className="cy-h1"),
            *count,
            html.Div(className="cy-grow"),
            *add,
        ],
        className="cy-row ops__title",
    )
