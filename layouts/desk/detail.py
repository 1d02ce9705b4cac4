"""One incident as the desk shows it: head, stepper, facts, dispatch, photos, sources, timeline, what may be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from layouts import enforcement, figures
from layouts.desk import assisting, keys
from layouts.desk.merge_words import reason_words
from layouts.desk.standards import limit_words
from layouts.shell import pieces
from layouts.shell.pieces import attrs
from layouts.shell.view import View, epoch_ms

Row = Mapping[str, Any]

PATH: Final = (
    "reported",
    "accepted",
    "dispatched",
    "taken",
    "on_site",
    "handled",
    "returned_result",
    "checked",
    "closed",
)
PRIMARY: Final = ("acknowledge", "accept", "dispatch", "pass_check", "close")
"""The step that leads on, in the order in which it is offered as the bright button."""
PARTICULARS: Final[dict[str, tuple[str, ...]]] = {
    "accept": ("class", "level", "standard"),
    "refuse": ("reason",),
    "consult": ("reason",),
    "void": ("reason",),
    "fail_check": ("reason",),
    "reassign": ("unit", "reason"),
    "note": ("reason",),
    "grant_request": (),
    "refuse_request": ("reason",),
    "unpark": ("reason",),
    "ask_extension": ("reason",),
    "ask_parking": ("until", "reason"),
    "supervise": ("degree", "hours", "reason"),
    "answer_supervision": ("reason",),
    "ask_assist": ("units", "reason"),
    "answer_assist": ("reason",),
    "appeal": ("against", "reason"),
    "grant_appeal": ("reason",),
    "refuse_appeal": ("reason",),
    "call_back": ("satisfaction",),
    "reopen": ("reason",),
}
"""What an action asks for before it is done; see `_needs`."""
ON_DESK: Final = (
    "accept",
    "refuse",
    "consult",
    "dispatch",
    "reassign",
    "pass_check",
    "fail_check",
    "close",
    "void",
    "note",
    "acknowledge",
    "grant_request",
    "refuse_request",
    "unpark",
    "ask_extension",
    "ask_parking",
    "supervise",
    "sign_supervision",
    "answer_supervision",
    "end_supervision",
    "ask_assist",
    "take_assist",
    "arrive_assist",
    "answer_assist",
    "appeal",
    "grant_appeal",
    "refuse_appeal",
    "call_back",
    "reopen",
)
ON_LINES: Final = ("merge_into", "keep_separate", "separate", "release_assist")
"""What is done on the line that names another incident, or a unit."""
WRONG: Final = ("refuse", "fail_check", "void", "refuse_request", "refuse_appeal", "reopen")
ICONS: Final = {
    "acknowledge": "bell-off",
    "accept": "clipboard-check",
    "dispatch": "send",
    "pass_check": "check-check",
    "close": "archive",
    "refuse": "ban",
    "consult": "send",
    "void": "x",
    "fail_check": "corner-up-left",
    "reassign": "redo-2",
    "note": "note",
    "grant_request": "check-check",
    "refuse_request": "ban",
    "unpark": "redo-2",
    "ask_extension": "clock",
    "ask_parking": "archive",
    "supervise": "bell-ring",
    "sign_supervision": "clipboard-check",
    "answer_supervision": "send",
    "end_supervision": "check-check",
    "ask_assist": "users",
    "take_assist": "clipboard-check",
    "arrive_assist": "map-pin",
    "answer_assist": "send",
    "appeal": "corner-up-left",
    "grant_appeal": "check-check",
    "refuse_appeal": "ban",
    "call_back": "user",
    "reopen": "redo-2",
}


def shown(incident: Row) -> dict[str, Any]:
    """What the browser and the next callbacks must know of the incident on show."""
    device = next((s["device"] for s in incident.get("source_list", []) if s.get("device")), "")
    return {
        "id": incident["id"],
        "version": incident["version"],
        "number": incident["number"],
        "stage": incident["stage"],
        "class_code": incident.get("class", ""),
        "level": incident["level"],
        "actions": list(incident.get("actions", [])),
        "unit": incident.get("unit", ""),
        "device": device,
    }


def parts(view: View, incident: Row) -> tuple[Any, ...]:
    """Head, facts, photos, sources, timeline, actions: the children of the drawer's parts, in this order."""
    return (
        head(view, incident),
        [
            ring(view, incident),
            said_again(view, incident),
            stepper(view, incident),
            clocks(view, incident),
            *pairs(view, incident),
            facts(view, incident),
        ],
        photos(view, incident),
        sources(view, incident),
        timeline(view, incident),
        actions(view, incident),
    )


