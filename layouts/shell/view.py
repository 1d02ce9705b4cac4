"""The view: who looks, in which language and time zone. Every layout function takes it first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from incidents.access import ANYWHERE, may
from incidents.model import Actor
from layouts.text import catalogue, t


@dataclass(frozen=True, slots=True)
class View:
    """Language, time zone and actor of one request; `city` is the city's name in that language."""

    lang: str
    timezone: str
    actor: Actor
    city: str

    def t(self, key: str, **values: object) -> str:
        """Text of `key`; raises MissingText."""
        return t(self.lang, key, **values)

    def word(self, prefix: str, code: object) -> str:
        """The text of a coded value ('stage', 'taken'), or the code itself when it is data we have no word for."""
        return catalogue(self.lang).get(f"{prefix}.{code}") or str(code)

    def named(self, row: dict[str, object], key: str = "name") -> str:
        """`name`, or `name_en` when the view is English and the row has one."""
        english = row.get(f"{key}_en")
        return str(english if self.lang == "en" and english else row.get(key) or "")

    def may(self, action: str) -> bool:
        """Whether this role may do `action` at all: for showing or hiding only, never for allowing."""
        return bool(may(self.actor, action, ANYWHERE))

    def moment(self, value: object, pattern: str = "%m-%d %H:%M") -> str:
        """A time (epoch ms or RFC 3339 text) in city time; '' for None."""
        ms = epoch_ms(value)
        if ms is None:
            return ""
        return datetime.fromtimestamp(ms / 1000, ZoneInfo(self.timezone)).strftime(pattern)

    def span(self, seconds: float) -> str:
        """A length of time in words, as `span` of text.mjs."""
        s = max(0, round(seconds))
        if s < 60:
            return self.t("span.seconds", n=s)
        if s < 3600:
            return self.t("span.minutes", n=s // 60)
        if s < 86400:
            return self.t("span.hours", h=s // 3600, m=s % 3600 // 60)
        return self.t("span.days", d=s // 86400, h=s % 86400 // 3600)


def epoch_ms(value: object) -> int | None:
    """Epoch milliseconds of a time given as ms, as a datetime or as RFC 3339 text; None for None or ''."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return int(value)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
