"""One page of incidents: those that fit a filter, in an order, from where the last page ended.

Built for a million of them. A page goes on from a key instead of an offset; a count stops where nobody reads on; words
are looked for in the newest incidents first, and only words that are rare there in the index of pairs of characters
(`incident_said`, migration 0031), which finds rare ones at once and would only slow down common ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final

from data.database import Cursor
from data.questions.context import contains
from incidents.model import Rejected

LOOKED_AT: Final = 5_000
"""So many incidents are read through for words before the index is asked."""
_GRAMS: Final = 12
"""Pairs of one word that the index is asked for; the rest of a long word is left to the comparison itself."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Order:
    """How a page is sorted. `before`: the rows after a key (%(at)s, %(id)s); `before_nulls`: where the key has no time."""

    sql: str
    column: str
    after: str
    after_null: str = "false"


ORDERS: Final = {
    "newest": Order("i.reported_at DESC, i.id DESC", "i.reported_at", "(i.reported_at, i.id) < (%(at)s, %(id)s)"),
    "due": Order(
        "i.stage_due_at NULLS LAST, i.id",
        "i.stage_due_at",
        "((i.stage_due_at, i.id) > (%(at)s, %(id)s) OR i.stage_due_at IS NULL)",
        "i.stage_due_at IS NULL AND i.id > %(id)s",
    ),
}  # fmt: skip
"""Newest first; the least time left first, what has no clock last."""


@dataclass(frozen=True, slots=True)
class Page:
    """Ids in order; how many fit (`capped`: at least so many; None: of a later page nobody asks), and the key that the
    next page begins after ('' = no more)."""

    ids: list[int]
    total: int | None
    capped: bool
    after: str


@dataclass(frozen=True, slots=True)
class Word:
    """A word, and the units and workers whose name holds it."""

    text: str
    units: tuple[str, ...]
    workers: tuple[str, ...]

    @property
    def named(self) -> bool:
        """Somebody is called so."""
        return bool(self.units or self.workers)


def grams_of(word: str) -> list[str]:
    """What every text that holds the word has in the index (`said_grams`)."""
    low = "".join(c.lower() if c.isascii() else c for c in word)
    if len(low) == 1:
        return [low]
    fours = [low[n : n + 4] for n in range(len(low) - 3) if low[n : n + 4].isascii()]
    return list(dict.fromkeys([*fours, *(low[n : n + 2] for n in range(len(low) - 1))]))[:_GRAMS]


def words_of(cursor: Cursor, text: str) -> list[Word]:
    """The words of a filter, separated by blanks."""
    found = []
    for word in dict.fromkeys(text.split()):
        pattern = contains(word)
        cursor.execute("SELECT code FROM units WHERE name ILIKE %s", (pattern,))
        units = tuple(row[0] for row in cursor.fetchall())
        cursor.execute("SELECT login FROM accounts WHERE name ILIKE %s", (pattern,))
        found.append(Word(word, units, tuple(row[0] for row in cursor.fetchall())))
    return found


def key_of(at: datetime | None, id: int) -> str:
    """The key of a row: microseconds of its time ('-' = none) and its id."""
    return f"{'-' if at is None else (at - _EPOCH) // _MICROSECOND}:{id}"


def after_key(order: Order, key: str) -> tuple[str, dict[str, Any]]:
    """The rows after a key, as SQL. Raises Rejected(field)."""
    at, _, id = key.partition(":")
    try:
        number = int(id)
        time = None if at == "-" else _EPOCH + int(at) * _MICROSECOND
        if not 0 <= number < 2**63:
            raise ValueError
    except (ValueError, OverflowError):
        raise Rejected(
            "field", f"after={key[:50]!r}: must be the `next` of a page before", field="after"
        ) from None
    return (order.after_null if time is None else order.after), {"at": time, "id": number}


def order_of(name: str) -> Order:
    """Raises Rejected(field)."""
    if name not in ORDERS:
        raise Rejected("field", f"order={name!r}: must be one of {', '.join(ORDERS)}", field="order")
    return ORDERS[name]


