"""The product's modules as text and syntax trees, for the house rules."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("gis", "incidents", "streams", "data", "layouts", "callbacks", "deploy")


def modules(*packages: str) -> list[Path]:
    """Python files of these packages (default: all of the product), `app.py` and `settings.py` with them."""
    found = [path for package in packages or PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return found if packages else [*found, ROOT / "app.py", ROOT / "settings.py"]


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name(path: Path) -> str:
    """`data/live.py` for a path."""
    return path.relative_to(ROOT).as_posix()


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute, '' of anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


@cache
def tracked() -> tuple[Path, ...]:
    """Files under version control that exist."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return tuple(p for part in listed.split(b"\0") if part and (p := ROOT / part.decode()).is_file())
