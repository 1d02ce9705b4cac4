"""城市运行体征: five domains of vital signs, and beside them the one that is looked at, with its day and its records (S07)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from layouts import figures, ids
from layouts.shell import frame, pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

DOMAIN_ICONS: Final = {
    "traffic": "traffic",
    "safety": "siren",
    "ecology": "tree",
    "economy": "chart-column",
    "cyber": "shield",
}
LAMPS: Final = {"over": "lamp--wrong", "off": "lamp--warn", "stale": "lamp--warn", "nodata": "lamp--warn"}


def vitals(view: View) -> Component:
    """The page: panorama at the left, the chosen vital sign at the right."""
    body = html.Main(
        [
            html.Section(
                pieces.empty(view.t("ui.loading"), mark="ellipsis"),
                id=ids.VITALS_BODY,
                className="vitals__domains cy-scroll",
            ),
            html.Aside(
                pieces.empty(view.t("vitals.choose"), mark="gauge"),
                id=ids.VITALS_SIDE,
                className="cy-panel cy-scroll vitals__side",
                **attrs({"aria-live": "polite"}),
            ),
            dcc.Store(id=ids.VITALS_ASK),
            dcc.Store(id=ids.VITALS_LOOK),
        ],
        className="vitals",
    )
    return frame.framed(view, "vitals", body)


def panorama(view: View, answer: Row) -> list[Component]:
    """The five domains, each with its tiles and how it stands."""
    return [_domain(view, d) for d in answer["domains"]]


def _domain(view: View, domain: Row) -> Component:
    states = [str(r["state"]) for r in domain["rows"]]
    fed = [s for s in states if s != "none"]
    worst = next((s for s in ("over", "stale", "nodata", "off") if s in fed), "ok" if fed else "none")
    note = view.t("vitals.fed", n=len(fed), total=len(states))
    return html.Section(
        [
            html.Div(
                [
                    pieces.icon(DOMAIN_ICONS[str(domain["id"])]),
                    html.H2(view.word("vitals.domain", domain["id"]), className="cy-panel__title"),
                    html.Span(view.word("vitals.state", worst), className=f"lamp {LAMPS.get(worst, '')}"),
                    html.Span(note, className="cy-panel__note cy-clip"),
                ],
                className="cy-panel__head",
            ),
            html.Div([_tile(view, r) for r in domain["rows"]], className="vitals__tiles"),
        ],
        className="cy-panel vitals__domain",
        **attrs({"data-domain": domain["id"]}),
    )


def number(value: object) -> str:
    """A figure with at most one decimal, thousands apart; an en dash for none."""
    if not isinstance(value, int | float):
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:,.1f}"


def unit(view: View, r: Row) -> str:
    """The unit in the page's language."""
    return str(r["unit_en"] if view.lang == "en" else r["unit"])


def _bound(view: View, r: Row, which: str) -> str:
    """'≤ 35 µg/m³', '' without one."""
    if r.get(which) is None:
        return ""
    up = r["direction"] == "up"
    sign = ("≥" if up else "≤") if which == "target" else ("<" if up else ">")
    return f"{sign} {number(r[which])} {unit(view, r)}".strip()


def _tile(view: View, r: Row) -> Component:
    state = str(r["state"])
    if state == "none":
        foot: list[Any] = [html.Span(view.named(dict(r), "needs"), className="cy-clip")]
        value: Component = html.Span(view.t("vitals.no_source"), className="vitals__none")
    else:
        target = _bound(view, r, "target")
        foot = [
            html.Span(f"{view.t('vitals.target')} {target}" if target else "", className="cy-clip"),
            pieces.age_of(r["as_of"], r["limit_s"]),
        ]
        value = html.Span(
            [html.Span(number(r["value"])), html.Span(unit(view, r), className="cy-tile__unit")],
            className="cy-tile__value",
        )
    return html.Button(
        [
            html.Span(
                [
                    html.Span(view.named(dict(r)), className="cy-clip"),
                    html.Span(view.word("vitals.state", state), className=f"lamp {LAMPS.get(state, '')}")
                    if state not in ("ok", "none")
                    else None,
                ],
                className="cy-tile__name vitals__name",
            ),
            value,
            html.Span(foot, className="cy-tile__foot"),
        ],
        type="button",
        className=f"cy-tile cy-tile--button vital is-{state}",
        title=f"{view.named(dict(r))}\n{view.named(dict(r), 'formula')}",
        **attrs({"data-vital": r["id"]}),
    )


def found(answer: Row, id: str) -> Row | None:
    """The row of a vital sign; without a wish the first that is beyond its limit, else the first that has a figure."""
    rows = [r for d in answer["domains"] for r in d["rows"]]
    if id:
        return next((r for r in rows if r["id"] == id), None)
    return next(
        (r for r in rows if r["state"] == "over"), next((r for r in rows if r["value"] is not None), None)
    )


