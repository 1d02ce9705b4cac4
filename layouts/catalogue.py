"""The event-class catalogue 事项目录: rule sheets of the city, their standards, what waits for a person, and a sheet that is
looked at before it is stored (S12)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from incidents.catalogue_commands import ONLY
from incidents.model import ClockKind
from layouts import ids
from layouts.shell import frame, pieces
from layouts.shell.grids import column, grid
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

FIELDS: Final = ("condition", "units", "amount", "kind", "evidence", "closing", "reason")
"""The form of a standard, each with the id `catalogue-<field>`."""
PROFILE: Final = {"bare_day": "work_day", "bare_hour": "work_hour"}
"""What a bare 天 and 小时 mean unless the person says otherwise."""


def catalogue(view: View) -> Component:
    """The page: sheets left, standards in the middle, the form of one at the side."""
    body = html.Main(
        [
            html.Nav(
                [_search(view), html.Div(id=ids.CATALOGUE_LIST, className="cy-stack"), _import(view)],
                className="side-nav cy-scroll",
            ),
            html.Section(
                [
                    html.Div(id=ids.CATALOGUE_BODY, className="ops__body"),
                    html.Div(id=ids.CATALOGUE_PREVIEW, className="cy-stack"),
                ],
                className="cy-panel ops__main cy-scroll",
            ),
            html.Aside(
                [html.Div(id=ids.CATALOGUE_SIDE, className="cy-stack"), _form(view)],
                className="cy-panel ops__side cy-scroll", hidden=True, **attrs({"data-side": ""}),
            ),
            *(dcc.Store(id=x) for x in (ids.CATALOGUE_ASK, ids.CATALOGUE_EDIT, ids.CATALOGUE_PRESS)),
        ],
        className="ops catalogue",
    )  # fmt: skip
    return frame.framed(view, "catalogue", body)


def _search(view: View) -> Component:
    return dcc.Input(
        id=ids.CATALOGUE_SEARCH, type="search", className="cy-input", debounce=True, autoComplete="off",
        placeholder=view.t("catalogue.search"),
    )  # fmt: skip


def _kinds(view: View) -> list[Any]:
    return [{"label": view.t(f"catalogue.kind.{kind}"), "value": str(kind)} for kind in ClockKind]


def _import(view: View) -> Component:
    """A sheet to be read. Hidden from who may not store one."""
    profile = [
        pieces.field(
            view.t(f"catalogue.{name}"),
            dcc.Dropdown(id=f"catalogue-{name}", options=_kinds(view), value=value, clearable=False),
        )
        for name, value in PROFILE.items()
    ]
    upload = dcc.Upload(
        [pieces.icon("upload"), html.Span(view.t("catalogue.drop"))],
        id=ids.CATALOGUE_UPLOAD, className="devices__drop", max_size=8_000_000, accept=".csv,.tsv,.xlsx,.txt",
    )  # fmt: skip
    return html.Div(
        [html.H2(view.t("catalogue.import"), className="cy-panel__title"), *profile, upload],
        className="cy-stack catalogue__import",
        hidden=not view.may("catalogue.manage"),
    )


def _form(view: View) -> Component:
    """Of a standard that may be changed; the module shows it then."""

    def text(name: str, **more: Any) -> Component:
        control = dcc.Input(
            id=f"catalogue-{name}",
            type="text",
            className="cy-input",
            maxLength=2000,
            autoComplete="off",
            **more,
        )
        return pieces.field(
            view.t(f"catalogue.{name}"), control, required=name in ("condition", "units", "reason")
        )

    kind = dcc.Dropdown(id="catalogue-kind", options=_kinds(view), clearable=False)
    save = pieces.button(
        [pieces.icon("save"), view.t("catalogue.save")], kind="primary", **attrs({"data-save": "standard"})
    )
    return html.Div(
        [
            text("condition"),
            text("units", placeholder="市政维护中心、供水抢修中心"),
            html.Div(
                [text("amount", inputMode="decimal"), pieces.field(view.t("catalogue.kind"), kind)],
                className="devices__pair",
            ),
            text("evidence"),
            text("closing"),
            text("reason"),
            html.Div(save, className="cy-row"),
        ],
        id=ids.CATALOGUE_FORM, className="cy-stack", hidden=True, **attrs({"data-form": "catalogue"}),
    )  # fmt: skip


def sheets(view: View, answer: Row, chosen: int) -> list[Component]:
    """The city's rule sheets; the one that is shown is marked."""
    head = html.H2(view.t("catalogue.sheets"), className="cy-panel__title")
    return [head, *(_sheet(view, row, row["id"] == chosen) for row in answer["rows"])]


