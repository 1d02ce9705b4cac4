"""What is known of an incident before anybody is named: the standards it may be, its place, its owner, its period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from incidents.dispatch_model import Asked, Outcome, TextClass, TextModel
from incidents.final_units import Context, FinalUnits
from incidents.place_evidence import Places, Spots
from incidents.responsibility import Period, Rules
from incidents.word_weights import WordWeights, words_of

MOST_STANDARDS: Final = 4
"""Standards that are followed further when class or condition are not given."""

STEPS: Final = (0.0, 0.3, 0.5, 0.7, 0.85, 0.93, 0.97, 0.99)
"""Steps of how sure a text model is; how often it is right at each is learned: a text may mislead, a model be too sure."""

MISLED: Final = 0.05
"""How often a text is taken to mean none of what it says, before the register is looked at."""

RIGHT, WRONG = "right", "wrong"

_BETWEEN: Final = "\t"


@dataclass(frozen=True, slots=True)
class Standard:
    """A class and filing condition that it may be, with its probability; `words` of the text that say so."""

    class_code: str
    condition: str
    probability: float
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What is asked, read. `spots` None: there is no table of areas. `owner_named`: the text, not the register, names it."""

    asked: Asked
    standards: tuple[Standard, ...]
    spots: Spots | None
    owner: str
    owner_named: bool
    period: Period | None

    @property
    def marks(self) -> tuple[float, ...]:
        """What makes a decision doubtful, as numbers for the judge."""
        spots, asked = self.spots, self.asked
        return (
            float(not asked.class_code),
            float(not asked.condition),
            float(asked.lon is None or asked.lat is None),
            self.standards[0].probability if self.standards else 0.0,
            float(spots is not None and spots.confirmed),
            float(spots is not None and spots.pattern[1] == "district"),
            float(spots is not None and spots.torn),
            float(spots is not None and spots.border_m is not None),
            float(self.owner_named),
        )


class LearnedText:
    """The text model of a city that has no better one: its own filed incidents, word by word."""

    __slots__ = ("_weights",)

    def __init__(self) -> None:
        self._weights = WordWeights()

    def learn(self, asked: Asked) -> None:
        """A text whose class and condition somebody has given."""
        if asked.text and asked.class_code and asked.condition:
            self._weights.learn(words_of(asked.text), f"{asked.class_code}{_BETWEEN}{asked.condition}")

    def classes(self, text: str) -> list[TextClass]:
        """Most probable first, those below 1 % left out."""
        words = words_of(text)
        shares = self._weights.shares(words)
        if shares is None:
            return []
        names = list(self._weights.labels)
        likely = sorted((int(i) for i in (shares > 0.01).nonzero()[0]), key=lambda i: -shares[i])
        found: list[TextClass] = []
        for i in likely:
            class_code, condition = names[i].split(_BETWEEN)
            told = self._weights.telling(words, names[i]) if len(found) < 2 else ()
            found.append(TextClass(class_code, condition, float(shares[i]), told))
        return found


