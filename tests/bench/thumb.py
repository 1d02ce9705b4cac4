"""A keystroke-level model that counts what is really driven: every press and picture of a page goes through a Thumb,
which takes the model's seconds for it, as a person would, and measures how long the page let it wait after that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from playwright.sync_api import FilePayload, Locator

TAP_S: Final = 1.1
CHARACTER_S: Final = 0.5
PHOTO_S: Final = 4.0
DECISION_S: Final = 1.3


@dataclass(slots=True)
class Thumb:
    """One job of one person, from the wish to the word that it is done."""

    taps: int = 0
    characters: int = 0
    photos: int = 0
    decisions: int = 0
    waited_s: float = 0.0

    @property
    def seconds(self) -> float:
        """What the job takes a person."""
        acted = TAP_S * self.taps + CHARACTER_S * self.characters + PHOTO_S * self.photos
        return acted + DECISION_S * self.decisions + self.waited_s

    def until(self, target: Locator) -> Locator:
        """Wait for something to be there; the time counts."""
        began = time.monotonic()
        target.wait_for(state="visible")
        self.waited_s += time.monotonic() - began
        return target

    def press(self, target: Locator) -> None:
        """Find out what to press (a decision), and press it."""
        self._act(target, DECISION_S + TAP_S)
        self.until(target)
        began = time.monotonic()
        target.tap(trial=True)  # until it is enabled, still, and not covered
        self.waited_s += time.monotonic() - began
        target.tap()
        self.decisions += 1
        self.taps += 1

    def _act(self, target: Locator, seconds: float) -> None:
        """A person needs this long; what the page does meanwhile is no waiting."""
        target.page.wait_for_timeout(seconds * 1000)

    def write(self, target: Locator, text: str) -> None:
        """Type."""
        self.until(target)
        target.press_sequentially(text, delay=CHARACTER_S * 1000)
        self.characters += len(text)

    def shoot(self, target: Locator, picture: FilePayload, seen: Locator) -> None:
        """Take a picture with the phone's camera and wait until the page shows it."""
        self._act(target, PHOTO_S)
        target.set_input_files(picture)
        self.photos += 1
        self.until(seen)
