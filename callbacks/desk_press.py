"""A pressed button → the command it stands for. Unknown actions are refused: nothing is looked up by a client's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from incidents import commands as c
from incidents.model import Rejected


@dataclass(frozen=True, slots=True)
class Press:
    """What was pressed, with the particulars of the form beside it."""

    id: int
    version: int | None
    reason: str
    class_code: str
    level: int | None
    unit: str
    worker: str


COMMAND_OF: Final[dict[str, Callable[[Press], object]]] = {
    "accept": lambda p: c.AcceptIncident(p.id, p.class_code, p.level, p.version),
    "refuse": lambda p: c.RefuseIncident(p.id, p.reason, p.version),
    "void": lambda p: c.VoidIncident(p.id, p.reason, p.version),
    "dispatch": lambda p: c.DispatchIncident(p.id, p.unit, p.worker, p.reason, p.version),
    "reassign": lambda p: c.DispatchIncident(p.id, p.unit, p.worker, p.reason, p.version),
    "pass_check": lambda p: c.CheckIncident(p.id, True, "", p.version),
    "fail_check": lambda p: c.CheckIncident(p.id, False, p.reason, p.version),
    "close": lambda p: c.CloseIncident(p.id, p.version),
    "acknowledge": lambda p: c.AcknowledgeIncident(p.id),
    "note": lambda p: c.NoteIncident(p.id, p.reason),
}


def command_of(
    pressed: Mapping[str, Any], reason: str = "", class_code: str = "", level: int | None = None
) -> object:
    """The command of a press {action, id, version, unit?, worker?, with: [names of particulars]}.

    Particulars count only when the press names them in `with`: the form keeps what was typed for another action.
    Raises Rejected('field') for an unknown action.
    """
    make = COMMAND_OF.get(str(pressed.get("action")))
    if make is None:
        raise Rejected("field", f"action={pressed.get('action')!r}: no such button", field="action")
    given = pressed.get("with") or []
    version = pressed.get("version")
    return make(
        Press(
            id=int(pressed["id"]),
            version=int(version) if version is not None else None,
            reason=reason if "reason" in given else str(pressed.get("reason") or ""),
            class_code=class_code if "class" in given else "",
            level=level if "level" in given else None,
            unit=str(pressed.get("unit") or ""),
            worker=str(pressed.get("worker") or ""),
        )
    )


def report_of(
    text: str | None,
    class_code: str | None,
    address: str | None,
    name: str | None,
    phone: str | None,
    level: int | None,
    point: Mapping[str, Any] | None,
    key: str | None,
) -> c.ReportIncident:
    """The command of a filled intake form; level 0 = the class decides; without a key every press is its own."""
    at = point or {}
    return c.ReportIncident(
        text=text or "",
        channel="desk",
        class_code=class_code or "",
        lon=at.get("lon"),
        lat=at.get("lat"),
        address=address or "",
        level=level or None,
        reporter_name=name or "",
        reporter_phone=phone or "",
        key=key or uuid4().hex,
    )