def _sheet(view: View, row: Row, on: bool) -> Component:
    if row["published_at"]:
        state = view.t(
            "catalogue.published",
            at=view.moment(row["published_at"], "%Y-%m-%d %H:%M"),
            by=row["published_by"],
        )
    elif row["waiting"]:
        state = view.t("catalogue.waiting", n=row["waiting"])
    else:
        state = view.t("catalogue.draft")
    return html.Button(
        [
            html.Span(row["name"], className="cy-strong"),
            html.Span(
                view.t("catalogue.counts", n=row["standards"], classes=row["classes"]), className="cy-faint"
            ),
            html.Span(state, className="cy-faint" if row["published_at"] else "is-waiting"),
        ],
        type="button",
        className="catalogue__sheet" + (" is-on" if on else ""),
        **attrs({"data-ask": json.dumps({"catalogue": row["id"]}), "aria-pressed": str(on).lower()}),
    )


def standards(view: View, sheet: Row, answer: Row, asked: Row) -> list[Component]:
    """The standards of a sheet: what is filed, who may answer, in which time, with what evidence."""
    only = str(asked.get("only") or "")
    columns = [
        column("of", view.t("catalogue.class"), cellRenderer="CyPair", minWidth=150, maxWidth=230),
        column("condition", view.t("catalogue.condition"), minWidth=240, flex=2),
        column("units", view.t("catalogue.units"), minWidth=200),
        column("limit", view.t("catalogue.limit"), width=190, cellRenderer="CyLamp"),
        column("evidence", view.t("catalogue.evidence"), minWidth=150, cellClass="cy-dim"),
        column("closing", view.t("catalogue.closing"), minWidth=140, cellClass="cy-dim"),
    ]
    chips = [
        html.Button(
            view.t(f"catalogue.only.{name or 'all'}"), type="button",
            className="cy-chip is-button" + (" is-on" if name == only else ""),
            **attrs({"data-ask": json.dumps({"catalogue": sheet["id"], "only": name}), "aria-pressed": str(name == only).lower()}),
        )
        for name in ONLY
    ]  # fmt: skip
    return [
        html.Div(
            [
                html.H1(sheet["name"], className="cy-h1"),
                html.Span(f"{answer['total']:,}", className="cy-count"),
                html.Div(className="cy-grow"),
                *_steps(view, sheet),
            ],
            className="cy-row ops__title",
        ),
        html.Div(chips, className="cy-row cy-row--wrap"),
        grid(
            view, ids.CATALOGUE_GRID, columns, [_line(view, sheet, row) for row in answer["rows"]],
            nothing=view.t("ui.empty"), row_height=58,
        ),
    ]  # fmt: skip


def _steps(view: View, sheet: Row) -> list[Component]:
    if not view.may("catalogue.manage"):
        return []
    name, mark, kind = ("revise", "plus", "") if sheet["published_at"] else ("publish", "check", "primary")
    label = [pieces.icon(mark), view.t(f"catalogue.{name}")]
    button = pieces.button(label, kind=kind, **attrs({"data-save": name, "data-catalogue": sheet["id"]}))
    return [_name(view, ids.CATALOGUE_REVISED), button] if name == "revise" else [button]


def _name(view: View, id: str) -> Component:
    return dcc.Input(
        id=id, type="text", className="cy-input catalogue__name", maxLength=200, autoComplete="off",
        placeholder=view.t("catalogue.name"),
    )  # fmt: skip


def limit_words(view: View, row: Row) -> str:
    """A limit as it was understood: 2 紧急工作时."""
    return view.t(f"clock.{row['clock_kind']}", n=f"{row['amount']:g}")


