"""The card of a camera on the desk: its file, whether it is set aside, asking to view it and answering who asks.

Every button names the camera and what to do; the page's module sends that back and gets the card anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from layouts.desk.lists import pole
from layouts.shell import pieces
from layouts.shell.view import View

Row = Mapping[str, Any]

SHELVE_MINUTES: Final = (30, 240, 1440)
VIEW_MINUTES: Final = 30


def card(view: View, answer: Row, requests: Sequence[Row] = (), link: str = "") -> list[Component]:
    """A camera of the registry, and what may be done with it; `link`: of the view that was just opened."""
    return [
        *_file(view, answer),
        _actions(view, answer),
        *([_opened(view, link)] if link else []),
        *_requests(view, requests),
    ]


def _file(view: View, answer: Row) -> list[Component]:
    return [
        pieces.facts(
            (
                (view.t("word.name"), str(answer.get("name") or "")),
                (view.t("word.number"), html.Span(str(answer.get("code")), className="cy-num")),
                (view.t("desk.camera.scene"), str(answer.get("scene") or "")),
                (
                    view.t("desk.camera.direction"),
                    f"{answer.get('direction_deg'):.0f}°" if answer.get("direction_deg") is not None else "",
                ),
                (view.t("desk.camera.state"), _camera_state(view, answer)),
                (view.t("desk.camera.share"), _share(view, answer)),
                (view.t("desk.camera.unknown"), "、".join((answer.get("parts") or {}).get("unknown", []))),
            )
        ),
        *pole(view, answer.get("pole")),
    ]


def _camera_state(view: View, answer: Row) -> list[Component]:
    """In use or not, how its picture is, and whether it is set aside: why, until when, what came meanwhile."""
    status, picture = str(answer.get("status") or ""), str(answer.get("picture_state") or "")
    words: list[Component] = []
    for kind, value, good in (("status", status, "in_use"), ("picture", picture, "good")):
        if value and value != "unknown":
            words.append(
                html.Span(
                    view.word(f"camera.{kind}", value),
                    className="lamp" if value == good else "lamp lamp--warn",
                )
            )
    shelf = answer.get("shelf")
    if shelf:
        told = view.t(
            "desk.camera.shelved",
            until=view.moment(shelf["until"]),
            reason=shelf["reason"],
            n=shelf["alarms"],
        )
        words.append(html.Div(told, className="lamp lamp--warn"))
    return words


def _share(view: View, answer: Row) -> str:
    named = [*answer.get("share_units", []), *answer.get("share_areas", [])]
    word = view.word("camera.share", answer.get("share_range") or "nobody")
    return " · ".join((word, *map(str, named)))


def _button(view: View, camera: str, do: str, text: str, **more: object) -> Component:
    return pieces.button(text, kind="small", act={"camera": camera, "do": do, **more})


def _actions(view: View, answer: Row) -> Component:
    code = str(answer["code"])
    buttons: list[Component] = []
    if view.may("camera.shelve"):
        if answer.get("shelf"):
            buttons.append(_button(view, code, "unshelve", view.t("desk.camera.unshelve")))
        else:
            buttons += [
                _button(
                    view, code, "shelve", view.t("desk.camera.shelve", span=view.span(minutes * 60)), minutes=minutes,
                    reason=view.t("desk.camera.shelve.reason"),
                )
                for minutes in SHELVE_MINUTES
            ]  # fmt: skip
    if view.may("camera.ask") and answer.get("has_stream"):
        reason = view.t("desk.camera.ask.reason")
        buttons.append(_button(view, code, "ask", view.t("desk.camera.ask"), reason=reason))
    return html.Div(buttons, className="cy-row cy-row--wrap")


def _opened(view: View, link: str) -> Component:
    page = link.replace("/api/v1", "", 1)
    return html.Div(
        html.A(view.t("desk.camera.watch"), href=page, target="_blank", rel="noopener", className="cy-strong")
    )


def _requests(view: View, requests: Sequence[Row]) -> list[Component]:
    """Who asked to view it, with the answer or the buttons that give one."""
    lines = []
    for one in requests:
        camera, number, state = str(one["camera"]), one["id"], str(one["state"])
        until = f" {view.moment(one['expires_at'], '%H:%M')}" if one.get("open") else ""
        over = state == "approved" and not one.get("open")
        buttons: list[Component] = []
        if state == "asked" and not one["own"] and view.may("camera.answer"):
            buttons.append(
                _button(
                    view,
                    camera,
                    "approve",
                    view.t("desk.camera.approve"),
                    request=number,
                    minutes=VIEW_MINUTES,
                )
            )
            refusal = view.t("desk.camera.refuse.answer")
            buttons.append(
                _button(view, camera, "refuse", view.t("desk.camera.refuse"), request=number, answer=refusal)
            )
        if one["own"] and one.get("open"):
            buttons.append(_button(view, camera, "open", view.t("desk.camera.open"), request=number))
        lines.append(
            html.Div(
                [
                    html.Span(f"{view.moment(one['asked_at'])} {one['who']}：{one['reason']}"),
                    html.Span(view.word("view", "over" if over else state) + until, className="cy-chip"),
                    *buttons,
                ],
                className="cy-row cy-row--wrap",
            )
        )
    return [html.H3(view.t("desk.camera.requests"), className="detail__h"), *lines] if lines else []