def nothing(view: View, text: str) -> tuple[Any, ...]:
    """The drawer when the incident cannot be shown, with the reason."""
    close = pieces.button(
        pieces.icon("x"), kind="ghost icon small", title="Esc", **attrs({"data-drawer-close": ""})
    )
    return ([html.Div(className="cy-grow"), close], [pieces.fault(text)], [], [], [], [])


def head(view: View, incident: Row) -> list[Component]:
    """Level, title, number, class, close."""
    return [
        html.Div(
            [
                pieces.level_badge(view, incident["level"]),
                html.H2(str(incident["title"]), className="cy-h2 cy-clip-2"),
                pieces.button(
                    pieces.icon("x"),
                    kind="ghost icon small",
                    title="Esc",
                    **attrs({"data-drawer-close": "", "aria-label": view.t("ui.close")}),
                ),
            ],
            className="detail__title",
        ),
        html.Div(
            [
                html.Span(
                    str(incident["number"]),
                    className="cy-num detail__number",
                    title=view.t("desk.copy"),
                    **attrs({"data-copy": str(incident["number"])}),
                ),
                html.Span(str(incident.get("class_name") or view.t("desk.no_class")), className="cy-chip"),
                pieces.stage_chip(view, incident["stage"]),
                # Shown by wall_panel.mjs while a screen is paired.
                pieces.button(
                    [pieces.icon("monitor"), view.t("screens.send_incident")],
                    kind="small ghost",
                    hidden=True,
                    **attrs({"data-to-wall": str(incident["id"])}),
                )
                if view.may("screen.drive")
                else None,
            ],
            className="cy-row cy-row--wrap",
        ),
    ]


def ring(view: View, incident: Row) -> Component | None:
    """The bell of a level I/II incident that nobody has acknowledged."""
    if (
        int(incident["level"]) > 2
        or incident.get("acknowledged")
        or incident["stage"] in ("closed", "refused", "void")
    ):
        return None
    act = (
        [
            pieces.button(
                view.t("desk.stop_bell"),
                kind="small",
                act={"action": "acknowledge"},
                **attrs(keys.keyed("acknowledge")),
            )
        ]
        if "acknowledge" in incident.get("actions", [])
        else []
    )
    return html.Div(
        [pieces.icon("bell-ring"), html.Span(view.t("desk.ringing"), className="cy-grow"), *act],
        className=f"ring ring--{incident['level']}",
        role="alert",
    )


def said_again(view: View, incident: Row) -> Component | None:
    """Somebody reported it anew after its result was handed in: whoever checks must know."""
    at = incident.get("said_again_at")
    if not at:
        return None
    words = view.t("desk.said_again", at=view.moment(at, "%m-%d %H:%M"))
    return html.Div(
        [pieces.icon("triangle-alert"), html.Span(words)], className="ring ring--2", role="status"
    )


