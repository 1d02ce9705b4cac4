"""Reads the columns of a snapshot as a browser does (layouts/assets/live_apply.mjs)."""

from __future__ import annotations

from typing import Any


def items_of(groups: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Groups of columns as {key: item}."""
    items: dict[str, dict[str, Any]] = {}
    for group in groups:
        rows: list[dict[str, Any]] = [{} for _ in range(group["n"])]
        for (name, *inner), column in group["fields"]:
            for row, value in zip(rows, _values(group["n"], column), strict=True):
                (row.setdefault(name, {}) if inner else row)[inner[0] if inner else name] = value
        items.update({row["key"]: row for row in rows})
    return items


def _values(n: int, column: dict[str, Any]) -> list[Any]:
    match column:
        case {"are": values}:
            return list(values)
        case {"same": value}:
            return [value] * n
        case {"of": words, "at": at}:
            words = words if isinstance(words, list) else _values(0, words)
            return [words[i] for i in at]
        case {"least": least, "more": more}:
            return [least + value for value in more]
    values, before = [], ""
    for letters, rest in zip(column["front"], column["rest"], strict=True):
        before = before[:letters] + rest
        values.append(before)
    return values
