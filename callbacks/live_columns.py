"""Many items of a snapshot as columns: a tenth of the bytes of the same items one by one, and sooner read by a browser.

    {kind: [group]}, group: {"n": items, "fields": [[path, column]]}, path: ["key"] or ["values", "level_m"]

Items with the same fields are a group, in the order of their keys. A column is one of

    {"same": v}                     every item has it
    {"front": [n], "rest": [s]}     strings that begin with n letters of the one before
    {"of": [s], "at": [n]}          strings of a short list
    {"least": n, "more": [n]}       whole numbers above the least
    {"are": [v]}                    as they are

`fromSnapshot` in layouts/assets/live_apply.mjs reads it; nothing is lost (tests/layouts/test_live_client.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from os.path import commonprefix
from typing import Any, Final

import orjson

MEDIA_TYPE: Final = "application/vnd.chengyun.columns+json"
"""What a client says it accepts to be given columns."""

MANY: Final = 1000
"""From this many items of a kind columns are worth it."""

_FEW: Final = 8
"""A list of strings is short when each stands for this many items."""

Path = tuple[str, ...]


def in_columns(items: Iterable[bytes]) -> list[dict[str, Any]]:
    """Items of one kind (JSON objects with a `key`) as groups of columns."""
    groups: dict[tuple[Path, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for item in sorted(map(orjson.loads, items), key=lambda item: str(item["key"])):
        flat = _flat(item)
        groups[tuple(flat)].append(tuple(flat.values()))
    return [
        {
            "n": len(rows),
            "fields": [[path, _column(path, values)] for path, values in zip(paths, zip(*rows, strict=True), strict=True)],
        }
        for paths, rows in groups.items()
    ]  # fmt: skip


def _flat(item: dict[str, Any]) -> dict[Path, Any]:
    """Fields by their path; the fields of an object within are fields of their own."""
    flat: dict[Path, Any] = {}
    for name, value in item.items():
        if isinstance(value, dict) and value:
            flat.update({(name, inner): found for inner, found in value.items()})
        else:
            flat[name,] = value
    return flat


def _column(path: Path, values: tuple[Any, ...]) -> dict[str, Any]:
    first, kinds = values[0], set(map(type, values))
    if len(kinds) == 1 and all(value == first for value in values):
        return {"same": first}
    if kinds == {str}:
        distinct = dict.fromkeys(values)
        if len(distinct) * _FEW <= len(values):
            at = {value: n for n, value in enumerate(distinct)}
            return {"of": list(distinct), "at": [at[value] for value in values]}
        if path == ("key",) and all(map(str.isascii, values)):  # a browser counts other letters differently
            return _fronted(values)
    if kinds == {int}:
        least = min(values)
        return {"least": least, "more": [value - least for value in values]}
    return {"are": values}


def _fronted(values: tuple[str, ...]) -> dict[str, Any]:
    front, rest, before = [], [], ""
    for value in values:
        common = len(commonprefix((before, value)))
        front.append(common)
        rest.append(value[common:])
        before = value
    return {"front": front, "rest": rest}