def stepper(view: View, incident: Row) -> Component:
    """上报 → … → 结案, with the moment each stage was first reached."""
    reached: dict[str, Any] = {}
    for entry in incident.get("timeline", []):
        reached.setdefault(str(entry.get("to_stage")), entry.get("at"))
    stage = str(incident["stage"])
    now = PATH.index(stage) if stage in PATH else -1
    steps = []
    for n, name in enumerate(PATH):
        state = "is-now" if n == now else ("is-done" if n < now else "")
        moment = view.moment(reached.get(name), "%H:%M") if n <= now else ""
        steps.append(
            html.Li(
                [
                    html.Span(view.word("stage", name), className="step__name"),
                    html.Span(moment, className="step__time cy-num"),
                ],
                className=f"step {state}",
                title=view.moment(reached.get(name), "%Y-%m-%d %H:%M:%S") if n <= now else "",
                **attrs({"aria-current": "step"} if n == now else {}),
            )
        )
    ended = html.Div(view.word("stage", stage), className="stepper__ended") if now < 0 else None
    return html.Div([html.Ol(steps, className="stepper"), ended])


def clocks(view: View, incident: Row) -> Component:
    """The clock that runs: of handling while a unit has the incident, else of the stage; that none does; when ended, how
    it went."""
    if incident["stage"] in ("closed", "refused", "void"):
        late = view.t("desk.was_overdue") if incident.get("handled_late") else view.t("desk.was_on_time")
        return html.Div(
            [
                html.Span(late, className="lamp lamp--wrong" if incident.get("handled_late") else "lamp"),
                html.Span(view.moment(incident.get("closed_at")), className="cy-faint cy-num"),
            ],
            className="clocks",
        )
    due = incident.get("stage_due_at")
    if due is None:
        if incident.get("due_unknown"):
            return html.Div(html.Span(view.t("desk.deadline_unknown"), className="lamp lamp--warn"))
        # 核查通过、待结案, and a class without a limit: that nothing runs is an answer too, an empty place is none.
        return html.Div(html.Span(view.t("desk.clock.none"), className="cy-faint"), className="clocks")
    name = "handle" if incident["stage"] in ("dispatched", "taken", "on_site", "handled") else "stage"
    one = html.Div(
        [
            html.Span(view.t(f"desk.clock.{name}"), className="cy-faint"),
            html.Div(pieces.due_of(due), className="clocks__left"),
            html.Span(view.moment(due), className="cy-faint cy-num"),
        ],
        className="clocks__one",
    )
    return html.Div(one, className="clocks")


def pairs(view: View, incident: Row) -> list[Component]:
    """Open incidents that may be the same one, each with why; and those that were merged into this one."""
    out: list[Component] = []
    for heading, rows, line in (
        ("desk.part.suggested", incident.get("suggested") or [], _suggestion),
        ("desk.part.merged", incident.get("merged_from") or [], _merged),
    ):
        if rows:
            out.append(html.H3(view.t(heading, n=len(rows)), className="detail__h"))
            out.append(html.Div([line(view, row) for row in rows], className="cy-list"))
    return out


def _pair(view: View, row: Row, why: str, *buttons: Component) -> Component:
    number = html.Span(str(row["number"]), className="cy-num", **attrs({"data-copy": str(row["number"])}))
    return html.Div(
        [
            html.Div(
                [
                    html.Div([number, " ", str(row["title"])], className="cy-item__title"),
                    html.Div(why, className="cy-item__sub route__why"),
                ],
                className="cy-item__main",
            ),
            *buttons,
        ],
        className="cy-item",
    )


def _suggestion(view: View, row: Row) -> Component:
    why = [view.t("desk.merge.score", n=round(float(row["score"]) * 100))]
    why += [reason_words(view, reason) for reason in row["reasons"]]
    merge = {"action": "merge_into", "other": row["id"], "needs": ["reason"]}
    return _pair(
        view,
        row,
        " · ".join(x for x in why if x),
        pieces.button(
            view.t("desk.compare"), kind="small primary", act={"action": "compare", "other": row["id"]}
        ),
        pieces.button(view.word("action", "merge_into"), kind="small", act=merge),
        pieces.button(
            view.word("action", "keep_separate"),
            kind="small",
            act={"action": "keep_separate", "other": row["id"]},
        ),
    )