class Scenes:
    """Reads what is asked. `text` None: routing without a text model."""

    __slots__ = ("_facts", "_heard", "_own_text", "_standards", "places", "rules", "text")

    def __init__(self, rules: Rules | None, text: TextModel | None) -> None:
        self.rules = rules
        self.places = None if rules is None else Places(rules)
        self.text = text
        self._own_text = text if isinstance(text, LearnedText) else None
        self._standards = FinalUnits()
        self._heard = FinalUnits()
        self._facts = FinalUnits()

    def look(self, asked: Asked) -> Scene:
        """The scene of what is asked."""
        rules = self.rules
        if rules is None or self.places is None:
            return Scene(
                asked, (Standard(asked.class_code, asked.condition, 1.0),), None, asked.owner, False, None
            )
        owner, named = asked.owner, False
        if not owner:
            _, owners = rules.named_in(asked.text)
            owner, named = (owners[0], True) if len(owners) == 1 else ("", False)
        standards = self._may_be(asked, rules)
        class_code = standards[0].class_code if standards else ""
        return Scene(
            asked, standards, self.places.look(asked), owner, named, rules.period_at(asked.at, class_code)
        )

    def learn(self, outcome: Outcome, scene: Scene) -> None:
        """What an outcome tells of standards, words and places."""
        asked = outcome.asked
        if self.places is not None and scene.spots is not None:
            self.places.learn(asked, scene.spots, outcome.unit)
            if asked.class_code and (asked.condition or not self._has_conditions(asked.class_code)):
                if asked.condition:
                    self._standards.learn([("class", asked.class_code)], asked.condition, asked.day)
                self._hear(asked)
                self._facts.learn([("all",), ("class", asked.class_code)], _fact(asked), asked.day)
            if self._own_text is not None:
                self._own_text.learn(asked)

    def _has_conditions(self, class_code: str) -> bool:
        return self.rules is not None and bool(self.rules.conditions(class_code))

    def learned(self) -> dict[str, FinalUnits]:
        """What has been learned, by name: for the file of a router."""
        found = {"standards": self._standards, "heard": self._heard, "facts": self._facts}
        return found if self.places is None else {**found, "places": self.places.learned()}

    def _hear(self, asked: Asked) -> None:
        """How the text alone would have been understood, where a person has given class and condition."""
        said = list(self.text.classes(asked.text)) if self.text is not None and asked.text else []
        if not said:
            return
        first = self._fitting(said, asked)[0]
        # A model that knows no conditions is asked for the class alone.
        right = first.class_code == asked.class_code and first.condition in ("", asked.condition)
        self._heard.learn(_chain("both", first.probability), RIGHT if right else WRONG, asked.day)
        told = [one for one in said if one.class_code == asked.class_code and one.condition]
        if told:
            share = told[0].probability / sum(one.probability for one in told)
            right = told[0].condition == asked.condition
            chain = _chain("condition", share, sum(one.probability for one in told))
            self._heard.learn(chain, RIGHT if right else WRONG, asked.day)

    def _fitting(self, said: Sequence[TextClass], asked: Asked) -> list[TextClass]:
        """What a text may mean, by how well each class fits what the register says: no stall has a registered owner."""
        fact = [_fact(asked)]
        fits = [
            t.probability * self._facts.shares([("all",), ("class", t.class_code)], fact, asked.day)[0]
            for t in said
        ]
        # A text that means none of what it says leaves the fact as frequent as it is in all classes.
        whole = sum(fits) + MISLED * self._facts.shares([("all",)], fact, asked.day)[0]
        found = [replace(t, probability=fit / whole) for t, fit in zip(said, fits, strict=True)]
        return sorted(found, key=lambda t: (-t.probability, t.class_code, t.condition))

    def _believed(self, chain: list[Context], day: float) -> float:
        right, wrong = self._heard.shares(chain, (RIGHT, WRONG), day)
        return right / (right + wrong)

    def _may_be(self, asked: Asked, rules: Rules) -> tuple[Standard, ...]:
        code = asked.class_code
        if code and (asked.condition or not rules.conditions(code)):
            return (Standard(code, asked.condition, 1.0),)
        said = list(self.text.classes(asked.text)) if self.text is not None and asked.text else []
        if not code:
            if not said:
                return ()
            said = self._fitting(said, asked)
            first = said[0].probability
            sure = self._believed(_chain("both", first), asked.day)
            rest = (1 - sure) / max(1 - first, 1e-6)
            return tuple(
                Standard(
                    t.class_code, t.condition, sure if i == 0 else min(sure, t.probability * rest), t.words
                )
                for i, t in enumerate(said[:MOST_STANDARDS])
            )
        conditions = rules.conditions(code)
        usual = dict(
            zip(conditions, self._standards.shares([("class", code)], conditions, asked.day), strict=True)
        )
        told = [t for t in said if t.class_code == code and t.condition in usual]
        if not told:
            found = [Standard(code, condition, share) for condition, share in usual.items()]
        else:
            whole = sum(t.probability for t in told)
            sure = self._believed(_chain("condition", told[0].probability / whole, whole), asked.day)
            others = {t.condition: t.probability / whole for t in told[1:]}
            left = {
                c: others.get(c, 0.0) + 0.2 * share for c, share in usual.items() if c != told[0].condition
            }
            among = sum(left.values()) or 1.0
            found = [Standard(code, told[0].condition, sure, told[0].words)]
            found += [Standard(code, c, (1 - sure) * share / among) for c, share in left.items()]
        found.sort(key=lambda s: (-s.probability, s.condition))
        return tuple(found[:MOST_STANDARDS])


def _fact(asked: Asked) -> str:
    """What the register says of the component, as far as it tells classes apart."""
    return f"{bool(asked.registered_area)} {asked.owner}"


def _chain(what: str, *shares: float) -> list[Context]:
    """Contexts by how sure a text model is."""
    steps = [sum(share >= step for step in STEPS) for share in shares]
    return [(what,), *((what, *steps[: n + 1]) for n in range(len(steps)))]
