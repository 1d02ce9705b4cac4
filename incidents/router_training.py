"""A router from a city's past tickets: the first part teaches and calibrates, the last part, which it never saw, measures
what is published (S13, S120). Pure: a library's text model is made by whoever is passed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from incidents.dispatch_learning import Policy, learn, take
from incidents.dispatch_model import Outcome, TextModel
from incidents.dispatch_setups import of_city
from incidents.dispatching import Router
from incidents.final_units import FinalUnits
from incidents.published_threshold import NEVER
from incidents.responsibility import Rules

TAUGHT: Final = 0.7
"""The first share of the tickets, by time: the rest measures."""

TEXT_TAUGHT: Final = 0.25
"""Of that, the first share teaches the text model; only texts it never saw then teach how far it is to be believed."""

FEWEST: Final = 50
"""Tickets below which nothing is trained: no figure of it would mean anything."""

MakeText = Callable[[Sequence[Outcome]], TextModel | None]
"""Text → class from tickets whose class somebody gave; None when they are too few."""


class TooFew(ValueError):
    """Tickets that teach nothing; the text says how many there are."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A router, what was measured on the last part (counts and shares), and the stretches of time."""

    router: Router
    figures: dict[str, Any]
    learned_from: datetime
    learned_until: datetime
    measured_until: datetime


def train_router(
    outcomes: Sequence[Outcome], rules: Rules, policy: Policy, make_text: MakeText | None = None
) -> Trained:
    """Outcomes in order of time. Raises TooFew."""
    if len(outcomes) < FEWEST:
        raise TooFew(f"{len(outcomes)} tickets with time and unit: must be {FEWEST} at least")
    teach = outcomes[: round(len(outcomes) * TAUGHT)]
    rest = outcomes[len(teach) :]
    scenes, evidence = of_city(rules, None)
    head: Sequence[Outcome] = ()
    if make_text is not None:
        head = teach[: int(len(teach) * TEXT_TAUGHT)]
        text = make_text(head)
        start = Router(scenes, evidence, (1.0,) * len(evidence), None, FinalUnits(), NEVER, policy.version)
        for outcome in head:
            take(start, outcome)
        scenes.text = text
    learned = learn(teach[len(head) :], scenes, evidence, policy)
    figures = {
        **measured(learned.router, rest),
        "calibrated_on": learned.held_out,
        "not_proposed": learned.not_proposed,
        "weights": dict(zip([e.name for e in evidence], learned.router.weights, strict=True)),
        "goal": policy.goal,
        "records_err": policy.records_err,
    }
    return Trained(learned.router, figures, outcomes[0].asked.at, rest[0].asked.at, rest[-1].asked.at)


def measured(router: Router, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What a router makes of tickets it never saw; shares are None where there is nothing to count."""
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        decision = router.decide(outcome.asked)
        right = decision.unit == outcome.unit
        runner_up = decision.runner_up
        counts["right"] += right
        counts["top2"] += right or (runner_up is not None and runner_up.unit == outcome.unit)
        counts["automatic"] += decision.automatic
        counts["right_automatic"] += right and decision.automatic
    cases = len(outcomes)

    def share(part: str, whole: int) -> float | None:
        return round(counts[part] / whole, 5) if whole else None

    return {
        "measured_on": cases,
        "automatic": counts["automatic"],
        "automatic_share": share("automatic", cases),
        "right_share": share("right_automatic", counts["automatic"]),
        "first_dispatch_accuracy": share("right", cases),
        "top2_accuracy": share("top2", cases),
    }