def _merged(view: View, row: Row) -> Component:
    act = {"action": "separate", "other": row["id"], "needs": ["reason"]}
    button = pieces.button(view.word("action", "separate"), kind="small", act=act)
    return _pair(view, row, view.moment(row["reported_at"], "%m-%d %H:%M"), button)


def beside(view: View, incident: Row) -> list[tuple[str, Any]]:
    """What goes on beside the way: what was asked, parking, 督办, 申诉, 回访; each with who waits for whom."""
    found: list[tuple[str, Any]] = []
    asked, clock = incident.get("asked"), incident.get("clock") or {}
    if asked:
        until = f" {view.moment(asked['until'], '%Y-%m-%d')}" if asked.get("until") else ""
        text = f"{view.word('asked', asked['kind'])}{until} · {asked['reason']}"
        found.append((view.t("desk.asked"), html.Span(text, className="lamp lamp--warn")))
    if clock.get("parked_until"):
        parked = view.t("desk.parked", until=view.moment(clock["parked_until"], "%Y-%m-%d"))
        found.append((view.t("desk.parking"), html.Span(parked, className="lamp")))
    if clock.get("extensions"):
        found.append((view.t("desk.extension"), view.t("desk.extensions", n=clock["extensions"])))
    if supervision := incident.get("supervision"):
        found.append((view.word("supervision", supervision["level"]), _supervision(view, supervision)))
    if helpers := assisting.told(view, incident):
        found.append((view.t("desk.assisting"), helpers))
    if appeal := incident.get("appeal"):
        state = {None: "waits", True: "granted", False: "refused"}[appeal["granted"]]
        words = [view.word("against", appeal["against"]), appeal["reason"], view.t(f"desk.appeal.{state}")]
        found.append((view.t("desk.appeal"), " · ".join(x for x in (*words, appeal.get("why")) if x)))
    if incident.get("satisfaction"):
        found.append((view.t("desk.act.satisfaction"), view.word("satisfaction", incident["satisfaction"])))
    return found


def _supervision(view: View, found: Row) -> Component:
    if found["ended_at"]:
        lamp, state = "lamp", view.t("desk.supervision.ended")
    elif found["answered_at"]:
        lamp, state = "lamp lamp--warn", view.t("desk.supervision.answered", answer=found["answer"])
    else:
        lamp = "lamp lamp--wrong" if found["late"] else "lamp lamp--warn"
        key = "signed" if found["signed_at"] else "unsigned"
        state = view.t(f"desk.supervision.{key}", due=view.moment(found["due_at"]))
    return html.Div([html.Div(str(found["demand"])), html.Span(state, className=lamp)])


def _read_from(view: View, incident: Row) -> Component | None:
    """That nobody gave the point: it was read out of what was said, and how well it is known."""
    read = incident.get("place_from")
    if not read:
        return None
    words = view.t("places.read", address=read["address"], m=read["precision_m"])
    return html.Div([pieces.icon("map-pin"), words], className="cy-dim")


def _replied(view: View, incident: Row) -> str:
    """How many of those who reported were told what became of it; '' while nobody is to be told."""
    found: Row = incident.get("replies") or {}
    if not found:
        return ""
    more = [view.t(f"replies.of.{k}", n=found[k]) for k in ("waiting", "unreached") if found.get(k)]
    return view.t("replies.of", n=sum(found.values()), told=found.get("told", 0)) + "".join(more)