def side(view: View, r: Row | None, records: Row | None) -> list[Component]:
    """One vital sign: what it is, how it is computed, its day, and what it was counted from."""
    if r is None:
        return [pieces.empty(view.t("vitals.choose"), mark="gauge")]
    parts = _parts(view, r)
    head = html.Div(
        [
            html.Div(view.word("vitals.domain", r["domain"]), className="cy-faint"),
            html.H2(view.named(dict(r)), className="cy-h2"),
            html.Div(
                [
                    html.Span(number(r["value"]), className="vitals__big cy-num"),
                    html.Span(unit(view, r), className="cy-dim"),
                    html.Span(
                        view.word("vitals.state", r["state"]),
                        className=f"lamp {LAMPS.get(str(r['state']), '')}",
                    ),
                ],
                className="cy-row vitals__now",
            ),
        ]
    )
    if r["source"] == "none":
        told = html.Div(
            [html.Strong(view.t("vitals.needs")), html.Div(view.named(dict(r), "needs"))], className="formula"
        )
        return [head, told, html.Div(_formula(view, r, parts), className="formula")]
    return [
        head,
        html.Div(_formula(view, r, parts), className="formula"),
        pieces.facts(
            [
                (view.t("vitals.target"), _bound(view, r, "target") or view.t("vitals.none_set")),
                (view.t("vitals.limit"), _bound(view, r, "limit") or view.t("vitals.none_set")),
                (view.t("vitals.as_of"), html.Span([view.moment(r["as_of"], "%m-%d %H:%M:%S"), " · ", pieces.age_of(r["as_of"], r["limit_s"])])),
                (view.t("vitals.raised"), view.moment(r["raised_at"]) if r.get("raised_at") else None),
            ]
        ),
        html.H3(view.t("vitals.trend"), className="detail__h"),
        dcc.Graph(figure=trend(view, r), config=figures.CONFIG, className="chart")
        if len(r["trend"]) > 1
        else pieces.empty(view.t("vitals.trend.young"), mark="clock"),
        html.H3(view.t("vitals.records"), className="detail__h"),
        records_of(view, r, records),
    ]  # fmt: skip


def _parts(view: View, r: Row) -> str:
    if r["numerator"] is not None and r["denominator"]:
        return f" = {number(r['numerator'])} / {number(r['denominator'])}"
    return ""


def _formula(view: View, r: Row, parts: str) -> str:
    return view.t("vitals.formula", text=view.named(dict(r), "formula")) + parts


def trend(view: View, r: Row) -> go.Figure:
    """The day of one vital sign: means of ten minutes, its target dotted, its limit in the colour of its level."""
    zone = ZoneInfo(view.timezone)
    times = [
        datetime.fromtimestamp(t / 1000, UTC).astimezone(zone).replace(tzinfo=None) for t, _ in r["trend"]
    ]
    figure = go.Figure(layout=figures.dress())
    figure.add_trace(
        go.Scatter(
            x=times, y=[v for _, v in r["trend"]], mode="lines", line={"color": figures.LINE, "width": 1.6},
            hovertemplate=f"%{{y:.4g}} {unit(view, r)}<extra></extra>",
        )
    )  # fmt: skip
    if r["target"] is not None:
        figure.add_hline(y=r["target"], line={"color": figures.TEXT, "width": 1, "dash": "dot"})
    if r["limit"] is not None:
        colour = figures.LEVELS[int(r["level"])]
        words = {"text": view.t("vitals.limit"), "font": {"color": colour, "size": 11}, "xanchor": "right"}
        figure.add_hline(y=r["limit"], line={"color": colour, "width": 1.2, "dash": "dash"}, annotation=words)
    figure.update_xaxes(tickformat="%H:%M")
    figure.update_yaxes(rangemode="tozero" if r["source"] != "metric" else "normal")
    return figure


def records_of(view: View, r: Row, records: Row | None) -> Component:
    """The devices, incidents or refusals that a figure was counted from, the worst first."""
    if not records:
        return pieces.empty(view.t("ui.loading"), mark="ellipsis")
    if records["withheld"]:
        return pieces.fault(view.t("vitals.withheld"))
    if not records["rows"]:
        return pieces.empty(view.t("vitals.no_records"), mark="circle-check")
    heads = [view.t("vitals.record.name"), view.t("vitals.record.value"), view.t("vitals.record.at")]
    rows = [_record(view, r, one) for one in records["rows"]]
    return pieces.table(heads, rows, nothing="", className="vitals__records")


def _record(view: View, r: Row, one: Row) -> Component:
    if records_are_incidents(r):
        name: Any = html.A(one["name"], href=f"/desk#incident={one['id']}")
        value: Any = pieces.level_badge(view, one["value"])
    else:
        name = one["name"] or one["id"]
        value = f"{number(one['value'])} {unit(view, r) if r['source'] == 'metric' and '%' not in r['unit'] else ''}"
        if one["value"] is None:
            value = view.t("vitals.heard" if one["counted"] else "vitals.silent")
    return html.Tr(
        [
            html.Td(name),
            html.Td(value, className="cy-num"),
            html.Td(pieces.age_of(one["at"]) if one["at"] else "–"),
        ],
        className="is-counted" if one["counted"] else "",
    )


def records_are_incidents(r: Row) -> bool:
    """What opens an incident when it is pressed."""
    return str(r["source"]) == "incidents"
