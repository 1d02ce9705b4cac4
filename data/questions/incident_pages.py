"""One page of incidents: those that fit a filter, in an order, from where the last page ended.

Built for a million of them. A page goes on from a key instead of an offset; a count stops where nobody reads on; words
are looked for in the newest incidents first, and only words that are rare there in the index of pairs of characters
(`incident_said`, migration 0030), which finds rare ones at once and would only slow down common ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final

from data.database import Cursor
from data.questions.context import contains
from incidents.model import Rejected

LOOKED_AT: Final = 3_200
"""So many incidents are read through for words, an eighth of them first, before the index is asked."""
_GRAMS: Final = 12
"""Pairs of one word that the index is asked for; the rest of a long word is left to the comparison itself."""
MOST_OFFSET: Final = 10_000
"""Rows that a page may skip by number: every one of them is read and thrown away. Who reads further goes on from a key."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


COUNTED: Final = 1_001
"""So many incidents with rare words are counted."""


def _microseconds(at: datetime | None) -> int:
    return 0 if at is None else (at - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Order:
    """How a page is sorted, in SQL and of (id, time). `after`: the rows after a key (%(at)s, %(id)s); `after_null`: after
    one without a time."""

    sql: str
    column: str
    key: Callable[[tuple[int, datetime | None]], Any]
    after: str
    after_null: str = "false"


ORDERS: Final = {
    "newest": Order(
        "i.reported_at DESC, i.id DESC",
        "i.reported_at",
        lambda row: (-_microseconds(row[1]), -row[0]),
        "(i.reported_at, i.id) < (%(at)s, %(id)s)",
    ),
    "due": Order(
        "i.stage_due_at NULLS LAST, i.id",
        "i.stage_due_at",
        lambda row: (row[1] is None, _microseconds(row[1]), row[0]),
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


def grams_of(word: str) -> list[str]:
    """What every text that holds the word has in the index (`said_grams`)."""
    low = "".join(c.lower() if c.isascii() else c for c in word)
    if len(low) == 1:
        return [low]
    fours = [low[n : n + 4] for n in range(len(low) - 3) if low[n : n + 4].isascii()]
    return list(dict.fromkeys([*fours, *(low[n : n + 2] for n in range(len(low) - 1))]))[:_GRAMS]


MOST_WORDS: Final = 8
"""Of a filter; what is said beyond them does not narrow it further."""


def words_of(cursor: Cursor, text: str) -> list[Word]:
    """The words of a filter, separated by blanks."""
    found = []
    for word in list(dict.fromkeys(text.split()))[:MOST_WORDS]:
        pattern = contains(word)
        cursor.execute("SELECT code FROM units WHERE name ILIKE %s", (pattern,))
        units = tuple(row[0] for row in cursor.fetchall())
        cursor.execute("SELECT login FROM accounts WHERE name ILIKE %s", (pattern,))
        found.append(Word(word, units, tuple(row[0] for row in cursor.fetchall())))
    return found


def key_of(at: datetime | None, id: int) -> str:
    """The key of a row: microseconds of its time ('-' = none) and its id."""
    return f"{'-' if at is None else _microseconds(at)}:{id}"


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
    offset: int, most: int, opened: bool = False,
) -> Page:  # fmt: skip
    """`where`: conditions on `incidents i`, of constants; their values are in `params`. `most`: a count ends there. `opened`:
    only open ones fit. Raises Rejected(field)."""
    if not 0 <= offset <= MOST_OFFSET:
        rule = f"must be 0 to {MOST_OFFSET}; further pages begin with after= the `next` of the page before"
        raise Rejected("field", f"offset={offset}: {rule}", field="offset")
    beyond, key = after_key(order, after) if after else ("true", {})
    params = {**params, **key, "limit": offset + limit + 1, "most": most + 1}
    if words:
        rows, total, capped = _by_words(cursor, where, beyond, params, words, order, opened)
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
    cursor: Cursor,
    where: str,
    beyond: str,
    params: dict[str, Any],
    words: Sequence[Word],
    order: Order,
    opened: bool,
) -> tuple[Rows, int, bool]:
    params = dict(params)
    for n, word in enumerate(words):
        params |= {f"word{n}": contains(word.text), f"grams{n}": grams_of(word.text)}
        for column, names in (("unit", word.units), ("worker", word.workers)):
            params |= {
                f"{column}{n}": list(names),
                **{f"{column}{n}_{k}": name for k, name in enumerate(names[:_EACH], 1)},
            }
    table = "incident_said_open" if opened else "incident_said"
    for most in (LOOKED_AT // 8, LOOKED_AT):
        rows, looked = _read_through(cursor, table, where, beyond, {**params, "looked": most}, words, order)
        if looked < most:
            return rows, len(rows), False  # these were all
        if len(rows) >= params["limit"]:
            return rows, len(rows), True
    most = max(COUNTED, params["limit"])
    rare = _rare(cursor, table, params, words)
    branches = [
        f"({_branch(table, where, beyond, choice, order, rare)})"
        for choice in product(*(_ways(n, word, words) for n, word in enumerate(words)))
    ]
    cursor.execute(f"{' UNION ALL '.join(branches)}", {**params, "branch": most})
    found = cursor.fetchall()
    rows = sorted(set(found), key=order.key)
    return rows[: params["limit"]], len(rows), len(found) >= (most if rare else params["limit"])


def _read_through(
    cursor: Cursor,
    table: str,
    where: str,
    beyond: str,
    params: dict[str, Any],
    words: Sequence[Word],
    order: Order,
) -> tuple[Rows, int]:
    """What holds the words among the first %(looked)s, in order; and how many were looked at."""
    said = " AND ".join(_either(n, word) for n, word in enumerate(words))
    cursor.execute(
        f"WITH looked AS MATERIALIZED (SELECT i.id, i.unit, i.worker, {order.column} AS at FROM incidents i"
        f" WHERE {where} AND {beyond} ORDER BY {order.sql} LIMIT %(looked)s)"
        " SELECT i.id, i.at, 0 FROM looked i"
        # One look-up each (OFFSET 0 keeps it so): reading all that is said would take longer the more there is.
        f" CROSS JOIN LATERAL (SELECT said FROM {table} WHERE incident_id = i.id OFFSET 0) s"
        f" WHERE {said} UNION ALL SELECT NULL, NULL, count(*) FROM looked",
        params,
    )
    rows, looked = [], 0
    for id, at, count in cursor.fetchall():
        if id is None:
            looked = int(count)
        else:
            rows.append((id, at))
    return sorted(rows, key=order.key), looked


FEW: Final = 3_000
"""A word in no more incidents than this is begun from even where a unit or a worker is named beside it."""


def _rare(cursor: Cursor, table: str, params: dict[str, Any], words: Sequence[Word]) -> bool:
    """Nobody is named, or one of the other words is in few incidents."""
    others = [n for n, word in enumerate(words) if not (word.units or word.workers)]
    if len(others) == len(words):
        return True
    for n in others:
        cursor.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {table} s WHERE said_grams(s.said) @> %(grams{n})s::text[] LIMIT %(few)s) f",
            {**params, "few": FEW + 1},
        )
        row = cursor.fetchone()
        if row and row[0] <= FEW:
            return True
    return False


