"""Commands and queries of the event-class catalogue. See `incidents/commands.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class ImportCatalogue:
    """Read a city's rule sheet (CSV, TSV, XLSX, as base64). `bare_day`, `bare_hour`: what a bare 天 and 小时 mean there;
    such limits are marked assumed. Without `confirm` nothing is stored: the answer says what was understood."""

    content: str = field(metadata={"longest": 12_000_000})
    filename: str = ""
    name: str = ""
    bare_day: str = "work_day"
    bare_hour: str = "work_hour"
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class DecideLimit:
    """A person reads a limit that was not understood, or corrects one, before the catalogue is published; with why."""

    catalogue: int
    code: str
    amount: float
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class SaveStandard:
    """A person changes a standard of a catalogue that is not published yet; with why. `units`: possible units, in order."""

    catalogue: int
    code: str
    condition: str
    units: list[str]
    amount: float
    kind: str
    evidence: str
    closing: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReviseCatalogue:
    """A new catalogue with the standards of one that is published, to be changed and published in its turn."""

    catalogue: int
    name: str


@dataclass(frozen=True, slots=True)
class PublishCatalogue:
    """Its classes become the newest versions. Refused while a limit waits for a person."""

    catalogue: int


@dataclass(frozen=True, slots=True)
class FilingStandards:
    """The filing standards of a class in the city's published catalogue, in its order: condition, possible units, limit and
    its clock, what closes it, and whether the result needs a photo. None where the city has no catalogue of the class."""

    class_code: str


COMMANDS: Final[dict[str, type]] = {
    "import_catalogue": ImportCatalogue,
    "decide_limit": DecideLimit,
    "save_standard": SaveStandard,
    "revise_catalogue": ReviseCatalogue,
    "publish_catalogue": PublishCatalogue,
}


@dataclass(frozen=True, slots=True)
class Catalogues:
    """Rule sheets of the city, the newest first: who brought them, how many standards, how many wait for a person."""


ONLY: Final = ("", "odd", "assumed", "decided")
"""All standards, those whose limit waits for a person, those whose kind of clock the profile told, those a person changed."""


@dataclass(frozen=True, slots=True)
class Standards:
    """Standards of a catalogue. `text`: in class, condition, units or code; `only`: one of ONLY."""

    catalogue: int
    text: str = ""
    only: str = ""
    limit: int = 1000


QUERIES: Final[dict[str, type]] = {
    "catalogues": Catalogues,
    "standards": Standards,
    "filing_standards": FilingStandards,
}
ACTION_OF: Final[dict[str, str]] = {
    **dict.fromkeys(COMMANDS, "catalogue.manage"),
    **dict.fromkeys(QUERIES, "catalogue.see"),
}
"""Command or query → right, see incidents/access.py."""
