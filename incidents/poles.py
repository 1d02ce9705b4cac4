"""What a smart lamp pole is put together from: parts that each do one of its eight functions (SYSTEMS S32)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from incidents.device_registry import ID, LONGEST_TEXT, POLE_FUNCTIONS, Fault
from incidents.gb28181 import is_code

MOST_PARTS: Final = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a pole: what it does, and the device or camera that does it."""

    function: str
    thing: str

    @property
    def is_camera(self) -> bool:
        """A camera has 20 digits (GB/T 28181); a device is whatever else."""
        return is_code(self.thing)


def parts_of(members: Sequence[str]) -> tuple[list[Part], list[Fault]]:
    """The parts said as "function=ID", each once, and what is wrong with the others."""
    parts: dict[Part, None] = {}
    faults: list[Fault] = []
    for text in members:
        function, mark, thing = (word.strip() for word in text.partition("="))
        if function not in POLE_FUNCTIONS or not mark or ID.fullmatch(thing) is None:
            faults.append(Fault("members", text[:LONGEST_TEXT], "member"))
        else:
            parts[Part(function, thing)] = None
    return list(parts), faults


def read_pole(id: str, name: str, members: Sequence[str]) -> tuple[list[Part], list[Fault]]:
    """The parts of a pole, and everything that is wrong with it as it is given, but for parts that nobody has registered."""
    found = []
    if ID.fullmatch(id) is None:
        found.append(Fault("id", id[:LONGEST_TEXT], "id"))
    if not 0 < len(name.strip()) <= LONGEST_TEXT or "\x00" in name:
        found.append(Fault("name", name[:LONGEST_TEXT], "name"))
    if not 0 < len(members) <= MOST_PARTS:
        found.append(Fault("members", f"{len(members)} parts", "members"))
    parts, faults = parts_of(members)
    found += faults
    things = [part.thing for part in parts]
    found += [Fault("members", thing, "once") for thing in dict.fromkeys(things) if things.count(thing) > 1]
    if parts and not any(part.function == "lighting" and not part.is_camera for part in parts):
        found.append(Fault("members", ", ".join(members)[:LONGEST_TEXT], "lamp"))
    return parts, found
