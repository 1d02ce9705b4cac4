"""The sample city's rule sheet as its published catalogue: standards of the classes that people report (S12)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final

from data.catalogue_import import minutes_of
from data.database import Cursor, many
from data.sample_city import read_city
from incidents.catalogue import names_in
from incidents.limits import YUNCHENG, Limit, parse_limit

NAME: Final = "样例城市事项目录"
FILENAME: Final = "standards.csv"
BY: Final = "init"


class BadStandard(ValueError):
    """A row that cannot be taken; the text names it."""


def load_standards(cursor: Cursor, now: datetime) -> None:
    """A catalogue that is published from the beginning. Raises BadStandard."""
    cursor.execute(
        "INSERT INTO catalogues (name, filename, bare_day, bare_hour, imported_at, imported_by, published_at,"
        " published_by) VALUES (%s, %s, 'work_day', 'work_hour', %s, %s, %s, %s) RETURNING id",
        (NAME, FILENAME, now, BY, now, BY),
    )
    (catalogue,) = cursor.fetchone() or (0,)
    cursor.execute("SELECT code, kind, big_class, name FROM event_classes")
    classes = {code: rest for code, *rest in cursor.fetchall()}
    many(
        cursor,
        "INSERT INTO standards (catalogue, code, row, kind, big_class, small_class, class_code, condition, units,"
        " departments, limit_text, limit_min, clock_kind, evidence, closing) VALUES %s",
        _rows(catalogue, classes),
    )


def _rows(catalogue: int, classes: dict[str, list[str]]) -> list[tuple[Any, ...]]:
    numbers: Counter[str] = Counter()
    out = []
    for row, r in enumerate(read_city.read_standards(), start=2):
        code, limit = r["class_code"], parse_limit(r["limit"], YUNCHENG)
        if code not in classes or not isinstance(limit, Limit):
            raise BadStandard(f"standards.csv row {row}: class {code!r} or limit {r['limit']!r} is not known")
        numbers[code] += 1
        out.append(
            (
                catalogue, f"{code}-{numbers[code]}", row, *classes[code], code, r["condition"],
                list(names_in(r["units"])), [], r["limit"], minutes_of(limit), str(limit.kind), r["evidence"],
                r["closing"],
            )
        )  # fmt: skip
    return out
