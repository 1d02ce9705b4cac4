"""The text model of a city's own tickets as routing asks it: text → classes with the words that decided. It knows classes,
no filing conditions."""

from __future__ import annotations

from typing import Final

from incidents.dispatch_model import TextClass
from incidents.text_model import TextModel

LEAST: Final = 0.01
"""Classes less probable than this are not told."""

WORDS: Final = 3


class TicketText:
    """`dispatch_model.TextModel` over a trained model. Thread-safe."""

    __slots__ = ("model",)

    def __init__(self, model: TextModel) -> None:
        self.model = model

    def classes(self, text: str) -> list[TextClass]:
        """Most probable first; nothing for a text of which no word is known."""
        found = self.model.judge(text, WORDS)
        if found.unknown:
            return []
        words = tuple(reason.word for reason in found.reasons if reason.weight > 0)
        return [
            TextClass(name, "", probability, words if n == 0 else ())
            for n, (name, probability) in enumerate(found.ranked)
            if probability >= LEAST
        ]
