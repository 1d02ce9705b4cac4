"""Operations: the loss ledger, dead letters, quarantine, feeds, what the product runs on, the audit log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts import figures, ids, ops_feeds
from layouts.desk.lists import feeds as feed_table
from layouts.shell import frame, pieces
from layouts.shell.grids import column, grid, number_column
from layouts.shell.pieces import attrs
from layouts.shell.view import View

Row = Mapping[str, Any]

TABS: Final = (
    ("ledger", "ledger.see", "database"),
    ("dead", "deadletter.see", "mail-x"),
    ("held", "deadletter.see", "inbox"),
    ("feeds", "feed.see", "radio"),
    ("status", "status.see", "server"),
    ("audit", "audit.see", "shield"),
)
"""Tab, the right that shows it, icon."""
SHOWN_CHARACTERS: Final = 2000
"""Of a message that cannot be edited."""
_AN_EPOCH_MS: Final = 10**12
"""Whole numbers above it are moments (2001 and later, in ms)."""
MINUTE_COUNTS: Final = ("stored", "rejected", "duplicate", "held")
COUNTS: Final = ("received", "stored", "rejected", "duplicate", "held", "in_flight")


def ops(view: View) -> Component:
    """The page: tabs left, the asked table, and a side sheet for one row."""
    tabs = [
        html.Button(
            [pieces.icon(mark), view.t(f"ops.tab.{name}")],
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
                html.Div(id=ids.OPS_BODY, className="ops__body"), className="cy-panel ops__main cy-scroll"
            ),
            html.Aside(
                [html.Div(id=ids.OPS_SIDE), _letter_form(view), _loss_form(view), ops_feeds.form(view)],
                className="cy-panel ops__side cy-scroll",
                hidden=True,
                **attrs({"data-side": ""}),
            ),
            *(dcc.Store(id=x) for x in (ids.OPS_ASK, ids.OPS_DETAIL_ASK, ids.OPS_PRESS, ids.OPS_LOSS_PRESS)),
            *(dcc.Store(id=x) for x in (ids.FEED_EDIT, ids.FEED_PRESS)),
        ],
        className="ops",
    )
    return frame.framed(view, "ops", body)


def _letter_form(view: View) -> Component:
    """An open dead letter: what to send instead, or why it is given up."""
    return html.Div(
        [
            html.Div(
                pieces.field(
                    view.t("ops.dead.value"),
                    dcc.Textarea(id=ids.OPS_VALUE, className="cy-textarea code", spellCheck=False),
                ),
                id=ids.OPS_EDITOR,
            ),
            pieces.reason(view, ids.OPS_REASON, view.t("ops.dead.drop_reason")),
            html.Div(
                [
                    pieces.button(
                        [pieces.icon("x"), view.t("ops.dead.drop")],
                        kind="danger",
                        **attrs({"data-settle": "drop"}),
                    ),
                    pieces.button(
                        [pieces.icon("redo-2"), view.t("ops.dead.replay")],
                        kind="primary",
                        **attrs({"data-settle": "replay"}),
                    ),
                ],
                className="cy-row cy-row--between",
            ),
        ],
        id=ids.OPS_FIX,
        hidden=True,
        className="cy-stack fix",
    )


def _loss_form(view: View) -> Component:
    """A loss that was looked into: why it is closed."""
    return html.Div(
        [
            html.H2(view.t("ops.loss.title"), className="cy-h2"),
            html.P(view.t("ops.loss.about"), className="cy-muted"),
            pieces.reason(view, ids.OPS_LOSS_REASON, view.t("ops.loss.why")),
            pieces.button(
                [pieces.icon("check"), view.t("ops.loss.settle")], kind="primary", **attrs({"data-loss": ""})
            ),
        ],
        id=ids.OPS_LOSS,
        hidden=True,
        className="cy-stack fix",
    )


def ledger(view: View, answer: Row, asked: Row) -> list[Component]:
    """The law, the mismatches, totals per partition, rows per feed and minute."""
    mismatches = [m for m in answer.get("mismatches", []) if not m.get("resolved_at")]
    return [
        _title(view, "ledger", _windows(view, int(asked.get("minutes") or 60))),
        html.P(view.t("ops.ledger.law"), className="law"),
        _mismatches(view, mismatches),
        html.H2(view.t("ops.ledger.totals"), className="cy-h3"),
        _totals(view, answer.get("partitions", [])),
        html.H2(view.t("ops.ledger.minutes"), className="cy-h3"),
        *_cut(view, answer),
        _minutes(view, answer.get("rows", [])),
    ]


def _cut(view: View, answer: Row) -> list[Component]:
    """Says so when there are more rows than are shown."""
    shown, total = len(answer.get("rows", [])), int(answer.get("total") or 0)
    if total <= shown:
        return []
    return [html.P(view.t("ops.ledger.cut", n=_n(shown), total=_n(total)), className="law")]


def _title(view: View, name: str, *tools: Any) -> Component:
    return html.Div(
        [html.H1(view.t(f"ops.tab.{name}"), className="cy-h1"), html.Div(className="cy-grow"), *tools],
        className="cy-row ops__title",
    )


def _windows(view: View, chosen: int) -> Component:
    choices = [
        html.Button(
            view.t(f"ops.window.{m}"),
            type="button",
            className="is-on" if m == chosen else "",
            **attrs({"data-ask": json.dumps({"tab": "ledger", "minutes": m})}),
        )
        for m in (15, 60, 360, 1440)
    ]
    return html.Div(choices, className="cy-segment")


def _mismatches(view: View, rows: Sequence[Row]) -> Component:
    if not rows:
        return html.Div([pieces.icon("circle-check"), view.t("ops.ledger.balanced")], className="verdict")
    settles = view.may("deadletter.replay")
    lines = [
        {
            "key": str(r.get("id")),
            "kind": view.word("ops.mismatch", r.get("kind")),
            "partition": f"{r.get('topic')} · {r.get('partition')}",
            "feed": str(r.get("feed") or "–"),
            "minute": view.moment(r.get("minute")) or "–",
            "expected": r.get("expected"),
            "found": r.get("found"),
            "gap": int(r.get("found") or 0) - int(r.get("expected") or 0),
            "since": view.moment(r.get("found_at"), "%m-%d %H:%M:%S"),
            "incident": r.get("incident_number") or view.t("ops.mismatch.unfiled"),
            # What the gateway's broker dropped agrees with nothing ever again: a person closes it.
            "open": {"mismatch": r.get("id")} if r.get("kind") == "mqtt_dropped" and settles else None,
        }
        for r in rows
    ]
    columns = [
        column("kind", view.t("ops.mismatch.kind"), width=170),
        column("partition", view.t("ops.mismatch.partition"), cellClass="cy-num", minWidth=200),
        column("feed", view.t("ops.mismatch.feed"), width=130),
        column("minute", view.t("ops.mismatch.minute"), width=120, cellClass="cy-num"),
        number_column("expected", view.t("ops.mismatch.expected")),
        number_column("found", view.t("ops.mismatch.found")),
        number_column("gap", view.t("ops.mismatch.gap")),
        column("since", view.t("ops.mismatch.since"), width=150, cellClass="cy-num"),
        column("incident", view.t("ops.mismatch.incident"), width=170, cellClass="cy-num"),
    ]
    told = html.Div(
        [pieces.icon("triangle-alert"), view.t("ops.ledger.mismatch", n=len(rows))],
        className="verdict verdict--wrong",
        role="alert",
    )
    table = grid(view, ids.OPS_MISMATCHES, columns, lines, nothing="", row_height=34)
    return html.Div([told, html.Div(table, className="mismatches")])


def _totals(view: View, rows: Sequence[Row]) -> Component:
    lines = [
        html.Tr(
            [
                html.Td(str(r.get("topic"))),
                html.Td(str(r.get("partition")), className="cy-num"),
                *(
                    html.Td(
                        _n(r.get(k)),
                        className="is-right cy-num"
                        + (" is-mark" if k in ("rejected", "held") and r.get(k) else ""),
                    )
                    for k in COUNTS
                ),
                html.Td(_balance(view, r), className="is-right"),
            ],
            className="is-broken" if _gap(r) else "",
        )
        for r in rows
    ]
    heads = [
        view.t("ops.topic"),
        view.t("ops.partition"),
        *(view.t(f"ops.count.{k}") for k in COUNTS),
        view.t("ops.balance"),
    ]
    return pieces.table(heads, lines, nothing=view.t("ops.ledger.none"), className="numbers")


def _gap(r: Row) -> int:
    return int(r.get("difference") or 0)


def _balance(view: View, r: Row) -> Component:
    gap = _gap(r)
    return html.Span(
        f"{gap:+,}" if gap else "= 0", className="lamp lamp--wrong cy-num" if gap else "cy-dim cy-num"
    )


def _minutes(view: View, rows: Sequence[Row]) -> Component:
    lines = [
        {
            "key": f"{r.get('minute')} {r.get('feed')} {r.get('topic')} {r.get('partition')}",
            "minute": view.moment(r.get("minute")),
            "feed": str(r.get("feed")),
            "partition": f"{r.get('topic')} · {r.get('partition')}",
            **{k: r.get(k) for k in (*MINUTE_COUNTS, "records_stored", "records_late", "records_missing")},
            "reasons": _drills(view, r),
        }
        for r in rows
    ]
    counts = [
        number_column(k, view.t(f"ops.count.{k}"), mark=k in ("rejected", "held")) for k in MINUTE_COUNTS
    ]
    columns = [
        column("minute", view.t("ops.minute"), width=110, cellClass="cy-num"),
        column("feed", view.t("ops.feed"), width=130),
        column("partition", view.t("ops.partition"), width=240, cellClass="cy-num cy-dim"),
        *counts,
        number_column("records_stored", view.t("ops.count.records")),
        number_column("records_late", view.t("ops.count.late")),
        number_column("records_missing", view.t("ops.count.missing")),
        column("reasons", view.t("ops.reasons"), cellRenderer="CyReasons", minWidth=160, sortable=False),
    ]
    return grid(view, ids.OPS_GRID, columns, lines, nothing=view.t("ops.ledger.none"), row_height=34)


def _drills(view: View, r: Row) -> list[list[Any]]:
    """What a row of the ledger opens, [[question, word, n]]: its dead letters by reason, its quarantined messages."""
    ledger = r.get("ledger")
    opened = [
        [
            json.dumps({"tab": "dead", "reason": why, "state": "all", "ledger": ledger}),
            view.word("ops.why", why),
            n,
        ]
        for why, n in (r.get("reasons") or {}).items()
    ]
    if r.get("held"):
        opened.append([json.dumps({"tab": "held", "ledger": ledger}), view.t("ops.count.held"), r["held"]])
    return opened


def _of_row(view: View, asked: Row, **rest: Any) -> list[Component]:
    """The chip that says that only one row of the ledger is shown, and takes that away."""
    if not asked.get("ledger"):
        return []
    return [
        html.Button(
            [view.t("ops.ledger.one"), " ×"],
            type="button",
            className="cy-chip is-button",
            **attrs({"data-ask": json.dumps(rest)}),
        )
    ]


def dead(view: View, answer: Row, asked: Row) -> list[Component]:
    """Dead letters: reason, field, what was found, which rule."""
    rows = answer.get("rows", [])
    one = {"ledger": asked["ledger"]} if asked.get("ledger") else {}
    state = str(asked.get("state") or "open")
    states = html.Div(
        [
            html.Button(
                view.t(f"ops.state.{s}"),
                type="button",
                className="is-on" if s == state else "",
                **attrs(
                    {
                        "data-ask": json.dumps(
                            {"tab": "dead", "state": s, "reason": asked.get("reason") or "", **one}
                        )
                    }
                ),
            )
            for s in ("open", "replayed", "dropped", "all")
        ],
        className="cy-segment",
    )
    reason = str(asked.get("reason") or "")
    chip = (
        html.Button(
            [view.word("ops.why", reason), " ×"],
            type="button",
            className="cy-chip is-button",
            **attrs({"data-ask": json.dumps({"tab": "dead", "state": state, **one})}),
        )
        if reason
        else None
    )
    lines = [
        {
            "key": f"{r.get('topic')}/{r.get('partition')}/{r.get('offset')}",
            "at": view.moment(r.get("received_at"), "%m-%d %H:%M:%S"),
            "where": [str(r.get("topic")), f"{r.get('partition')} @ {r.get('offset')}"],
            "feed": str(r.get("feed")),
            "why": [view.word("ops.why", r.get("reason")), "wrong"],
            "found": [str(r.get("field") or ""), str(r.get("found") or "")],
            "rule": str(r.get("rule") or ""),
            "state": view.t(f"ops.state.{r.get('state', 'open')}"),
            "open": {k: r.get(k) for k in ("topic", "partition", "offset", "state")},
        }
        for r in rows
    ]
    columns = [
        column("at", view.t("word.time"), width=140, cellClass="cy-num"),
        column("where", view.t("ops.topic"), width=210, cellRenderer="CyPair"),
        column("feed", view.t("ops.feed"), width=120),
        column("why", view.t("word.reason"), width=150, cellRenderer="CyLamp"),
        column("found", view.t("ops.dead.found"), cellRenderer="CyPair", minWidth=170),
        column("rule", view.t("ops.dead.rule"), cellClass="cy-dim", minWidth=190),
        column("state", view.t("word.status"), width=100, cellClass="cy-dim"),
    ]
    note = html.Div(
        view.t("desk.records.shown", n=len(rows), total=answer.get("total", len(rows))), className="cy-faint"
    )
    table = grid(view, ids.OPS_GRID, columns, lines, nothing=view.t("ops.dead.none"), row_height=50)
    unkept = (
        html.P(view.t("ops.dead.unkept", n=_n(answer["unkept"])), className="law")
        if answer.get("unkept")
        else None
    )
    whole = _of_row(view, asked, tab="dead", state=state, reason=reason)
    return [_title(view, "dead", *whole, chip, states), note, *([unkept] if unkept else []), table]


def letter(view: View, r: Row) -> list[Component]:
    """One dead letter in the side sheet. Its text goes into the editor below, or, when it is not the whole message
    or no text, is shown here and cannot be edited."""
    uneditable = () if r.get("whole") else (_as_it_is(view, r),)
    return [
        html.Div(
            [
                html.H2(view.t("ops.dead.one"), className="cy-h2 cy-grow"),
                pieces.button(
                    pieces.icon("x"),
                    kind="ghost icon small",
                    title=view.t("ui.close"),
                    **attrs({"data-side-close": ""}),
                ),
            ],
            className="cy-row",
        ),
        pieces.facts(
            (
                (
                    view.t("word.reason"),
                    html.Span(view.word("ops.why", r.get("reason")), className="lamp lamp--wrong"),
                ),
                (view.t("ops.dead.field"), html.Code(str(r.get("field"))) if r.get("field") else ""),
                (view.t("ops.dead.found"), str(r.get("found") or "")),
                (view.t("ops.dead.rule"), str(r.get("rule") or "")),
                (
                    view.t("ops.topic"),
                    html.Span(
                        f"{r.get('topic')} · {r.get('partition')} @ {r.get('offset')}", className="cy-num"
                    ),
                ),
                (view.t("ops.feed"), str(r.get("feed") or "")),
                (view.t("word.key"), str(r.get("key") or "")),
                (view.t("word.time"), view.moment(r.get("received_at"), "%Y-%m-%d %H:%M:%S")),
                (
                    view.t("ops.settled"),
                    f"{view.moment(r.get('settled_at'))} {r.get('settled_by') or ''} {r.get('settled_why') or ''}"
                    if r.get("settled_at")
                    else "",
                ),
                (
                    view.t("ops.dead.corrected"),
                    html.Pre(str(r["corrected"])[:SHOWN_CHARACTERS], className="code cy-scroll")
                    if r.get("corrected")
                    else "",
                ),
            )
        ),
        *uneditable,
    ]


def _as_it_is(view: View, r: Row) -> Component:
    """The beginning of a message that is too long for the editor or no text."""
    return html.Div(
        [
            html.P(view.t("ops.dead.as_it_is", n=_n(r.get("bytes"))), className="law"),
            html.Pre(str(r.get("value") or "")[:SHOWN_CHARACTERS], className="code cy-scroll"),
        ]
    )


def pretty(value: str) -> str:
    """A message's text indented when it is JSON, else as it is."""
    try:
        text = json.dumps(json.loads(value), ensure_ascii=False, indent=2)
        text.encode()  # half a character, written as an escape, is no text once it is decoded
        return text
    except (ValueError, RecursionError):
        return value


