"""答复: who spoke of an incident is told what became of it, once through each channel (S10, S11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from incidents.model import Incident
from incidents.privacy import mask_people

OUTCOMES: Final = ("close", "refuse", "consult", "void")
"""Actions after which whoever spoke is answered. What was merged away is answered by the incident it went to."""

TELLERS: Final = ("message", "screen", "person")
"""How a reply reaches them: the system that sent the report gets a message and tells; who reported on a phone of ours
reads it there; who called a desk is called back by a person."""

LONGEST: Final = 1000
"""Characters of what a unit or dispatcher said that are passed on; what is cut ends in …"""


_OWN: Final = "urn:chengyun:"


def teller(source: str) -> str:
    """Who tells, by the `source` of the report (`urn:chengyun:<channel>:<account>` where it was made on a page of ours)."""
    if not source.startswith(_OWN):
        return "message"
    return "screen" if source.removeprefix(_OWN).split(":")[0] in ("grid", "patrol", "phone") else "person"


def reply_text(
    incident: Incident,
    outcome: str,
    said: str,
    unit: str,
    names: Iterable[str] = (),
    phones: Iterable[str] = (),
) -> str:
    """What they are told, in Chinese. `said`: the result, the answer, or the reason it was refused or withdrawn for; `unit`: its name.

    Nobody learns from it who else reported: see `mask_people`.
    """
    what = incident.class_name or incident.title
    asked = outcome == "consult"
    begin = f"您{'咨询' if asked else '反映'}的“{incident.title if asked else what}”（编号{incident.number}）"
    words = mask_people(said.strip(), names, phones)
    if len(words) > LONGEST:
        words = words[: LONGEST - 1] + "…"
    end = f"：{words}" if words else "。"
    told = {
        "close": f"已由{unit}处置并核查通过" if unit else "已处置并核查通过",
        "refuse": "经核实不予受理",
        "consult": "答复如下",
        "void": "已撤销",
    }[outcome]
    return begin + told + end
