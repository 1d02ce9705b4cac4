"""大屏管理: pairing a wall's browser by its code, and the screens there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from incidents.screens import SIZES
from layouts import ids
from layouts.shell import frame, pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View, epoch_ms

Row = Mapping[str, Any]


def screens(view: View) -> Component:
    """The page: the form beside the list."""
    body = html.Main(
        [
            html.Section(_form(view), className="cy-panel cy-scroll screens__form"),
            html.Section(id=ids.SCREENS_LIST, className="cy-panel cy-scroll screens__list"),
            *(dcc.Store(id=x) for x in (ids.SCREENS_AGAIN, ids.SCREENS_UNPAIR)),
        ],
        className="screens",
    )
    return frame.framed(view, "screens", body)


def _form(view: View) -> list[Component]:
    def text(id: str, longest: int, **more: Any) -> Component:
        return dcc.Input(
            id=id, type="text", className="cy-input", maxLength=longest, autoComplete="off", **more
        )

    def number(id: str, value: int | None, most: int) -> Component:
        return dcc.Input(
            id=id, type="number", value=value, min=0, max=most, step=1, className="cy-input cy-num"
        )

    sizes: list[Any] = [{"label": name.replace("x", " × "), "value": name} for name in SIZES]
    return [
        html.H1(view.t("screens.pair"), className="cy-h2"),
        html.P(view.t("screens.how"), className="cy-dim"),
        pieces.field(view.t("screens.code"), text(ids.SCREENS_CODE, 12), required=True),
        pieces.field(view.t("screens.name"), text(ids.SCREENS_NAME, 40), required=True),
        pieces.field(
            view.t("screens.size"),
            dcc.Dropdown(
                id=ids.SCREENS_SIZE,
                options=sizes,
                value=next(iter(SIZES)),
                clearable=False,
                searchable=False,
                labels=pieces.dropdown_words(view),
            ),
            hint=view.t("screens.size.hint"),
        ),
        pieces.field(
            view.t("screens.areas"),
            dcc.Dropdown(id=ids.SCREENS_AREAS, options=[], multi=True, labels=pieces.dropdown_words(view)),
            required=True,
        ),
        html.Div(
            [
                pieces.field(view.t("screens.columns"), number(ids.SCREENS_COLUMNS, None, 16)),
                pieces.field(view.t("screens.rows"), number(ids.SCREENS_ROWS, None, 16)),
                pieces.field(view.t("screens.seam"), number(ids.SCREENS_SEAM, 8, 200)),
            ],
            className="screens__cells",
        ),
        html.P(view.t("screens.cells.hint"), className="cy-hint"),
        html.Button(
            view.t("screens.pair.press"),
            id=ids.SCREENS_PAIR,
            type="button",
            n_clicks=0,
            className="cy-button cy-button--primary",
        ),
    ]


def listed(view: View, answer: Row) -> list[Component]:
    """Every screen: what it shows, whose it is, when it was last there."""
    rows: Sequence[Row] = answer["rows"]
    heads = [
        view.t(f"screens.head.{name}")
        for name in ("name", "size", "areas", "shows", "paired", "seen", "unpair")
    ]
    table = pieces.table(heads, [_line(view, row) for row in rows], nothing=view.t("screens.none"))
    return [html.H2(view.t("screens.title"), className="cy-h2 screens__title"), table]


def _line(view: View, row: Row) -> Component:
    cells = (
        view.t("screens.cells", columns=row["columns"], rows=row["rows"])
        if row["columns"] * row["rows"] > 1
        else ""
    )
    shows = view.t(f"scene.{row['scene']}")
    if row["sent_by"]:
        shows = view.t("screens.sent", scene=shows, name=row["sent_by"])
    paired = f"{row['paired_by']} · {view.moment(row['paired_at'], '%m-%d %H:%M')} · {row['address']}"
    return html.Tr(
        [
            html.Td(row["name"]),
            html.Td([html.Span(row["size"].replace("x", " × "), className="cy-num"), " ", cells]),
            html.Td("、".join(row["area_names"] or row["areas"])),
            html.Td(shows, className="admin-data"),
            html.Td(paired, className="cy-num"),
            html.Td(_seen(row["last_seen"])),
            html.Td(
                pieces.button(
                    view.t("screens.unpair"),
                    kind="small",
                    **attrs({"data-unpair": row["key"], "data-sure": view.t("screens.unpair.sure")}),
                )
            ),
        ]
    )


def _seen(value: object) -> Component:
    return html.Span("", className="age", **attrs({"data-as-of": str(epoch_ms(value) or ""), "data-limit-s": "60"}))  # fmt: skip
