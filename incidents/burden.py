"""The burden that the phone's own forms are: how long they take, by form and town, and never by person.

What is kept names nobody and no moment but the day. A group is told only when it has LEAST forms of LEAST_PEOPLE people:
a median of one person's forms would be that person's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Final

FORMS: Final = ("report", "finish", "return", "note")
LEAST: Final = 5
LEAST_PEOPLE: Final = 3
LONGEST_S: Final = 1800.0
"""A form that was open for longer was not worked on for so long."""
MOST_TAPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Effort:
    """One finished form: seconds from opening to sending, presses and keys in between."""

    form: str
    seconds: float
    taps: int


def effort(form: str, seconds: float | None, taps: int | None) -> Effort | None:
    """What a phone says of a form that it sent; None where it says nothing, or nothing that can be."""
    if seconds is None or not 0 <= seconds <= LONGEST_S:
        return None
    return Effort(form, float(seconds), max(0, min(taps or 0, MOST_TAPS)))


def somebody(login: str, day: date) -> str:
    """A mark by which people of one month are counted; in another month the same person has another."""
    return hashlib.sha256(f"{day:%Y-%m}\0{login}".encode()).hexdigest()[:16]
