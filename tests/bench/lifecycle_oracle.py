"""What the life-cycle must do, written by hand from ARCHITECTURE §6 and FIELD E2. Knows nothing of the product: it imports
none of it. Time is whole local minutes of one year (`clock_oracle`); a limit is in working minutes.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Final

import numpy as np

UNKNOWN: Final = -1
WITH_UNIT: Final = ("dispatched", "taken", "on_site")
HELD: Final = (*WITH_UNIT, "handled")
FINAL: Final = ("closed", "refused", "void")
ASSISTED: Final = ("accepted", *WITH_UNIT)
"""While the lead has returned it, who assists goes on."""
OPEN: Final = ("reported", "accepted", *HELD, "returned_result", "checked")

WHERE: Final[dict[str, tuple[str, ...]]] = {
    "accept": ("reported",), "refuse": ("reported",), "consult": ("reported",), "void": ("reported", "accepted", *WITH_UNIT),
    "dispatch": ("accepted", *WITH_UNIT), "take": ("dispatched",), "arrive": ("taken",), "finish": ("on_site",),
    "return": WITH_UNIT, "pass": ("returned_result",), "fail": ("returned_result",), "close": ("checked",),
    "note": OPEN, "acknowledge": OPEN, "ask_extension": WITH_UNIT, "ask_parking": WITH_UNIT, "grant": WITH_UNIT,
    "deny": WITH_UNIT, "unpark": WITH_UNIT, "supervise": HELD, "sign": OPEN, "answer": OPEN, "end": OPEN,
    "appeal": ("closed",), "grant_appeal": ("closed",), "deny_appeal": ("closed",), "call_back": ("closed",),
    "reopen": ("closed",), "ask_assist": WITH_UNIT, "take_assist": ASSISTED, "arrive_assist": ASSISTED,
    "answer_assist": ASSISTED, "release_assist": ASSISTED,
}  # fmt: skip
"""Action → stages it is possible from."""

WHO: Final[dict[str, tuple[str, ...]]] = {
    "accept": ("operator", "dispatcher"), "refuse": ("operator", "dispatcher"), "consult": ("operator", "dispatcher"), "void": ("dispatcher", "duty_leader"),
    "dispatch": ("dispatcher", "duty_leader"), "take": ("unit_handler", "grid_worker"),
    "arrive": ("unit_handler", "grid_worker"), "finish": ("unit_handler", "grid_worker"),
    "return": ("unit_handler", "grid_worker"), "pass": ("operator",), "fail": ("operator",), "close": ("operator",),
    "note": ("operator", "dispatcher", "duty_leader", "unit_handler", "grid_worker"),
    "acknowledge": ("operator", "dispatcher", "duty_leader"), "ask_extension": ("unit_handler",),
    "ask_parking": ("unit_handler",), "grant": ("dispatcher", "duty_leader"), "deny": ("dispatcher", "duty_leader"),
    "unpark": ("dispatcher", "duty_leader"), "supervise": ("duty_leader",), "sign": ("unit_handler",),
    "answer": ("unit_handler",), "end": ("duty_leader",), "appeal": ("unit_handler",),
    "grant_appeal": ("evaluator",), "deny_appeal": ("evaluator",), "call_back": ("operator",),
    "reopen": ("operator", "duty_leader"), "ask_assist": ("dispatcher", "duty_leader"),
    "take_assist": ("unit_handler",), "arrive_assist": ("unit_handler",), "answer_assist": ("unit_handler",),
    "release_assist": ("dispatcher", "duty_leader"),
}  # fmt: skip
"""Action → roles that may, in their own area; field staff only on what their unit holds, or assists with."""


@dataclass(slots=True)
class Person:
    """Who acts: `inside`: the incident lies in the own area."""

    id: int
    login: str
    role: str
    unit: str
    inside: bool


@dataclass(slots=True)
class Clock:
    """The handling clock: minutes allowed and used; `since` None: it stands; `until`: it is parked."""

    limit: int
    allowed: int
    unit: str
    since: int | None
    used: int = 0
    extensions: int = 0
    until: int | None = None
    was_parked: bool = False


@dataclass(slots=True)
class Help:
    """协办 of one unit: asked, taken, arrived, done, released."""

    unit: str
    state: str = "asked"

    @property
    def open(self) -> bool:
        """Whether the lead's result waits for it."""
        return self.state in ("asked", "taken", "arrived")


