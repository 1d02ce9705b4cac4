"""Printed pages match the code; decisions are numbered and short; links lead somewhere; nothing names this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.print_docs import DOCS, PAGES, ROOT

MARKDOWN = sorted([*DOCS.rglob("*.md"), *ROOT.glob("README*.md"), *ROOT.glob("deploy/**/*.md")])
PAGE_LIMIT = {"0007-phone-is-a-light-page.md": 40, "0015-rollups.md": 60}
"""Decisions that may be longer than 25 lines, by name: 0007 describes a program of its own, 0013 carries a measurement."""


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_printed_page_matches_the_code(name: str) -> None:
    path = DOCS / name
    assert path.exists(), f"run: python -m tests.docs.print_docs (docs/{name} is missing)"
    assert path.read_text(encoding="utf-8") == PAGES[name](), "run: python -m tests.docs.print_docs"


def test_decisions_are_numbered_without_gaps() -> None:
    found = sorted(p.name for p in (DOCS / "adr").glob("*.md"))
    assert [name[:4] for name in found] == [f"{n:04d}" for n in range(1, len(found) + 1)]
    for name in found:
        lines = (DOCS / "adr" / name).read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith(f"# {name[:4]} "), name
        assert len(lines) <= PAGE_LIMIT.get(name, 25), f"{name}: {len(lines)} lines"
        assert any(line.startswith("**Decision.**") for line in lines), name


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name} → {target}"


def test_every_page_of_docs_is_reachable_by_name() -> None:
    """The directory page's table of folders is that of the repository."""
    text = (DOCS / "directory.md").read_text(encoding="utf-8")
    for folder in ("gis", "incidents", "streams", "data", "layouts", "callbacks", "deploy", "tests", "docs"):
        assert f"| `{folder}/` |" in text and (ROOT / folder).is_dir()
