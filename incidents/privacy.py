"""脱敏: names, phone numbers and identity numbers of people, made unreadable in what is shown.

The store keeps what was said; every answer is masked, for whatever role. Who may unmask does it one incident at a time, with
a reason that goes to the audit log (`UnmaskIncident`). What is found in free text: numbers by their form, names that the
reporter gave, and names after the words that announce one (联系人：…); a name that nothing announces is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

FIELDS: Final = frozenset({"title", "text", "address", "reason", "demand", "answer", "what", "why"})
"""Where people write what they like."""

_ASCII: Final = str.maketrans("０１２３４５６７８９－Ｘｘ：　（．", "0123456789-Xx: (.")
"""One character for one: places in the text stay what they are."""
_DAY: Final = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_IDENTITY: Final = re.compile(
    rf"(?<![0-9A-Za-z])[1-9]\d{{5}}(?:(?:19|20)\d{{2}}{_DAY}\d{{3}}[0-9Xx]|\d{{2}}{_DAY}\d{{3}})(?![0-9A-Za-z])"
)
"""18 digits, or the 15 of before 1999: area, day of birth, order."""
_PHONE: Final = re.compile(
    r"(?<![0-9])(?:(?:\+?86[-. ]?)?1[-. ]?[3-9](?:[-. ]?\d){9}|0\d{2,3}[-. ]?\d{3,4}[-. ]?\d{4})(?![0-9])"
    r"|(?<=电话)[:\s]*\d{7,8}(?!\d)|(?<=号码)[:\s]*\d{7,8}(?!\d)|(?<=致电)[:\s]*\d{7,8}(?!\d)"
)
"""Mobile and long-distance numbers by their form; a local one only after the word that announces it."""
_NAMED: Final = re.compile(
    r"(?:姓名|联系人|投诉人|来电人|反映人|举报人|报警人|当事人)[:\s(]+(?P<a>[\u4e00-\u9fff·]{2,4})"
    r"|我叫(?P<b>[\u4e00-\u9fff]{2,3})(?![\u4e00-\u9fff])"
)
_HAS: Final = re.compile(r"\d{6}|姓名|人[:：\s(（]|我叫|[０-９]{6}|[\d０-９][-.\s．－][\d０-９]")
"""What must be there at all for anything to be masked: most texts are passed over at once."""


def mask_name(name: str) -> str:
    """林** for a name."""
    return name[:1] + "**" if name else ""


def mask_phone(phone: str) -> str:
    """Only the last three digits stay readable, whatever stands between them."""
    return _starred(phone, 0, 3)


def mask_identity(number: str) -> str:
    """Only the province and city stay readable."""
    return _starred(number, 4, 0)


def _starred(text: str, first: int, last: int) -> str:
    places = [n for n, c in enumerate(text) if c.isdigit() or c in "XxＸｘ"]
    hidden = set(places[first : len(places) - last if last else None])
    return "".join("*" if n in hidden else c for n, c in enumerate(text))


def _by_form(text: str, phones: re.Pattern[str]) -> str:
    """Identity numbers, numbers of the form `phones`, and names that are announced as such."""
    plain = text.translate(_ASCII)
    for pattern, masked in ((_IDENTITY, mask_identity), (phones, mask_phone)):
        for found in pattern.finditer(plain):
            text = text[: found.start()] + masked(text[found.start() : found.end()]) + text[found.end() :]
        plain = text.translate(_ASCII)
    for found in reversed(list(_NAMED.finditer(plain))):
        start, end = found.span("a" if found["a"] else "b")
        text = text[:start] + mask_name(text[start:end]) + text[end:]
    return text


def mask_text(text: str, names: Iterable[str] = ()) -> str:
    """Free text without numbers and names of people. `names`: what the reporters call themselves."""
    for name in names:
        if len(name) > 1 and name in text:
            text = text.replace(name, mask_name(name))
    if not _HAS.search(text):
        return text
    return _by_form(text, _PHONE)


_MOBILE: Final = re.compile(r"(?<![0-9])(?:\+?86[-. ]?)?1[-. ]?[3-9](?:[-. ]?\d){9}(?![0-9])")


def mask_people(text: str, names: Iterable[str] = (), phones: Iterable[str] = ()) -> str:
    """What is told to people outside: without identity numbers, mobile numbers, names that are announced as such, and the
    names and phones of who reported. Numbers of offices stay: they are what a caller is told to call."""
    for name in names:
        if len(name) > 1:
            text = text.replace(name, mask_name(name))
    for phone in phones:
        if len(phone) > 5:
            text = text.replace(phone, mask_phone(phone))
    return _by_form(text, _MOBILE)


def mask_message(text: str) -> str:
    """A message as it came (JSON or what was meant to be): the reporter's name and every number of a person."""
    text = _REPORTER.sub(lambda found: found[1] + mask_name(found[2]) + found[3], text)
    return mask_text(text)


_REPORTER: Final = re.compile(r'("reporter"\s*:\s*\{[^{}]*?"name"\s*:\s*")((?:[^"\\]|\\.)*)(")')


def masked(answer: Any, names: Iterable[str] = ()) -> Any:
    """An answer (dicts, lists, values) with its FIELDS masked, whatever stands how deep."""
    if isinstance(answer, Mapping):
        return {
            key: mask_text(value, names)
            if key in FIELDS and isinstance(value, str)
            else masked(value, names)
            if isinstance(value, Mapping | list | tuple)
            else value
            for key, value in answer.items()
        }
    if isinstance(answer, list | tuple):
        return [masked(value, names) for value in answer]
    return answer