@dataclass(slots=True)
class Case:
    """One incident as it must be. `act` says what must come of an action: '' or the code of the refusal."""

    worked: np.ndarray
    limit: int
    stage: str = "reported"
    unit: str = ""
    worker: str = ""
    version: int = 1
    handled_by: int = -1
    acknowledged: bool = False
    clock: Clock | None = None
    asked: tuple[str, int, int, int, bool] | None = None
    """kind, by, at, until, was overdue."""
    overdue: bool = False
    returns: int = 0
    reworks: int = 0
    supervision: str = ""
    """'', open, signed, answered, ended."""
    appeal: str = ""
    appealed_by: int = -1
    helps: tuple[Help, ...] = ()

    def waits_for(self, unit: str) -> Help | None:
        """The help of a unit that has not answered."""
        return next((help for help in self.helps if help.unit == unit and help.open), None)

    def count(self, begin: int, end: int) -> int:
        """Working minutes of a span."""
        return int(self.worked[begin:end].sum())

    def settle(self, now: int) -> None:
        """What happens by itself: a parking ends."""
        c = self.clock
        if c is not None and c.until is not None and now >= c.until:
            c.since, c.until = c.until, None

    def left(self, now: int) -> int:
        """Working minutes left."""
        c = self.clock
        assert c is not None
        running = 0 if c.since is None else self.count(c.since, now)
        return c.allowed - c.used - running

    def due(self, now: int) -> int | None:
        """The minute at which handling is over; None while nothing runs, UNKNOWN beyond the year."""
        self.settle(now)
        c = self.clock
        if c is None or self.stage not in HELD:
            return None
        begin = c.since if c.since is not None else c.until
        if begin is None:
            return None
        rest = max(0, c.allowed - c.used)
        if rest == 0:
            return begin
        minutes = np.flatnonzero(self.worked[begin:])
        return begin + int(minutes[rest - 1]) + 1 if len(minutes) >= rest else UNKNOWN

    def may(self, action: str, who: Person) -> bool:
        """Rights: role, then area; field staff by the unit that holds it, workers by their own name too."""
        if who.role not in WHO[action]:
            return False
        if action in ("take_assist", "arrive_assist", "answer_assist"):
            return any(help.unit == who.unit and help.state != "released" for help in self.helps)
        if who.role in ("unit_handler", "grid_worker"):
            mine = who.unit != "" and who.unit == self.unit
            return mine and (who.role == "unit_handler" or self.worker in ("", who.login))
        return who.inside

    def act(self, action: str, who: Person, now: int, unit: str = "", until: int = 0) -> str:
        """Do it; what must come of it."""
        self.settle(now)
        if not self.may(action, who):
            return "forbidden"
        if self.stage not in WHERE[action]:
            return "stage"
        wrong = self._wrong(action, who, now, unit, until)
        if wrong:
            return wrong
        self._do(action, who, now, unit, until)
        self.version += 2 if action == "finish" else 1
        return ""

    def would(self, action: str, who: Person, now: int, unit: str, until: int) -> str:
        """What would come of it; nothing is changed."""
        twin = copy(self)
        twin.clock = copy(self.clock)
        twin.helps = tuple(copy(help) for help in self.helps)
        return twin.act(action, who, now, unit, until)

    def _wrong(self, action: str, who: Person, now: int, unit: str, until: int) -> str:
        c = self.clock
        if action == "finish":
            return "rule" if any(help.open for help in self.helps) else ""
        if action.endswith("_assist"):
            return self._wrong_help(action, who, unit)
        if action in ("pass", "fail") and who.id == self.handled_by:
            return "rule"
        if action == "acknowledge" and self.acknowledged:
            return "stage"
        if action in ("ask_extension", "ask_parking"):
            if self.asked is not None or c is None or self.left(now) < 0:
                return "rule"
            if action == "ask_extension":
                return "rule" if c.extensions >= 2 else ""
            return "rule" if c.was_parked or not now < until <= now + 365 * 1440 or c.since is None else ""
        if action in ("grant", "deny"):
            return "rule" if self.asked is None or self.asked[1] == who.id else ""
        if action == "unpark":
            return "rule" if c is None or c.until is None else ""
        if action == "supervise":
            return "rule" if self.supervision not in ("", "ended") else ""
        if action == "sign":
            return "rule" if self.supervision != "open" else ""
        if action in ("answer", "end"):
            return "rule" if self.supervision in ("", "ended") else ""
        if action == "appeal":
            return "rule" if self.appeal or not self.overdue else ""
        if action == "reopen":
            return "rule" if self.appeal == "waits" else ""
        if action in ("grant_appeal", "deny_appeal"):
            return "rule" if self.appeal != "waits" or self.appealed_by == who.id else ""
        return ""

    def _wrong_help(self, action: str, who: Person, unit: str) -> str:
        if action == "ask_assist":
            return "rule" if unit == self.unit or self.waits_for(unit) else ""
        help = self.waits_for(unit if action == "release_assist" else who.unit)
        if help is None:
            return "rule"
        needed = {"take_assist": ("asked",), "arrive_assist": ("taken",)}
        return "" if help.state in needed.get(action, (help.state,)) else "rule"

    def _help(self, action: str, who: Person, unit: str) -> None:
        if action == "ask_assist":
            self.helps += (Help(unit),)
            return
        help = self.waits_for(unit if action == "release_assist" else who.unit)
        assert help is not None
        help.state = {
            "take_assist": "taken", "arrive_assist": "arrived", "answer_assist": "done", "release_assist": "released"
        }[action]  # fmt: skip

    def _stop(self, now: int) -> None:
        c = self.clock
        self.asked = None
        if c is None:
            return
        if self.left(now) < 0:
            self.overdue = True
        if c.since is not None:
            c.used += self.count(c.since, now)
        c.since, c.until = None, None

    def _do(self, action: str, who: Person, now: int, unit: str, until: int) -> None:
        c = self.clock
        if action in ("accept", "refuse", "consult", "void", "acknowledge") or (
            action == "dispatch" and self.stage == "accepted"
        ):
            self.acknowledged = True
        match action:
            case "accept":
                self.stage = "accepted"
            case "refuse" | "consult" | "void":
                self._stop(now)
                self.stage = "void" if action == "void" else "refused"
                for help in self.helps:
                    help.state = "released" if help.open else help.state
            case "dispatch":
                self._send(unit, now)
                if (help := self.waits_for(unit)) is not None:
                    help.state = "released"  # who leads does not assist as well
            case "take":
                self.stage = "taken"
                if not self.worker and who.role == "grid_worker":
                    self.worker = who.login
            case "arrive":
                self.stage = "on_site"
            case "finish":
                self.handled_by = who.id
                self._stop(now)
                self.stage = "returned_result"
            case "return":
                self._stop(now)
                self.stage, self.unit, self.worker = "accepted", "", ""
                self.returns += 1
            case "pass":
                self.stage = "checked"
            case "fail":
                self.stage = "dispatched"
                self.reworks += 1
                if c is not None:
                    c.since = now
            case "close":
                self.stage = "closed"
            case "ask_extension" | "ask_parking":
                self.asked = (action.removeprefix("ask_"), who.id, now, until, self.overdue)
            case "grant":
                assert self.asked is not None and c is not None
                kind, _, at, end, late = self.asked
                self.asked, self.overdue = None, late
                if kind == "extension":
                    c.allowed += c.limit
                    c.extensions += 1
                else:
                    assert c.since is not None
                    c.used += self.count(c.since, at)
                    c.since, c.until, c.was_parked = None, end, True
                    self.settle(now)
            case "deny":
                self.asked = None
            case "unpark":
                assert c is not None
                c.since, c.until = now, None
            case "supervise":
                self.supervision = "open"
            case "sign":
                self.supervision = "signed"
            case "answer":
                self.supervision = "answered"
            case "end":
                self.supervision = "ended"
            case "appeal":
                self.appeal, self.appealed_by = "waits", who.id
            case "grant_appeal" | "deny_appeal":
                self.appeal = "decided"
            case "reopen":
                self.stage, self.unit, self.worker, self.clock = "accepted", "", "", None
                self.reworks += 1
                self.appeal = ""  # of what came before; the new round has its own
            case "ask_assist" | "take_assist" | "arrive_assist" | "answer_assist" | "release_assist":
                self._help(action, who, unit)
        if self.stage in FINAL and self.supervision:
            self.supervision = "ended"

    def _send(self, unit: str, now: int) -> None:
        c = self.clock
        if c is None:
            self.clock = Clock(self.limit, self.limit, unit, now)
        elif unit != c.unit or (c.since is None and c.until is None):
            # It stands, or goes to another unit.
            if c.since is not None:
                c.used += self.count(c.since, now)
            if unit != c.unit:
                c.used, c.allowed, c.unit = 0, c.limit, unit
            c.since, c.until = now, None
        if unit != self.unit:
            self.asked = None
        self.stage, self.unit, self.worker = "dispatched", unit, ""