def facts(view: View, incident: Row) -> Component:
    """Place, text, reporter, unit, worker, limits."""
    place = " › ".join(str(name) for name in incident.get("area_names", []))
    resolved = bool(incident.get("cell"))
    where = [
        html.Div(str(incident["address"])) if incident.get("address") else None,
        html.Div(place, className="cy-dim")
        if resolved
        else html.Span(view.t("word.unresolved_place"), className="lamp lamp--warn"),
        _read_from(view, incident),
    ]
    policy = incident.get("policy") or {}
    limit = view.t("desk.limit", limit=limit_words(view, policy)) if policy.get("limit_min") else ""
    counts = [view.t(f"desk.{k}", n=incident[k]) for k in ("returns", "reworks") if incident.get(k)]
    return pieces.facts(
        (
            (
                view.t("word.text"),
                html.Div(str(incident.get("text") or ""), className="detail__text")
                if incident.get("text")
                else "",
            ),
            (view.t("word.place"), [x for x in where if x is not None]),
            (view.t("desk.cameras"), cameras(view, incident)),
            (view.t("word.reporter"), reporter(view, incident)),
            (view.t("replies.state"), _replied(view, incident)),
            (view.t("word.unit"), unit(view, incident)),
            (view.t("desk.order"), order(view, incident)),
            (view.t("cases.title"), enforcement.of_incident(view, incident.get("cases", []))),
            (
                view.t("word.reported_at"),
                html.Span(
                    [
                        view.moment(incident["reported_at"], "%Y-%m-%d %H:%M:%S"),
                        " ",
                        pieces.age_of(incident["reported_at"]),
                    ],
                    className="cy-num",
                ),
            ),
            *beside(view, incident),
            (view.t("desk.standard.condition"), policy.get("condition")),
            (view.t("desk.standard.closes"), policy.get("closing")),
            (
                view.t("desk.policy"),
                " · ".join(
                    x
                    for x in (limit, view.t("desk.needs_photo") if policy.get("needs_photo") else "", *counts)
                    if x
                ),
            ),
        )
    )


def cameras(view: View, incident: Row) -> list[Component]:
    """The nearest cameras that can see the place; one that is set aside says so."""
    return [
        html.Div(
            [
                html.Span(str(one["name"])),
                html.Span(f" {one['distance_m']:.0f} m", className="cy-faint cy-num"),
                html.Span(view.t("desk.camera.aside"), className="lamp lamp--warn")
                if one["shelved"]
                else None,
            ]
        )
        for one in incident.get("cameras", [])
    ]


def reporter(view: View, incident: Row) -> Component | str:
    """Who reported, masked; who may know asks for it with a reason (layouts/desk/persons.py)."""
    people = [
        f"{s.get('reporter_name') or ''} {s.get('reporter_phone') or ''}".strip()
        for s in incident.get("source_list", [])
    ]
    known = list(dict.fromkeys(p for p in people if p))
    if not known and "**" not in str(incident.get("text")):
        return ""
    text = html.Span(view.t("desk.comma").join(known), className="cy-num")
    if not incident.get("may_unmask"):
        return text
    return html.Span(
        [
            text,
            pieces.button(
                [pieces.icon("eye"), view.t("desk.unmask")],
                kind="ghost small",
                act={"action": "unmask", "needs": ["reason"]},
                title=view.t("desk.unmask.hint"),
            ),
        ],
        className="cy-row",
    )


def unit(view: View, incident: Row) -> Component | str:
    """The unit that holds it and the person on it."""
    if not incident.get("unit"):
        return ""
    worker = incident.get("worker_name") or incident.get("worker")
    phone = incident.get("unit_phone")
    return html.Span(
        [
            html.Span(str(incident.get("unit_name") or incident["unit"])),
            html.Span(f" · {worker}", className="cy-dim") if worker else None,
            html.Span(f" {phone}", className="cy-faint cy-num") if phone else None,
        ]
    )