def held(view: View, answer: Row, asked: Row) -> list[Component]:
    """Quarantine: messages of things that are not registered, by key."""
    lines = [
        html.Tr(
            [
                html.Td(str(r.get("key")), className="cy-num cy-strong"),
                html.Td(str(r.get("topic"))),
                html.Td(str(r.get("feed") or "–")),
                html.Td(_n(r.get("messages")), className="is-right cy-num"),
                html.Td(view.moment(r.get("since")), className="cy-num"),
                html.Td(pieces.age_of(r.get("last"))),
            ]
        )
        for r in answer.get("rows", [])
    ]
    heads = [
        view.t("word.key"),
        view.t("ops.topic"),
        view.t("ops.feed"),
        view.t("ops.held.n"),
        view.t("ops.held.first"),
        view.t("ops.held.last"),
    ]
    return [
        _title(view, "held", *_of_row(view, asked, tab="held")),
        html.P(view.t("ops.held.note"), className="law"),
        pieces.table(heads, lines, nothing=view.t("ops.held.none")),
    ]


def feeds(view: View, answer: Row) -> list[Component]:
    """The feed registry with live status."""
    tools = [ops_feeds.new_button(view)] if view.may("feed.manage") else []
    return [_title(view, "feeds", *tools), *feed_table(view, answer.get("rows", []))]


