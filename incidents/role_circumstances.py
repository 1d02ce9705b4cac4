"""The circumstances that may decide between the roles of a standard, as chains of contexts for counting."""

from __future__ import annotations

from dataclasses import dataclass

from incidents.final_units import Context


@dataclass(frozen=True, slots=True)
class Told:
    """What of an incident may decide between roles."""

    class_code: str
    condition: str
    street: str
    road: str
    owner_kind: str

    def circumstances(self, owner: str) -> list[list[Context]]:
        """What is usual, then what road and owner make of it; each chain from the general to the special."""
        chains = [self._chain()]
        if self.road:
            chains.append(self._chain(("road", self.road)))
        return [*chains, self._chain(("owned", self.owner_kind), ("owner", owner))]

    def places(self) -> tuple[list[Context], list[Context]]:
        """The standard, and the standard in the district and the street."""
        base, key = self._chain(), (self.class_code, self.condition)
        return base, [
            *base,
            ("in", self.street[: self.street.rstrip("/").rfind("/") + 1], *key),
            ("in", self.street, *key),
        ]

    def _chain(self, *circumstances: tuple[str, str]) -> list[Context]:
        of_class: list[Context] = [("class", self.class_code)]
        of_class += [(*circumstance, self.class_code) for circumstance in circumstances]
        if not self.condition:
            return of_class
        key = (self.class_code, self.condition)
        return [*of_class, ("standard", *key), *((*circumstance, *key) for circumstance in circumstances)]

    def deviations(self) -> list[list[Context]]:
        """Where a class leaves the role that is expected: in all, in this street, on such roads, with such owners."""
        general: list[Context] = [("deviates", self.class_code)]
        street: list[Context] = [*general, ("deviates", self.class_code, self.street)]
        return [
            general,
            street,
            [*street, ("deviates", self.class_code, self.street, "road", self.road)],
            [*street, ("deviates", self.class_code, self.street, "owner", self.owner_kind)],
        ]