def order(view: View, incident: Row) -> Component | str:
    """How far the lead's order has come: sent, delivered, read, taken, with when; unread for how long."""
    found = next((row for row in reversed(incident.get("orders", [])) if row["kind"] == "lead"), None)
    if found is None or (found["ended_at"] and incident["stage"] == "accepted"):
        return ""
    said = [row for row in incident.get("receipts", []) if row["order_id"] == found["id"]]
    first = {row["state"]: row for row in reversed(said)}
    steps = [
        ("issued", found["issued_at"]),
        *((state, first[state]["at"]) for state in ("delivered", "seen") if state in first),
        ("taken", found["seen_at"]),
    ]
    words = [f"{view.t(f'desk.order.{name}')} {view.moment(at, '%H:%M:%S')}" for name, at in steps if at]
    waits = not found["seen_at"] and not found["ended_at"]
    unread = html.Span(
        [
            view.t("desk.order.unread" if "delivered" in first else "desk.order.undelivered"),
            " ",
            pieces.since_of(found["issued_at"]),
        ],
        className="lamp lamp--warn",
    )
    return html.Span(
        [
            html.Span(" → ".join(words), className="cy-num"),
            " ",
            unread if waits and "seen" not in first else None,
        ]
    )


def photos(view: View, incident: Row) -> list[Component]:
    """All photos in one row, told apart by purpose."""
    rows = incident.get("photos") or []
    if not rows:
        return []
    shots = [
        html.Figure(
            [
                html.A(
                    html.Img(
                        src=f"/api/v1/photos/{p['sha256']}",
                        alt=view.word("desk.photo", p.get("purpose", "report")),
                    ),
                    href=f"/api/v1/photos/{p['sha256']}",
                    target="_blank",
                    rel="noopener",
                ),
                html.Figcaption(
                    f"{view.word('desk.photo', p.get('purpose', 'report'))} {view.moment(p.get('at'), '%H:%M')}"
                ),
            ]
        )
        for p in rows
    ]
    return [
        html.H3(view.t("desk.part.photos", n=len(rows)), className="detail__h"),
        html.Div(shots, className="cy-photos"),
    ]


def sources(view: View, incident: Row) -> list[Component]:
    """Everything that told us of it: sensor, camera, person."""
    rows = incident.get("source_list") or []
    if not rows:
        return []
    marks = {"warning": "device", "alarm": "camera", "report": "user", "check": "database"}
    items = [
        html.Div(
            [
                pieces.icon(marks.get(str(s.get("kind")), "info")),
                html.Div(
                    [
                        html.Div(
                            [
                                html.Span(view.word("source", s.get("kind")), className="cy-strong"),
                                html.Span(channel(view, s["channel"]), className="cy-chip")
                                if s.get("channel") and s.get("kind") == "report"
                                else None,
                            ],
                            className="cy-row",
                        ),
                        html.Div(str(s.get("text") or s.get("title") or ""), className="detail__text"),
                        html.Div(
                            " · ".join(
                                str(x)
                                for x in (
                                    s.get("device") or s.get("camera"),
                                    s.get("address"),
                                    s.get("source_time"),
                                )
                                if x
                            ),
                            className="cy-faint",
                        ),
                        # With it the way of this message is found in the logs of every process.
                        html.Div(
                            view.t("desk.source.correlation", id=s["correlation_id"]),
                            className="cy-faint source__correlation",
                        )
                        if s.get("correlation_id")
                        else None,
                    ],
                    className="cy-item__main",
                ),
                html.Div(
                    [html.Span(view.moment(s.get("time")), className="cy-num")], className="cy-item__side"
                ),
            ],
            className="cy-item source",
        )
        for s in rows
    ]
    return [
        html.H3(view.t("desk.part.sources", n=len(rows)), className="detail__h"),
        html.Div(items, className="cy-list"),
    ]


def timeline(view: View, incident: Row) -> list[Component]:
    """One line per step: who, through which channel, when, why. Newest last."""
    lines = [html.Li(_line(view, e, int(incident.get("id", 0)))) for e in incident.get("timeline", [])]
    if not lines:
        return []
    return [
        html.H3(view.t("desk.part.timeline"), className="detail__h"),
        html.Ol(lines, className="cy-timeline"),
    ]


def channel(view: View, code: object) -> str:
    """Through what something came: a channel of reports, or one of our own."""
    known = view.word("channel", code)
    return known if known != str(code) else view.word("desk.channel", code)


