"""The text catalogue: every word a user sees, Chinese and English, from `layouts/text/<page>.<lang>.json`.

One flat key space ("stage.reported"); the browser reads the same files, merged, through `text.mjs`.
A key belongs to one page file: two files naming the same key are an error, so no page overwrites another's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

LANGUAGES: Final = ("zh", "en")
"""The first is the default."""

COOKIE: Final = "chengyun_lang"
"""Cookie that keeps the user's choice; read by the server and by `text.mjs`."""

FOLDER: Final = Path(__file__).parent / "text"

_SLOT = re.compile(r"\{(\w+)\}")


class MissingText(KeyError):
    """A key, a language or a variable that the catalogue does not have."""


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(lang: str) -> Mapping[str, str]:
    """All texts of `lang`, key → text, read once per process.

    Raises MissingText for an unknown language and ValueError for a key that two page files define.
    """
    if lang not in LANGUAGES:
        raise MissingText(f"language {lang!r}: must be one of {', '.join(LANGUAGES)}")
    texts: dict[str, str] = {}
    for path in sorted(FOLDER.glob(f"*.{lang}.json")):
        page: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        twice = texts.keys() & page.keys()
        if twice:
            raise ValueError(f"{path.name}: key {min(twice)!r} is already in another page's file")
        texts.update(page)
    return MappingProxyType(texts)


def t(lang: str, key: str, **values: object) -> str:
    """The text of `key` in `lang` with its {slots} filled from `values`.

    Raises MissingText for an unknown key or a slot without a value: a wrong text must fail a test, not a user.
    """
    text = catalogue(lang).get(key)
    if text is None:
        raise MissingText(f"text {key!r} is missing in {lang!r}")

    def fill(slot: re.Match[str]) -> str:
        name = slot.group(1)
        if name not in values:
            raise MissingText(f"text {key!r} needs a value for {{{name}}}")
        return str(values[name])

    return _SLOT.sub(fill, text)


def slots(text: str) -> frozenset[str]:
    """Names of the {slots} of `text`."""
    return frozenset(_SLOT.findall(text))


def language_of(cookie: str | None, accept_language: str = "") -> str:
    """The language to show: the user's cookie, else the browser's first known language, else Chinese."""
    if cookie in LANGUAGES:
        return cookie
    for part in accept_language.split(","):
        code = part.split(";")[0].strip().lower().split("-")[0]
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]