def page(
    cursor: Cursor, where: str, params: dict[str, Any], words: Sequence[Word], order: Order, *, after: str, limit: int,
    offset: int, most: int,
) -> Page:  # fmt: skip
    """`where`: conditions on `incidents i`, of constants; their values are in `params`. `most`: a count ends there."""
    beyond, key = after_key(order, after) if after else ("true", {})
    params = {**params, **key, "limit": offset + limit + 1, "most": most + 1, "looked": LOOKED_AT}
    if words:
        rows, total, capped = _by_words(cursor, where, beyond, params, words, order)
    else:
        cursor.execute(
            f"SELECT i.id, {order.column} FROM incidents i WHERE {where} AND {beyond} ORDER BY {order.sql} LIMIT %(limit)s",
            params,
        )
        rows = cursor.fetchall()
        total = 0 if after else _counted(cursor, where, params)
        total, capped = min(total, most), total > most
    shown, more = rows[offset : offset + limit], len(rows) > offset + limit
    return Page(
        [id for id, _ in shown], None if after else total, capped, key_of(shown[-1][1], shown[-1][0]) if more else ""
    )  # fmt: skip


def _counted(cursor: Cursor, where: str, params: dict[str, Any]) -> int:
    cursor.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM incidents i WHERE {where} LIMIT %(most)s) fit", params
    )
    row = cursor.fetchone()
    return int(row[0]) if row else 0


Rows = list[tuple[int, datetime | None]]


def _by_words(
    cursor: Cursor, where: str, beyond: str, params: dict[str, Any], words: Sequence[Word], order: Order
) -> tuple[Rows, int, bool]:
    params = dict(params)
    for n, word in enumerate(words):
        params |= {f"word{n}": contains(word.text), f"grams{n}": grams_of(word.text)}
        params |= {f"units{n}": list(word.units), f"workers{n}": list(word.workers)}
    said = " AND ".join(_either(n, word) for n, word in enumerate(words))
    cursor.execute(
        f"WITH looked AS MATERIALIZED (SELECT i.id FROM incidents i WHERE {where} AND {beyond} ORDER BY {order.sql}"
        " LIMIT %(looked)s)"
        f" SELECT i.id, {order.column}, (SELECT count(*) FROM looked) FROM looked l JOIN incidents i ON i.id = l.id"
        f" JOIN incident_said s ON s.incident_id = l.id WHERE {said} ORDER BY {order.sql}",
        params,
    )
    found = cursor.fetchall()
    looked = found[0][2] if found else LOOKED_AT
    rows = [(id, at) for id, at, _ in found]
    if looked < LOOKED_AT:
        return rows, len(rows), False  # these were all
    if len(rows) >= params["limit"]:
        return rows, len(rows), True
    cursor.execute(
        f"WITH hits AS MATERIALIZED ({_indexed(where, words, order)})"
        f" SELECT i.id, i.at, (SELECT count(*) FROM hits) FROM hits i WHERE {_renamed(beyond, order)}"
        f" ORDER BY {_renamed(order.sql, order)} LIMIT %(limit)s",
        params,
    )
    found = cursor.fetchall()
    if not found:
        return [], 0, False
    return [(id, at) for id, at, _ in found], int(found[0][2]), False


def _renamed(sql: str, order: Order) -> str:
    return sql.replace(order.column, "i.at")


def _either(n: int, word: Word) -> str:
    """A word stands in what is said of an incident, or is of the name of its unit or worker."""
    if not word.named:
        return f"s.said ILIKE %(word{n})s"
    return f"(s.said ILIKE %(word{n})s OR i.unit = ANY(%(units{n})s) OR i.worker = ANY(%(workers{n})s))"


_NAMED_WORDS: Final = 3
"""So many words may each be somebody's name and still be looked up in an index of their own."""


def _indexed(where: str, words: Sequence[Word], order: Order) -> str:
    """The same as `_either` for every word, as a union of parts that each have an index to begin from."""
    named = [n for n, word in enumerate(words) if word.named][:_NAMED_WORDS]
    parts = []
    for choice in product((False, True), repeat=len(named)):
        by_name = dict(zip(named, choice, strict=True))
        tests = []
        for n, word in enumerate(words):
            if by_name.get(n):
                tests.append(f"(i.unit = ANY(%(units{n})s) OR i.worker = ANY(%(workers{n})s))")
            elif word.named and n not in by_name:
                tests.append(_either(n, word))
            else:
                tests.append(f"said_grams(s.said) @> %(grams{n})s::text[] AND s.said ILIKE %(word{n})s")
        parts.append(
            f"SELECT i.id, {order.column} AS at FROM incidents i JOIN incident_said s ON s.incident_id = i.id"
            f" WHERE {where} AND {' AND '.join(tests)}"
        )
    return " UNION ".join(parts)