def _when(view: View, e: Row, incident: int) -> Component:
    """The time of a step; for who may replay, a link to what screens showed once it was done."""
    said, cls = view.moment(e.get("at"), "%m-%d %H:%M:%S"), "cy-timeline__time cy-num"
    at = epoch_ms(e.get("at"))
    if at is None or not view.may("replay.see"):
        return html.Span(said, className=cls, title=str(e.get("at")))
    href = f"/replay#t={at + 1}&incident={incident}"
    return html.A(said, className=cls, href=href, title=view.t("desk.replay"), target="_blank")


def _line(view: View, e: Row, incident: int) -> list[Component | None]:
    who = view.word("role", "system") if e.get("role") == "system" else f"{e.get('actor_name')}"
    role = "" if e.get("role") == "system" else view.word("role", e.get("role"))
    detail = e.get("detail") or {}
    to = _whom(detail)
    if detail.get("from_unit"):
        to = view.t("desk.from_to", former=_whom(detail, "from_"), now=to)
    wrong = view.word("wrong_field", detail["wrong_field"]) if detail.get("wrong_field") else ""
    wrong = wrong or str(detail.get("number") or "")
    why = " · ".join(
        x for x in (view.word("desk.reason", e["reason"]) if e.get("reason") else "", wrong) if x
    )
    return [
        html.Div(
            [
                html.Span(view.word("action", e.get("action")), className="cy-timeline__what"),
                html.Span(to, className="cy-dim") if to else None,
                _when(view, e, incident),
            ],
            className="line",
        ),
        html.Div(
            " · ".join(x for x in (who, role, channel(view, e.get("channel"))) if x), className="cy-faint"
        ),
        html.Div(why, className="cy-timeline__why") if why else None,
    ]


def _whom(detail: Row, which: str = "") -> str:
    """The unit and person of a step; `which` "from_": who had it before."""
    told = (
        str(detail.get(f"{which}{one}_name") or detail.get(f"{which}{one}") or "")
        for one in ("unit", "worker")
    )
    return " → ".join(x for x in told if x)


def actions(view: View, incident: Row) -> list[Component]:
    """The buttons that are legal for this actor at this stage, the leading one bright."""
    legal = [a for a in ON_DESK if a in incident.get("actions", [])]
    if not legal:
        return [html.Span(view.t("desk.nothing_to_do"), className="cy-faint")]
    leading = next((a for a in PRIMARY if a in legal and a not in ("dispatch", "acknowledge")), "")
    buttons = []
    for action in sorted(legal, key=lambda a: a != leading):
        if action == "dispatch" or (action == "acknowledge" and int(incident["level"]) <= 2):
            continue  # the dispatch panel and the ring have their own buttons
        kind = "primary" if action == leading else ("danger" if action in WRONG else "")
        buttons.append(
            pieces.button(
                [pieces.icon(ICONS[action]), view.word("action", action)],
                kind=kind,
                act={"action": action, "needs": _needs(incident, action)},
                **attrs(keys.keyed(action)),
            )
        )
    return buttons


def _needs(incident: Row, action: str) -> list[str]:
    """What the form asks for: class and level when the incident has no class yet, the standard where it may have one."""
    known = bool(incident.get("class"))
    unasked = {"class": known, "level": known, "standard": known and not incident.get("standards")}
    return [name for name in PARTICULARS.get(action, ()) if not unasked.get(name)]


def chart(view: View, series: Row) -> list[Component]:
    """The readings of the device that warned."""
    head_ = html.H3(
        [view.t("desk.part.chart"), html.Span(str(series.get("device") or ""), className="cy-faint cy-num")],
        className="detail__h",
    )
    if not series.get("t"):
        return [head_, pieces.empty(view.t("desk.no_series"), mark="chart-line")]
    return [
        head_,
        dcc.Graph(
            figure=figures.device_series(view, series),
            config=figures.CONFIG,
            className="chart",
            style={"height": "190px"},
            responsive=True,
        ),
    ]
