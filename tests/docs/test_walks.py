"""The two walks and the directory page, held to the code: what they name exists, in the order they name it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from incidents.service import HANDLERS
from streams.flush import STEPS
from tests.docs.print_docs import DOCS, ROOT

PAGES = ("walk-a-reading.md", "walk-b-grid-event.md", "directory.md")
PACKAGES = ("incidents", "gis", "streams", "data", "callbacks", "layouts", "deploy")
_PATH = re.compile(r"^(?:[\w.-]+/)+[\w.*-]*$|^\w+\.(?:py|md)$|^\.[a-z]+$")
_NAME = re.compile(r"^_?[A-Za-z]\w*(?:\.\w+)?$")
NOT_NAMES = frozenset({
    "psycopg2", "redis", "kafka", "dash", "streams", "data", "layouts", "app", "settings", "intake", "may",
    "partition_positions",
})  # fmt: skip
"""Single words in backquotes that are packages, tables or explained beside: they are looked for elsewhere."""


@cache
def names() -> frozenset[str]:
    """Every module-level name of the product, and every `Class.member`."""
    found: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                found |= _names_of(node)
    return frozenset(found)


def _names_of(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.ClassDef):
        members = {m.name for m in node.body if isinstance(m, ast.FunctionDef)}
        fields = {
            m.target.id for m in node.body if isinstance(m, ast.AnnAssign) and isinstance(m.target, ast.Name)
        }
        return {node.name, *(f"{node.name}.{m}" for m in members | fields)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    if isinstance(node, ast.Assign):
        return {t.id for t in node.targets if isinstance(t, ast.Name)}
    return set()


def spans(page: str) -> list[str]:
    """What a page has in backquotes."""
    return re.findall(r"`([^`\n]+)`", (DOCS / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_every_path_and_name_exists(page: str) -> None:
    checked = 0
    for span in spans(page):
        if _PATH.match(span):
            assert list(ROOT.glob(span.rstrip("/"))) or (DOCS / span).exists(), f"{page}: no {span}"
            checked += 1
        elif _NAME.match(span) and span not in NOT_NAMES and not span.endswith("_"):
            assert span in names(), f"{page}: nothing is called {span}"
            checked += 1
    assert checked > 10


@pytest.mark.parametrize("page", PAGES[:2])
def test_a_name_stands_in_the_module_beside_it(page: str) -> None:
    """`name` in `module.py`: that very module defines it."""
    text = (DOCS / page).read_text(encoding="utf-8").replace("\n", " ")
    pairs = re.findall(r"`(\w+)(?:\.\w+)?` +(?:in +|\()`((?:\w+/)+\w+\.py)`", text)
    assert len(pairs) > 5
    for name, module in pairs:
        source = ast.parse((ROOT / module).read_text(encoding="utf-8"))
        assert any(name in _names_of(node) for node in source.body), f"{page}: {name} is not in {module}"


def test_walk_a_names_the_steps_in_order() -> None:
    text = (DOCS / "walk-a-reading.md").read_text(encoding="utf-8")
    told = re.findall(r"^   \d+\. `(\w+_step)`", text, flags=re.MULTILINE)
    assert told == [step.__name__ for step in STEPS]
    numbered = re.findall(
        r"^ ?(\d)\. (\w+)", Path(ROOT / "streams/flush.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [word for _, word in numbered] == [
        "decode", "validate", "locate", "detect", "store", "triage", "live", "commit",
    ]  # fmt: skip


def test_walk_b_names_the_handlers_in_order() -> None:
    text = (DOCS / "walk-b-grid-event.md").read_text(encoding="utf-8")
    told = re.findall(r"^   \d+\. `(\w+)` → `(\w+)`", text, flags=re.MULTILINE)
    real = [(kind.__name__, handler.__name__) for kind, handler in HANDLERS.items()]
    assert told == [pair for pair in real if pair[1] != "_administer"]
