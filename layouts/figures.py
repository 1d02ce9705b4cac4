"""Plotly figures in the product's dress: neutral lines on no ground, only limits and breaches in a legal colour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from layouts.shell.view import View

CONFIG: Final[Any] = {"displayModeBar": False, "scrollZoom": False, "responsive": True}
FONT: Final = '"Chengyun Latin", "Chengyun Sans", "PingFang SC", "Microsoft YaHei", sans-serif'
LINE: Final = "#e9ecee"
GRID: Final = "#2b2f35"
TEXT: Final = "#9ba3ab"
LEVELS: Final = {1: "#ff4438", 2: "#ff9417", 3: "#ffd426", 4: "#4b93ff"}


BRUSH: Final[dict[str, Any]] = {
    "dragmode": "select",
    "selectdirection": "h",
    "newselection": {"line": {"color": "#9ba3ab", "width": 1, "dash": "solid"}},
}


def dress(size: int = 11, height: int | None = 180) -> dict[str, Any]:
    """Layout common to all charts; `size` in px, `height` None fills its host."""
    axis = {
        "gridcolor": GRID,
        "zeroline": False,
        "linecolor": GRID,
        "tickcolor": GRID,
        "automargin": True,
        "fixedrange": True,
    }
    layout: dict[str, Any] = {
        "font": {"family": FONT, "size": size, "color": TEXT},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 12, "t": 8, "b": 4},
        "showlegend": False,
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": "#24282d",
            "bordercolor": "#454b53",
            "font": {"color": "#f2f4f5", "family": FONT},
        },
        "xaxis": {**axis, "showgrid": False, "nticks": 6},
        "yaxis": {**axis, "nticks": 5},
    }
    if height is not None:
        layout["height"] = height
    return layout


def brushed(height: int | None = 180) -> go.Figure:
    """A chart on which a span of its x axis can be drawn; what that does is the page's (desk/brush.mjs)."""
    return go.Figure(layout={**dress(height=height), **BRUSH})


def device_series(view: View, series: Mapping[str, Any]) -> go.Figure:
    """Readings of one metric {t: [ms], v: [value], unit, name, thresholds: [{value, level}]} over time.

    Of a window too long for readings (`level` is not raw) each point is a bucket's mean; a band from `low` to `high`
    shows what it hides, and the axis says how long a bucket is. A span of it can be drawn.
    """
    zone = ZoneInfo(view.timezone)
    times = [
        datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).replace(tzinfo=None) for ms in series["t"]
    ]
    figure = brushed()
    name = str(series.get("name_en" if view.lang == "en" else "name") or series.get("metric") or "")
    unit = str(series.get("unit") or "")
    rolled = str(series.get("level") or "raw") != "raw"
    if rolled:
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "x": times}
        figure.add_trace(go.Scatter(y=series["low"], **edge))
        figure.add_trace(
            go.Scatter(y=series["high"], fill="tonexty", fillcolor="rgba(154,163,171,0.25)", **edge)
        )
    figure.add_trace(
        go.Scatter(
            x=times,
            y=series["v"],
            mode="lines",
            line={"color": LINE, "width": 1.6},
            name=name,
            hovertemplate=f"%{{y:.4g}} {unit}<extra></extra>",
        )
    )
    for limit in series.get("thresholds", []):
        level = int(limit.get("level", 3))
        figure.add_hline(
            y=limit["value"],
            line={"color": LEVELS[level], "width": 1.2, "dash": "dash"},
            annotation={
                "text": view.word("level", level),
                "font": {"color": LEVELS[level], "size": 11},
                "xanchor": "right",
            },
        )
    figure.update_xaxes(tickformat="%H:%M")
    title = f"{name} {unit}".strip()
    if rolled:
        title = view.t("desk.series_mean", title=title, span=view.span(float(series["bucket_s"])))
    figure.update_yaxes(title={"text": title, "font": {"size": 11}})
    return figure


def empty_trend() -> go.Figure:
    """A chart of the wall before its first data: axes only; the browser fills and updates it in place."""
    return go.Figure(layout=dress(size=15, height=None))


def size(value: object) -> str:
    """Bytes in the largest decimal unit that leaves a whole part: 1.2 GB; an en dash for nothing."""
    if not isinstance(value, int | float):
        return "–"
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(amount) < 999.5:
            return f"{amount:.0f} {unit}" if unit == "B" or abs(amount) >= 99.95 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def number(value: object) -> str:
    """A figure with at most three decimals and no tail of zeros; an en dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, int | float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return str(value)