def status(view: View, answer: Row) -> list[Component]:
    """What the product runs on: store edition, bus, live state, processes, lags."""
    cards = [
        html.Section(
            [
                html.H2(view.word("ops.status", name), className="cy-panel__title"),
                pieces.facts((view.word("ops.status", k), _shown(view, v)) for k, v in value.items()),
            ],
            className="cy-panel status__card",
        )
        for name, value in answer.items()
        if isinstance(value, Mapping)
    ]
    plain = pieces.facts(
        (view.word("ops.status", k), _shown(view, v))
        for k, v in answer.items()
        if not isinstance(v, Mapping | list)
    )
    tables = [
        _rows_table(view, name, value)
        for name, value in answer.items()
        if name != "storage" and isinstance(value, list) and value and isinstance(value[0], Mapping)
    ]
    rooms = _storage(view, answer.get("storage") or [])
    return [_title(view, "status"), plain, rooms, html.Div(cards, className="cy-grid"), *tables]


def _storage(view: View, rows: Sequence[Row]) -> Component:
    """What takes room and what waits, how fast it grows, and when it is full."""
    lines = []
    for r in rows:
        amount = figures.size if r.get("unit") == "bytes" else figures.number
        capacity, grows = r.get("capacity"), r.get("per_day")
        share = f"{100 * r['used'] / capacity:.0f} %" if capacity else ""
        if r.get("full_at"):
            full = view.moment(r["full_at"], "%Y-%m-%d %H:%M")
        elif grows is None:
            full = view.t("ops.storage.short")
        elif r.get("unit") == "bytes" and not capacity:
            full = view.t("ops.storage.unknown")
        else:
            full = view.t("ops.storage.never") if capacity else "–"
        cells = (
            (view.t(f"ops.storage.{r.get('what')}"), "cy-strong"),
            (amount(r.get("used")), "is-right cy-num"),
            (amount(capacity) if capacity else "–", "is-right cy-num"),
            (share, "is-right cy-num"),
            ("–" if grows is None else ("+" if grows > 0 else "") + amount(round(grows)), "is-right cy-num"),
            (full, "cy-num" + (" is-mark" if r.get("full_at") else "")),
            (pieces.age_of(r.get("at")), ""),
        )
        lines.append(html.Tr([html.Td(text, className=look) for text, look in cells]))
    heads = [
        view.t(f"ops.storage.head.{k}")
        for k in ("what", "used", "capacity", "share", "per_day", "full", "at")
    ]
    return html.Div(
        [
            html.H2(view.t("ops.storage.title"), className="cy-h3"),
            pieces.table(heads, lines, nothing=view.t("ops.storage.none"), className="rooms"),
        ]
    )