def _either(n: int, word: Word) -> str:
    """A word stands in what is said of an incident, or is of the name of its unit or worker."""
    ways = [f"s.said ILIKE %(word{n})s"]
    ways += [f"i.unit = ANY(%(unit{n})s)"] * bool(word.units) + [f"i.worker = ANY(%(worker{n})s)"] * bool(
        word.workers
    )
    return f"({' OR '.join(ways)})"


_NAMED_WORDS: Final = 2
"""So many words may each be somebody's name and still be looked up in an index of their own."""


def _ways(n: int, word: Word, words: Sequence[Word]) -> list[str]:
    """The same as `_either`, as ways of which each has an index to begin from."""
    said = f"said_grams(s.said) @> %(grams{n})s::text[] AND s.said ILIKE %(word{n})s"
    if sum(bool(w.units or w.workers) for w in words[:n]) >= _NAMED_WORDS:
        return [_either(n, word)]
    return [
        said,
        *_held("unit", n, word.units),
        *_held("worker", n, word.workers),
    ]


_EACH: Final = 4
"""So many units or workers of one name are asked for one by one: each has its incidents in order in an index."""


def _held(column: str, n: int, names: Sequence[str]) -> list[str]:
    if len(names) > _EACH:
        return [f"i.{column} = ANY(%({column}{n})s)"]
    return [f"i.{column} = %({column}{n}_{k})s" for k in range(1, len(names) + 1)]


def _branch(table: str, where: str, beyond: str, choice: Sequence[str], order: Order, rare: bool) -> str:
    said = " AND ".join(test for test in choice if "said_grams" in test)
    by_name = any(test.startswith("i.") for test in choice)
    if said and by_name and not rare:
        return (
            f"SELECT i.id, {order.column} FROM incidents i CROSS JOIN LATERAL"
            f" (SELECT said FROM {table} WHERE incident_id = i.id OFFSET 0) s WHERE {where} AND {beyond}"
            f" AND {' AND '.join(_told(test) for test in choice)} ORDER BY {order.sql} LIMIT %(limit)s"
        )
    if not said:
        joined = (
            f" JOIN {table} s ON s.incident_id = i.id" if any("s.said" in test for test in choice) else ""
        )
        return (
            f"SELECT i.id, {order.column} FROM incidents i{joined} WHERE {where} AND {beyond} AND {' AND '.join(choice)}"
            f" ORDER BY {order.sql} LIMIT %(branch)s"
        )
    # The index of words first, whatever the planner thinks that it gives; newest first, they are followed no further
    # than the page needs (OFFSET 0 keeps it so).
    tests = " AND ".join([where, beyond, *(test for test in choice if "said_grams" not in test)])
    newest = order is ORDERS["newest"]
    return (
        f"SELECT i.id, i.at FROM (SELECT s.incident_id, s.reported_at, s.said FROM {table} s WHERE {said}"
        " ORDER BY s.reported_at DESC, s.incident_id DESC OFFSET 0) s CROSS JOIN LATERAL"
        f" (SELECT i.id, {order.column} AS at FROM incidents i WHERE i.id = s.incident_id AND {tests} OFFSET 0) i"
        f" ORDER BY {'s.reported_at DESC, s.incident_id DESC' if newest else _renamed(order)} LIMIT %(branch)s"
    )


def _told(test: str) -> str:
    """A way that begins from the index of words, without it."""
    return test.partition("::text[] AND ")[2] or test


def _renamed(order: Order) -> str:
    return order.sql.replace(order.column, "i.at")
