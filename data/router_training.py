"""`app.py router train`: past tickets of a file or of the store → a router, its file and its line in the registry.

scikit-learn is imported here when a text model is trained, and by no process that only asks a router.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from data.audit import Audit
from data.backtests import ALWAYS
from data.database import Cursor, Database
from data.past_incidents import read_past
from data.router_models import city_lat, register
from data.routing_rules import read_rules
from data.ticket_files import COLUMNS, read
from incidents.dispatch_learning import Policy
from incidents.dispatch_model import Outcome
from incidents.model import Actor
from incidents.responsibility import Rules
from incidents.router_training import Trained, train_router
from incidents.ticket_text import TicketText

COMMAND_LINE: Final = Actor(0, "command line", "命令行", "administrator")

MOST_INCIDENTS: Final = 500_000
MOST_TEXTS: Final = 20_000
"""The newest texts that a text model is trained on: some minutes of a processor."""


class NoTickets(ValueError):
    """A file or store that teaches nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A router that was registered."""

    version: str
    figures: dict[str, Any]
    threshold: float


def of_file(path: Path, cursor: Cursor) -> tuple[list[Outcome], dict[str, int]]:
    """(outcomes of units and classes that the city has, counts by what is wrong with the rest). Raises NoTickets."""
    try:
        found, counts = read(path)
    except ValueError as error:
        raise NoTickets(f"{path.name}: {error}") from None
    cursor.execute("SELECT code, name FROM units WHERE NOT disabled ORDER BY code DESC")
    units = {name: code for code, title in cursor.fetchall() for name in (title, code)}
    cursor.execute("SELECT DISTINCT ON (code) code, name FROM event_classes ORDER BY code DESC, version DESC")
    classes = {name: code for code, title in cursor.fetchall() for name in (title, code)}
    wrong: Counter[str] = Counter()
    outcomes = []
    for outcome in found:
        unit = units.get(outcome.unit)
        if unit is None:
            wrong["left out: no unit of this city"] += 1
            continue
        told = outcome.asked.class_code
        wrong["with a class that this city has not"] += bool(told) and told not in classes
        outcomes.append(Outcome(replace(outcome.asked, class_code=classes.get(told, "")), unit))
    if not outcomes:
        raise NoTickets(
            f"{path.name}: none of {counts['rows']} rows has a unit of this city, by code or name"
        )
    return outcomes, {**counts, **wrong, "used": len(outcomes)}


def of_store(cursor: Cursor, rules: Rules, now: datetime, lat: float) -> tuple[list[Outcome], dict[str, int]]:
    """The city's own closed incidents, oldest first."""
    past = read_past(cursor, rules, ALWAYS, now, MOST_INCIDENTS, lat)
    return [case.outcome for case in past], {"used": len(past)}


def text_maker(
    source: str, version: str, now: datetime, say: Callable[[str], object]
) -> Callable[[Sequence[Outcome]], TicketText | None]:
    """Trains the text model; told and left out where the tickets are too few for it."""

    def make(outcomes: Sequence[Outcome]) -> TicketText | None:
        from incidents.near_texts import groups
        from incidents.text_training import LEAST_OF_CLASS, BadTraining, Labelled, Source, train

        texts = [o.asked for o in outcomes if o.asked.text and o.asked.class_code][-MOST_TEXTS:]
        group = groups([asked.text for asked in texts]).tolist() if texts else []
        # A class with too few different texts can be neither learned nor measured.
        different = Counter(
            code for code, _ in {(a.class_code, g) for a, g in zip(texts, group, strict=True)}
        )
        rows = [
            Labelled(asked.text, asked.class_code)
            for asked in texts
            if different[asked.class_code] >= LEAST_OF_CLASS
        ]
        seal = hashlib.sha256(
            "\n".join(f"{r.label}\t{r.text}" for r in rows).encode("utf-8", "replace")
        ).hexdigest()
        try:
            model, measured = train(rows, Source(source, version, seal, ("text", "class")), now)
        except (BadTraining, ValueError) as error:
            say(f"no text model: {error}")
            return None
        say(
            f"text model: {len(rows)} texts, {len(model.classes)} classes, {measured.right_share:.4f} right in its folds"
        )
        return TicketText(model)

    return make


def train(
    database: Database,
    audit: Audit,
    folder: Path,
    path: Path | None,
    policy: Policy,
    clock: Callable[[], datetime],
    *,
    text: bool,
    say: Callable[[str], object],
) -> Candidate:
    """Train, measure, write, register. Raises NoTickets, TooFew, OSError."""
    now, lat = clock(), city_lat(database)
    with database.transaction() as cursor:
        rules = read_rules(cursor)
        outcomes, counts = of_file(path, cursor) if path else of_store(cursor, rules, now, lat)
    source = path.name if path else "closed incidents"
    say(f"{source}: " + ", ".join(f"{n} {what}" for what, n in counts.items() if n))
    trained: Trained = train_router(
        outcomes, rules, policy, text_maker(source, "1", now, say) if text else None
    )
    figures = {**trained.figures, "text": _told(trained)}
    inputs = {"source": source, "columns": list(COLUMNS), "counts": counts, "rules": rules.version}
    with database.transaction() as cursor:
        done = replace(trained, figures=figures)
        version = register(cursor, folder, done, source, inputs, COMMAND_LINE.login, now)
        audit.append(
            actor=COMMAND_LINE.login, role=COMMAND_LINE.role, action="routing.train", thing=f"router:{version}",
            allowed=True, now=now, detail={"source": source, "used": counts["used"]}, cursor=cursor,
        )  # fmt: skip
    return Candidate(version, figures, trained.router.threshold)


def _told(trained: Trained) -> dict[str, Any] | None:
    model = trained.router.scenes.text
    if not isinstance(model, TicketText):
        return None
    facts = model.model.facts
    return {
        "rows": facts.rows, "classes": len(model.model.classes), "right_share": facts.right_share,
        "calibration_error": facts.calibration_error,
    }  # fmt: skip
