"""Ten and more rates of FIELD E3 recounted by hand from the exported timelines. Knows nothing of the product: it imports
none of it. An incident is a dict: id, area, class, `waits` (what it waits for now: stage, stage_due, handle_due), and
`timeline`, a list of lines in order: at, action, from, to, role, channel, detail. Times are ISO 8601.

Rules, as FIELD E2/E3 and docs/adr/0023 give them:
- What is due counts in the period in which it is due. A merged incident counts nowhere, a void one is not to be handled.
- The first closing settles handling and checking; reopening it is rework.
- 按期: not later than the limit. An appeal that was granted takes the incident out of the rate it was against. It stays
  granted when the incident is reopened; but a rework or return that comes later needs an appeal of its own, and one that
  is granted against the lateness of a later round says nothing of the first, which the rates tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

Moment = datetime | None


@dataclass(slots=True)
class Told:
    """What one timeline tells, line by line."""

    id: int
    area: str
    class_code: str
    channel: str = ""
    unit: str = ""
    gone: bool = False
    """Merged into another."""
    void: Moment = None
    reported: Moment = None
    file_due: Moment = None
    filed: Moment = None
    refused: Moment = None
    sent_due: Moment = None
    sent: Moment = None
    done_due: Moment = None
    done: Moment = None
    check_due: Moment = None
    checked: Moment = None
    closed: Moment = None
    not_theirs: bool = False
    reworks: int = 0
    extended: bool = False
    parked: bool = False
    exempt: set[str] = field(default_factory=set)
    file_post: str = ""
    send_post: str = ""
    do_post: str = ""
    check_post: str = ""


def when(text: str | None) -> Moment:
    """A moment of the export."""
    return datetime.fromisoformat(text) if text else None


def read(incident: Mapping[str, Any]) -> Told:
    """Replay one timeline."""
    told = Told(incident["id"], incident["area"], incident["class"])
    decided_due = ended_due = result_due = None
    against = asked_stage = ""
    result: Moment = None
    reopened = False
    for line in incident["timeline"]:
        at, action, detail = when(line["at"]), line["action"], line["detail"]
        due = when(detail.get("due"))
        asked_stage = line["to"]
        if action == "report":
            told.reported, told.channel = at, line["channel"]
        elif action in ("accept", "refuse"):
            if not told.file_post:
                told.file_post, decided_due = line["role"], due
            if action == "accept":
                told.filed = told.filed or at
            else:
                told.refused = told.refused or at
        elif action in ("void", "merge"):
            told.void, told.gone = at, action == "merge"
            if line["from"] == "reported":
                ended_due = due
        elif action == "restore":
            told.void, told.gone = None, False
        elif action in ("dispatch", "reassign"):
            told.unit = detail["unit"]
            if action == "dispatch" and told.sent is None:
                told.sent, told.sent_due, told.send_post = at, due, line["role"]
        elif action == "return":
            told.not_theirs = told.not_theirs or detail["wrong_field"] != "class"
            told.exempt.discard("return")
        elif action == "grant_request":
            told.extended = told.extended or detail["asked"] == "extension"
            told.parked = told.parked or detail["asked"] == "parking"
        elif action == "feed_back" and told.closed is None:
            result, told.do_post = at, line["role"]
            result_due = due or result_due
        elif action in ("pass_check", "fail_check"):
            if action == "fail_check":
                told.reworks += 1
                told.exempt.discard("rework")
            if told.closed is None:
                told.checked, told.check_due, told.check_post = at, due, line["role"]
                if action == "fail_check":
                    result = None
        elif action == "close":
            told.closed = told.closed or at
        elif action == "reopen":
            told.reworks += 1
            told.exempt.discard("rework")
            reopened = True
        elif action == "appeal":
            against = detail["against"]
        elif action == "grant_appeal" and (against != "overdue" or not reopened):
            told.exempt.add(against)
    waits = incident["waits"]
    told.done = result
    told.done_due = result_due
    if told.done is None:
        told.done_due = when(waits["handle_due"]) or result_due
    told.file_due = decided_due or (when(waits["stage_due"]) if asked_stage == "reported" else ended_due)
    if told.sent is None and asked_stage == "accepted":
        told.sent_due = when(waits["stage_due"])
    if told.check_due is None and asked_stage == "returned_result":
        told.check_due = when(waits["stage_due"])
    return told


class Span:
    """A period as questions: `within`, and `by_end`, of moments that may not have been."""

    def __init__(self, begin: datetime, end: datetime) -> None:
        self.begin, self.end = begin, end

    def within(self, moment: Moment) -> bool:
        """Begin included, end not."""
        return moment is not None and self.begin <= moment < self.end

    def by_end(self, moment: Moment) -> bool:
        """It had happened when the period ended."""
        return moment is not None and moment < self.end


def _early(done: Moment, due: Moment) -> bool:
    return done is not None and (due is None or done <= due)


Rule = Callable[[Told, Span], bool]


def _to_handle(t: Told, s: Span) -> bool:
    return s.within(t.done_due) and not s.by_end(t.void)


RATES: Final[Mapping[str, tuple[Rule, Rule]]] = {
    "handle_rate": (_to_handle, lambda t, s: s.by_end(t.done)),
    "handle_on_time_rate": (
        lambda t, s: _to_handle(t, s) and "overdue" not in t.exempt,
        lambda t, s: s.by_end(t.done) and _early(t.done, t.done_due),
    ),
    "close_rate": (_to_handle, lambda t, s: s.by_end(t.closed)),
    "close_on_time_rate": (
        lambda t, s: _to_handle(t, s) and not t.parked and "overdue" not in t.exempt,
        lambda t, s: s.by_end(t.closed) and _early(t.done, t.done_due),
    ),
    "file_on_time_rate": (
        lambda t, s: s.within(t.file_due),
        lambda t, s: any(s.by_end(x) and _early(x, t.file_due) for x in (t.filed, t.refused)),
    ),
    "valid_report_rate": (
        lambda t, s: s.within(t.reported),
        lambda t, s: s.by_end(t.filed) and not s.by_end(t.void),
    ),
    "dispatch_on_time_rate": (
        lambda t, s: s.within(t.sent_due) and not s.by_end(t.void),
        lambda t, s: s.by_end(t.sent) and _early(t.sent, t.sent_due),
    ),
    "dispatch_right_rate": (
        lambda t, s: s.within(t.sent_due) and not s.by_end(t.void) and "return" not in t.exempt,
        lambda t, s: s.by_end(t.sent) and not t.not_theirs,
    ),
    "check_on_time_rate": (
        lambda t, s: s.within(t.check_due),
        lambda t, s: s.by_end(t.checked) and _early(t.checked, t.check_due),
    ),
    "rework_rate": (lambda t, s: _to_handle(t, s) and "rework" not in t.exempt, lambda t, s: t.reworks > 0),
    "overdue_waiting_rate": (
        lambda t, s: _to_handle(t, s) and "overdue" not in t.exempt,
        lambda t, s: not s.by_end(t.done) and s.by_end(t.done_due),
    ),
    "extension_rate": (_to_handle, lambda t, s: t.extended),
}
"""Rate → (in the denominator, in the numerator of what is in the denominator)."""

POST: Final[Mapping[str, str]] = {
    "file_on_time_rate": "file_post",
    "valid_report_rate": "file_post",
    "dispatch_on_time_rate": "send_post",
    "dispatch_right_rate": "send_post",
    "check_on_time_rate": "check_post",
}
"""Whose work a rate is of; all others are of who handled."""


def group_of(told: Told, by: str, area: str, rate: str) -> str:
    """The group of an incident: by total, area (one level below `area`), unit, post, class, channel."""
    if by == "area":
        parts = told.area.removeprefix(area).split("/")
        return area + parts[0] + "/" if len(parts) > 1 else area
    if by == "post":
        return str(getattr(told, POST.get(rate, "do_post")))
    return {"total": "", "unit": told.unit, "class": told.class_code, "channel": told.channel}[by]


def recount(
    every: Sequence[Told], by: str, area: str, begin: datetime, end: datetime
) -> dict[tuple[str, str], tuple[list[int], list[int]]]:
    """(rate, group) → (ids of the numerator, ids of the denominator), for all that have a denominator."""
    span, found = Span(begin, end), dict[tuple[str, str], tuple[list[int], list[int]]]()
    for told in every:
        # What has no place yet is the whole city's, whose path is one code.
        if told.gone or not (told.area.startswith(area) or (told.area == "" and area.count("/") == 1)):
            continue
        for rate, (below, above) in RATES.items():
            if below(told, span):
                numerator, denominator = found.setdefault((rate, group_of(told, by, area, rate)), ([], []))
                denominator.append(told.id)
                if above(told, span):
                    numerator.append(told.id)
    return found
