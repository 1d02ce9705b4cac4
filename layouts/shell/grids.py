"""Long tables: AG Grid draws only the rows in sight, where a plain table of thousands would hold a browser for minutes.

Cells are text, or renderers of layouts/assets/desk/cells.js. A click on a row is heard by the page's module, which
takes the row's `open` from the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_ag_grid as dag
from dash import html
from dash.development.base_component import Component

from layouts.shell import pieces
from layouts.shell.view import View


def column(field: str, head: str, **more: Any) -> dict[str, Any]:
    """A text column; it takes its share of the width unless it has one of its own."""
    return {"field": field, "headerName": head, **({} if "width" in more else {"flex": 1}), **more}


def number_column(field: str, head: str, *, mark: bool = False, width: int = 96) -> dict[str, Any]:
    """A column of counts, right-aligned, thousands apart; `mark`: anything above zero stands out."""
    rules = {"cellClassRules": {"is-mark": "params.value > 0"}} if mark else {}
    return {
        "field": field,
        "headerName": head,
        "width": width,
        "cellClass": "is-right cy-num",
        "headerClass": "is-right",
        "cellRenderer": "CyNumber",
        **rules,
    }


def grid(
    view: View,
    id_: str,
    columns: Sequence[dict[str, Any]],
    rows: Sequence[dict[str, Any]],
    *,
    nothing: str,
    row_height: int = 38,
) -> Component:
    """The table, or `nothing` in words. Each row needs a unique `key`."""
    if not rows:
        return pieces.empty(nothing)
    table: Component = dag.AgGrid(
        id=id_,
        className="grid",
        rowData=list(rows),
        columnDefs=list(columns),
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "suppressHeaderMenuButton": True,
            "suppressMovable": True,
            "cellDataType": False,
        },
        getRowId="params.data.key",
        dashGridOptions={
            "theme": {"function": "themeQuartz.withPart(agGrid.colorSchemeDark)"},
            "rowHeight": row_height,
            "headerHeight": 34,
            "animateRows": False,
            "enableCellTextSelection": True,
        },
        style={"height": "100%", "width": "100%"},
    )
    return html.Div(table, className="grid-host")