def _line(view: View, sheet: Row, row: Row) -> dict[str, Any]:
    if row["amount"] is None:
        limit = [view.t("catalogue.odd", text=row["limit_text"]), "wrong"]
    elif row["assumed"]:
        limit = [view.t("catalogue.assumed", limit=limit_words(view, row), text=row["limit_text"]), "warn"]
    else:
        limit = [limit_words(view, row), ""]
    units = "、".join(row["units"])
    return {
        "key": row["code"],
        "of": [row["small_class"], row["big_class"]],
        "condition": row["condition"],
        "units": units,
        "limit": limit,
        "evidence": row["evidence"] or "–",
        "closing": row["closing"] or "–",
        "open": {
            **{k: row[k] for k in ("code", "condition", "evidence", "closing", "small_class", "limit_text", "odd",
                                   "assumed", "decided_by", "decided_why")},
            "units": units, "amount": row["amount"], "kind": row["clock_kind"] or "",
            "catalogue": sheet["id"],
            "editable": not sheet["published_at"] and view.may("catalogue.manage"),
        },
    }  # fmt: skip


def side(view: View, row: Row) -> list[Component]:
    """What is known of one standard, above its form."""
    close = pieces.button(
        pieces.icon("x"), kind="ghost icon small", title=view.t("ui.close"), **attrs({"data-side-close": ""})
    )
    shown = [
        (view.t("catalogue.code"), row["code"]),
        (view.t("catalogue.limit_text"), row["limit_text"]),
        *([(view.t("catalogue.why_odd"), view.t(f"catalogue.rule.{row['odd']}"))] if row["odd"] else []),
        *([(view.t("catalogue.decided"), f"{row['decided_by']} · {row['decided_why']}")] if row["decided_by"] else []),
    ]  # fmt: skip
    if not row["editable"]:
        shown += [
            (view.t("catalogue.condition"), row["condition"]),
            (view.t("catalogue.units"), row["units"]),
            (view.t("catalogue.evidence"), row["evidence"] or "–"),
            (view.t("catalogue.closing"), row["closing"] or "–"),
        ]
    return [
        html.Div([html.H2(row["small_class"], className="cy-h2 cy-grow"), close], className="cy-row"),
        pieces.facts(shown),
        *([] if row["editable"] else [html.P(view.t("catalogue.frozen"), className="law")]),
    ]


def preview(view: View, answer: Row, filename: str) -> list[Component]:
    """What a sheet says, before anything is stored: counts, what a person must read, every fault."""
    counted = ("rows", "standards", "classes", "several_units", "assumed")
    chips = [
        html.Span([view.t(f"catalogue.n.{name}"), html.Span(f"{answer[name]:,}", className="cy-num cy-strong")], className="cy-chip")
        for name in counted
    ]  # fmt: skip
    return [
        html.H2(filename, className="cy-h2"),
        html.Div(chips, className="cy-row cy-row--wrap"),
        *_confirm(view, answer),
        *_lines(
            view,
            "odd_rows",
            ("row", "limit", "why"),
            [{**row, "why": view.t(f"catalogue.rule.{row['rule']}")} for row in answer["odd"]],
        ),
        *_lines(view, "faults", ("row", "column", "value", "rule"), answer["faults"]),
    ]


def _confirm(view: View, answer: Row) -> list[Component]:
    if answer["faulty"]:
        said: list[Any] = [pieces.icon("circle-x"), view.t("catalogue.refused", n=answer["faulty"])]
        return [html.Div(said, className="verdict verdict--wrong")]
    label = [pieces.icon("check"), view.t("catalogue.store", n=answer["standards"])]
    return [
        html.Div(
            [
                _name(view, ids.CATALOGUE_NAME),
                pieces.button(label, kind="primary", **attrs({"data-store": ""})),
            ],
            className="cy-row",
        )
    ]


def _lines(view: View, name: str, columns: Sequence[str], rows: Sequence[Row]) -> list[Component]:
    if not rows:
        return []
    heads = [view.t(f"catalogue.col.{c}") for c in columns]
    lines = [html.Tr([html.Td(str(row[c])) for c in columns]) for row in rows]
    return [
        html.H3(view.t(f"catalogue.{name}", n=len(rows)), className="cy-panel__title"),
        pieces.table(heads, lines, nothing=""),
    ]
