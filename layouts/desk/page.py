"""The desk's static structure. What lives is filled in by layouts/assets/desk/desk.mjs, what is asked by callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import dash_ag_grid as dag
from dash import dcc, html
from dash.development.base_component import Component

from incidents.appeals import AGAINST
from layouts import ids
from layouts.desk import assisting, batch, keys, reassign, spread, standards
from layouts.desk.intake import intake
from layouts.shell import frame, pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

STAGE_GROUPS: Final = ("waiting", "working", "checking")
"""Quick filters: 待受理派遣 / 处置中 / 待核查; the stages of each are in desk/list.mjs."""


def desk(view: View) -> Component:
    """The page of operators and dispatchers."""
    stores = [dcc.Store(id=name) for name in _STORES]
    body = html.Main(
        [
            html.Section(id=ids.DESK_TILES, className="tiles", **attrs({"aria-label": view.t("desk.tiles")})),
            html.Div(
                [_list(view), _splitter(view), _map(view), _drawer(view), intake(view)], className="work"
            ),
            _records(view),
            keys.dialog(view),
            *stores,
        ],
        className="desk",
    )
    return frame.framed(view, "desk", body)


_STORES: Final = (
    ids.DESK_SELECTED,
    ids.DESK_SHOWN,
    ids.DESK_PRESS,
    ids.DESK_FOLLOW,
    ids.DESK_SEARCH_ASK,
    ids.DESK_SPREAD_ASK,
    ids.DESK_UNMASK,
    ids.DESK_BATCH,
    ids.DESK_COMPARE,
    ids.RECORDS_ASK,
    ids.DEVICE_ASK,
    ids.INTAKE_TYPED,
    ids.INTAKE_PLACE_TYPED,
    ids.INTAKE_POINT,
    ids.INTAKE_KEY,
    ids.INTAKE_FILED,
)


def _list(view: View) -> Component:
    levels = [
        html.Button(
            pieces.NUMERALS[n],
            className="cy-button cy-button--small level-pick",
            type="button",
            title=view.word("level", n),
            **attrs({"data-level": str(n), "aria-pressed": "false"}),
        )
        for n in (1, 2, 3, 4)
    ]
    groups = [
        html.Button(
            [view.t(f"desk.group.{g}"), html.Span("", className="n cy-num", **attrs({"data-count": g}))],
            type="button",
            **attrs({"data-group": g, "aria-pressed": "false"}),
        )
        for g in ("all", *STAGE_GROUPS)
    ]
    flags = [
        html.Button(
            [view.t(f"desk.flag.{f}"), html.Span("", className="n cy-num", **attrs({"data-count": f}))],
            className="cy-button cy-button--small cy-button--ghost flag",
            type="button",
            **attrs({"data-flag": f, "aria-pressed": "false"}),
        )
        for f in ("overdue", "mine", "inview")
    ]
    tools = html.Div(
        [
            html.Div(
                [
                    pieces.icon("search"),
                    dcc.Input(
                        id=ids.DESK_SEARCH,
                        type="search",
                        placeholder=view.t("desk.search"),
                        className="search__input",
                        autoComplete="off",
                    ),
                    html.Div(id=ids.DESK_FOUND, className="found", hidden=True),
                ],
                className="search",
            ),
            spread.opener(view),
            html.A(
                pieces.icon("file-spreadsheet"),
                className="cy-button cy-button--icon",
                href="/api/v1/export/incidents.xlsx",
                title=view.t("desk.export"),
                download="",
                hidden=not view.may("incident.export"),
                **attrs({"data-export": "", "aria-label": view.t("desk.export")}),
            ),
            html.Div(
                pieces.button(
                    pieces.icon("star"),
                    kind="icon",
                    title=view.t("views.title"),
                    **attrs(
                        {"data-views-open": "", "aria-label": view.t("views.title"), "aria-expanded": "false"}
                    ),
                ),
                className="views",
                hidden=not view.may("view.keep"),
                **attrs({"data-views": "", "data-unit": view.actor.unit}),
            ),
            pieces.button(
                [pieces.icon("phone-call"), view.t("desk.intake"), html.Kbd("F2")],
                kind="primary",
                hidden=not view.may("incident.report"),
                **attrs({"data-intake": ""}),
            ),
        ],
        className="list__tools",
    )
    filters = html.Div(
        [
            html.Div(groups, className="cy-segment list__groups", role="group"),
            html.Div(
                [
                    *levels,
                    *flags,
                    html.Select(
                        className="cy-select class-pick",
                        **attrs({"aria-label": view.t("word.class"), "data-class": ""}),
                    ),
                    pieces.button(
                        view.t("ui.clear"), kind="ghost small", hidden=True, **attrs({"data-clear": ""})
                    ),
                ],
                className="list__flags",
            ),
            html.Div(
                className="list__chips", hidden=True, **attrs({"data-chips": "", "aria-live": "polite"})
            ),
        ],
        className="list__filters",
    )
    return html.Section(
        [
            tools,
            filters,
            html.Div(id=ids.DESK_SPREAD, className="list__spread", hidden=True),
            html.Div(_grid(view), className="list__grid"),
            batch.bar(view),
            html.Div(
                [
                    html.Span(className="cy-grow cy-clip", **attrs({"data-foot": ""})),
                    *(
                        pieces.button(
                            view.t(f"desk.window.{part}"),
                            kind="ghost small",
                            title=view.t("desk.window"),
                            **attrs({"data-window": part}),
                        )
                        for part in ("list", "map")
                    ),
                    pieces.button(
                        [html.Kbd("?"), view.t("desk.keys")], kind="ghost small", **attrs({"data-keys": ""})
                    ),
                ],
                className="list__foot cy-faint",
            ),
        ],
        className="cy-panel list",
        **attrs({"aria-label": view.t("word.incidents")}),
    )


def _grid(view: View) -> Component:
    """Rows come from the live items by transactions in the browser; Python never sends one."""

    def column(field: str, head: str, renderer: str, **more: Any) -> dict[str, Any]:
        return {"field": field, "colId": field, "headerName": head, "cellRenderer": renderer, **more}

    columns = [
        column(
            "mark",
            "",
            "CyMark",
            headerTooltip=view.t("desk.batch.mark"),
            width=34,
            maxWidth=34,
            resizable=False,
            sortable=False,
            cellClass="is-centre",
        ),
        column(
            "level",
            "",
            "CyLevel",
            headerTooltip=view.t("word.level"),
            width=46,
            maxWidth=60,
            resizable=False,
            cellClass="is-centre",
        ),
        column("title", view.t("word.incident"), "CyTitle", flex=1, minWidth=140),
        column("number", view.t("word.number"), "CyText", width=150, hide=True, cellClass="cy-num"),
        column("class_name", view.t("word.class"), "CyText", width=120, hide=True),
        column(
            "stage",
            view.t("word.stage"),
            "CyStage",
            width=92,
            valueGetter={"function": "cyStageRank(params)"},
        ),
        column("unit_name", view.t("word.unit"), "CyText", width=130, hide=True),
        column("due", view.t("word.due"), "CyDue", width=132, valueGetter={"function": "cyDue(params)"}),
        column("reported_at", view.t("desk.column.age"), "CyAge", width=84, hide=True),
        column(
            "sources",
            view.t("desk.column.sources"),
            "CySources",
            width=42,
            maxWidth=60,
            resizable=False,
            cellClass="is-centre",
            hide=True,
        ),
    ]
    grid: Component = dag.AgGrid(
        id=ids.DESK_GRID,
        className="grid",
        rowData=[],
        columnDefs=columns,
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "suppressHeaderMenuButton": True,
            "suppressMovable": True,
            "cellDataType": False,
            "sortingOrder": ["asc", "desc", None],
        },
        getRowId="params.data.key",
        dashGridOptions={
            "theme": {"function": "themeQuartz.withPart(agGrid.colorSchemeDark)"},
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "rowHeight": 52,
            "headerHeight": 32,
            "animateRows": False,
            "suppressCellFocus": False,
            "suppressColumnVirtualisation": True,
            "asyncTransactionWaitMillis": 100,
            "isExternalFilterPresent": {"function": "cyFilterPresent()"},
            "doesExternalFilterPass": {"function": "cyFilterPass(params)"},
            "rowClassRules": {
                "is-ringing": "params.data && params.data.level <= 2 && !params.data.acknowledged"
            },
            "localeText": dict.fromkeys(("noRowsToShow", "noMatchingRows"), view.t("desk.list.empty")),
        },
        style={"height": "100%", "width": "100%"},
    )
    return grid


def _splitter(view: View) -> Component:
    return html.Div(
        className="splitter",
        role="separator",
        title=view.t("desk.split"),
        **attrs(
            {"data-splitter": "", "aria-orientation": "vertical", "aria-valuenow": "31", "tabIndex": "0"}
        ),
    )


def _map(view: View) -> Component:
    rights = {"data-draws": "mark.draw", "data-drives": "screen.drive"}
    tools = attrs({name: "" for name, right in rights.items() if view.may(right)})
    return html.Section(html.Div(id=ids.DESK_MAP, className="cy-map", **tools), className="cy-panel map-host")


def _drawer(view: View) -> Component:
    return html.Aside(
        [
            html.Header(id=ids.DESK_HEAD, className="detail__head"),
            html.Div(
                [
                    html.Div(id=ids.DESK_PERSONS, className="detail__part"),
                    html.Div(id=ids.DESK_FACTS, className="detail__part"),
                    html.Div(id=ids.DESK_DISPATCH, className="detail__part"),
                    assisting.beside_dispatch(view),
                    html.Div(id=ids.DESK_PHOTOS, className="detail__part"),
                    html.Div(id=ids.DESK_CHART, className="detail__part"),
                    html.Div(id=ids.DESK_SOURCES, className="detail__part"),
                    html.Div(id=ids.DESK_TIMELINE, className="detail__part"),
                ],
                className="detail__body cy-scroll",
            ),
            _act_form(view),
            html.Footer(id=ids.DESK_ACTIONS, className="detail__actions"),
        ],
        id=ids.DESK_DRAWER,
        className="cy-panel detail",
        hidden=True,
        **attrs({"aria-label": view.t("desk.detail")}),
    )


def _radios(id: str, options: Sequence[tuple[str, Any]], value: Any = None) -> Component:
    made: list[Any] = [{"label": label, "value": one} for label, one in options]
    return dcc.RadioItems(id=id, options=made, value=value, inline=True, className="radios")


def _particulars(view: View) -> list[Component]:
    """Of the steps beside the way: 挂账 until when, 督办 of which level and within how long, 申诉 against what, 回访."""
    fields = (
        ("until", dcc.DatePickerSingle(id=ids.DESK_ACT_UNTIL, display_format="YYYY-MM-DD", first_day_of_week=1)),
        ("degree", _radios(ids.DESK_ACT_DEGREE, [(view.word("supervision", n), n) for n in (1, 2, 3)], 3)),
        ("hours", dcc.Input(id=ids.DESK_ACT_HOURS, type="number", value=24, min=0.5, max=720, step=0.5,
                            className="cy-input")),
        ("against", _radios(ids.DESK_ACT_AGAINST, [(view.word("against", a), a) for a in AGAINST], AGAINST[0])),
        ("satisfaction", _radios(ids.DESK_ACT_SATISFACTION,
                                 [(view.word("satisfaction", n), n) for n in (5, 4, 3, 2, 1)])),
    )  # fmt: skip
    return [
        html.Div(pieces.field(view.t(f"desk.act.{name}"), field), **attrs({"data-for": name}))
        for name, field in fields
    ]


def _act_form(view: View) -> Component:
    """Particulars of the action about to be done; stays put while the detail around it reloads."""
    level = _radios(ids.DESK_ACT_LEVEL, [(view.word("level", n), n) for n in (1, 2, 3, 4)])
    return html.Div(
        [
            html.Div(className="cy-h3", **attrs({"data-act-title": ""})),
            html.Div(
                pieces.field(
                    view.t("word.class"),
                    dcc.Dropdown(
                        labels=pieces.dropdown_words(view),
                        id=ids.DESK_ACT_CLASS,
                        options=[],
                        placeholder=view.t("desk.choose_class"),
                        maxHeight=260,
                    ),
                ),
                **attrs({"data-for": "class"}),
            ),
            html.Div(pieces.field(view.t("word.level"), level), **attrs({"data-for": "level"})),
            html.Div(standards.chooser(view), **attrs({"data-for": "standard"})),
            html.Div(reassign.chooser(view), **attrs({"data-for": "unit"})),
            html.Div(assisting.chooser(view), **attrs({"data-for": "units"})),
            *_particulars(view),
            html.Div(
                pieces.field(
                    view.t("word.reason"),
                    dcc.Textarea(id=ids.DESK_ACT_REASON, className="cy-textarea", maxLength=1000),
                ),
                **attrs({"data-for": "reason"}),
            ),
            html.Div(
                [
                    pieces.button(view.t("ui.cancel"), kind="ghost", **attrs({"data-act-cancel": ""})),
                    pieces.button(view.t("ui.confirm"), kind="primary", **attrs({"data-act-confirm": ""})),
                ],
                className="cy-row act__foot",
            ),
        ],
        id=ids.DESK_ACT,
        className="act",
        hidden=True,
        role="form",
    )


def _records(view: View) -> Component:
    """The records behind a figure, and a device or camera of the map."""
    return html.Dialog(
        [
            html.Div(
                [
                    html.Span("", className="cy-clip", **attrs({"data-records-title": ""})),
                    html.Div(className="cy-grow"),
                    pieces.button(
                        pieces.icon("x"),
                        kind="ghost icon small",
                        title=view.t("ui.close"),
                        **attrs({"data-records-close": ""}),
                    ),
                ],
                className="cy-dialog__head",
            ),
            html.Div(
                [
                    html.Div(className="formula", **attrs({"data-formula": ""})),
                    html.Div(id=ids.RECORDS_BODY),
                    html.Div(id=ids.DEVICE_BODY),
                ],
                className="cy-dialog__body",
            ),
        ],
        id=ids.RECORDS,
        className="cy-dialog cy-dialog--wide",
    )