def _rows_table(view: View, name: str, rows: Sequence[Row]) -> Component:
    keys = list(rows[0])
    lines = [html.Tr([html.Td(_shown(view, r.get(k)), className="cy-num") for k in keys]) for r in rows]
    return html.Div(
        [
            html.H2(view.word("ops.status", name), className="cy-h3"),
            pieces.table([view.word("ops.status", k) for k in keys], lines, nothing=""),
        ]
    )


def _shown(view: View, value: Any) -> Any:
    if isinstance(value, int) and value > _AN_EPOCH_MS:
        return pieces.age_of(value)
    if isinstance(value, bool):
        return view.t("word.yes" if value else "word.no")
    if isinstance(value, list | tuple):
        return "、".join(str(x) for x in value) if view.lang == "zh" else ", ".join(str(x) for x in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return figures.number(value)


def audit(view: View, answer: Row) -> list[Component]:
    """The audit log and the state of its hash chain."""
    sound = bool(answer.get("chain_whole"))
    verdict = html.Div(
        [
            pieces.icon("link-2" if sound else "unlink"),
            view.t("ops.audit.sound" if sound else "ops.audit.broken"),
        ],
        className="verdict" + ("" if sound else " verdict--wrong"),
    )
    lines = [
        {
            "key": str(r.get("id")),
            "at": view.moment(r.get("at"), "%m-%d %H:%M:%S"),
            "who": [str(r.get("actor")), view.word("role", r.get("role"))],
            "action": str(r.get("action")),
            "thing": str(r.get("thing")),
            "decision": [view.t("ops.audit.allowed"), ""]
            if r.get("allowed")
            else [view.t("ops.audit.refused"), "wrong"],
            "detail": json.dumps(r.get("detail") or {}, ensure_ascii=False),
        }
        for r in answer.get("rows", [])
    ]
    columns = [
        column("at", view.t("word.time"), width=140, cellClass="cy-num"),
        column("who", view.t("word.account"), width=150, cellRenderer="CyPair"),
        column("action", view.t("ops.audit.action"), width=200, cellRenderer="CyCode"),
        column("thing", view.t("ops.audit.thing"), width=220),
        column("decision", view.t("ops.audit.decision"), width=100, cellRenderer="CyLamp"),
        column("detail", view.t("ui.details"), cellRenderer="CyCode"),
    ]
    table = grid(view, ids.OPS_GRID, columns, lines, nothing=view.t("ui.empty"), row_height=50)
    return [_title(view, "audit"), verdict, table]


def _n(value: Any) -> str:
    return "" if value is None else f"{int(value):,}"
