"""Many items of a snapshot as columns: a tenth of the bytes of the same items one by one, and sooner read by a browser.

    {kind: [group]}, group: {"n": items, "fields": [[path, column]]}, path: ["key"] or ["values", "level_m"]

Items with the same fields are a group, in the order of their keys. A column is one of

    {"same": v}                     every item has it
    {"front": [n], "rest": [s]}     strings that begin with n letters of the one before
    {"of": [s], "at": [n]}          strings of a list; a long list is itself front and rest
    {"least": n, "more": [n]}       whole numbers above the least
    {"are": [v]}                    as they are

`fromSnapshot` in layouts/assets/live_apply.mjs reads it; nothing is lost (tests/layouts/test_live_client.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

MEDIA_TYPE: Final = "application/vnd.chengyun.columns+json"
"""What a client says it accepts to be given columns."""

MANY: Final = 1000
"""From this many items of a kind columns are worth it."""

_TWICE: Final = 2
"""A list of strings is worth it when each stands for this many items."""

_FEW: Final = 8
"""Such a list is short when each stands for this many."""


def in_columns(items: Iterable[bytes]) -> list[dict[str, Any]]:
    """Items of one kind (JSON objects with a `key`) as groups of columns."""
    rows: list[dict[str, Any]] = orjson.loads(b"[" + b",".join(items) + b"]")
    rows.sort(key=lambda row: str(row["key"]))
    groups: dict[Shape, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        within = tuple((name, tuple(value)) for name, value in row.items() if type(value) is dict and value)
        groups[tuple(row), within].append(row)
    return [
        {"n": len(found), "fields": [[path, _column(path, values)] for path, values in _fields(shape, found)]}
        for shape, found in groups.items()
    ]


Path = tuple[str, ...]
Shape = tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]]
"""Names of the fields, and names within those that are objects."""


def _fields(shape: Shape, rows: list[dict[str, Any]]) -> Iterator[tuple[Path, list[Any]]]:
    """Each field of rows of one shape with its values; the fields of an object within are fields of their own."""
    names, within = shape[0], dict(shape[1])
    for name in names:
        if name not in within:
            yield (name,), [row[name] for row in rows]
        for inner in within.get(name, ()):
            yield (name, inner), [row[name][inner] for row in rows]


def _column(path: Path, values: list[Any]) -> dict[str, Any]:
    first, kinds = values[0], set(map(type, values))
    if len(kinds) == 1 and values.count(first) == len(values):
        return {"same": first}
    if kinds == {str}:
        plain = all(map(str.isascii, values))  # a browser counts other letters differently
        distinct = sorted(set(values))
        if len(distinct) * _TWICE <= len(values):
            at = {value: n for n, value in enumerate(distinct)}
            few = len(distinct) * _FEW <= len(values) or not plain
            return {"of": distinct if few else _fronted(distinct), "at": [at[value] for value in values]}
        if path == ("key",) and plain:
            return _fronted(values)
    if kinds == {int}:
        least = min(values)
        return {"least": least, "more": [value - least for value in values]}
    return {"are": values}


def _fronted(values: list[str]) -> dict[str, Any]:
    front, rest, before = [], [], ""
    for value in values:
        common = len(before)
        while not value.startswith(before[:common]):
            common -= 1
        front.append(common)
        rest.append(value[common:])
        before = value
    return {"front": front, "rest": rest}
