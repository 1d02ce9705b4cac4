"""What a responsibility table covers."""

from __future__ import annotations

from incidents.table_coverage import coverage

EAST, WEST, STREET, OTHER = "c/e/", "c/w/", "c/e/1/", "c/e/2/"
AREAS = ("c/", EAST, WEST, STREET, OTHER, "c/e/1/deep/")


def test_everywhere_partly_nowhere() -> None:
    rows = [
        ("A", "c/", ""),
        ("B", EAST, ""),
        ("B", WEST, ""),
        ("C", STREET, ""),
        ("D", "c/", "汛期"),
        ("Z", "c/", ""),
    ]
    found = coverage(rows, ("A", "B", "C", "D", "E"), AREAS)
    assert (found.classes, found.everywhere, found.partly, found.nowhere) == (5, 2, ("C",), ("D", "E"))
    assert (found.cells, found.covered) == (15, 7), "two streets of the east, and the west, which has none"


def test_a_table_for_the_city_is_looked_at_there() -> None:
    found = coverage([("A", "c/", "")], ("A", "B"), AREAS)
    assert (found.cells, found.covered, found.nowhere) == (2, 1, ("B",))


def test_nothing_covers_nothing() -> None:
    assert coverage([], ("A",), AREAS).nowhere == ("A",)
    assert coverage([], (), ()).classes == 0
