"""The frame of every bench: progress on stderr, one JSON object as the last line of stdout, exit 0 whatever the
figures. `{"bench", "profile", "figures": {name: value}, "goals": {name: value}, "machine", "commit"}`.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.product import ROOT, real_services_possible

BENCHES: tuple[str, ...] = (
    "start",
    "spine",
    "replays",
    "drills",
    "ingest",
    "kill-drill",
    "flood",
    "registry-scale",
    "vectors",
    "rollup",
    "queries",
    "gateway",
    "fuzz",
    "clocks",
    "lifecycle",
    "merging",
    "routing",
    "text",
    "evaluation",
    "incidents",
    "addresses",
    "fanout",
    "soak",
    "phone",
    "map",
    "marks",
)

Figures = dict[str, Any]


@dataclass(slots=True)
class Bench:
    """One run: its options, its folder, its voice."""

    name: str
    quick: bool
    profile: str
    folder: Path
    data: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Progress, on stderr."""
        print(f"[{time.monotonic() - self.began:7.1f} s] {self.name}: {text}", file=sys.stderr, flush=True)


def machine() -> str:
    """What this ran on: cores, memory, processor, Python."""
    memory = ""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal"):
            memory = f"{int(line.split()[1]) / 1048576:.0f} GiB"
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.machine(),
    )  # fmt: skip
    return f"{os.cpu_count()} cores {model}, {memory}, Linux {platform.release()}, Python {platform.python_version()}"


def commit() -> str:
    """The commit this ran on; '+' when the tree (but for results of earlier benches) differs from it."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!tests/bench/results"],
            cwd=ROOT, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if dirty else "")


def module_of(name: str) -> ModuleType:
    """The module of a bench."""
    return importlib.import_module(f"tests.bench.bench_{name.replace('-', '_')}")


def choose_profile(wanted: str) -> str:
    """`real` where `deploy.bare` can start services, else `embedded`."""
    if wanted != "auto":
        return wanted
    return "embedded" if real_services_possible() else "real"


def main(name: str, *, quick: bool, data: str, profile: str, out: str) -> int:
    """Run one bench and print its result."""
    if name not in BENCHES:
        print(f"bench={name!r}: must be one of {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    module = module_of(name)
    run: Callable[[Bench], Figures] = module.run
    chosen = choose_profile(profile)
    with tempfile.TemporaryDirectory(prefix=f"chengyun-bench-{name}-") as folder:
        os.chmod(folder, 0o755)
        bench = Bench(name, quick, chosen, Path(folder), Path(data) if data else None)
        figures = run(bench)
    result = {
        "bench": name,
        "profile": chosen,
        "quick": quick,
        "figures": figures,
        "goals": module.GOALS,
        "machine": machine(),
        "commit": commit(),
        "seconds": round(time.monotonic() - bench.began, 1),
    }
    if out:
        path = Path(out)
        path.mkdir(parents=True, exist_ok=True)
        target = path / f"{name}-{chosen}{'-quick' if quick else ''}.json"
        target.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(result, ensure_ascii=False), flush=True)
    return 0
