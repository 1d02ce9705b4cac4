"""Every decoder of bytes: 1,000,000 inputs or 3 minutes each (quick: 15 s). A crash is written into the report."""

from __future__ import annotations

from tests.bench.frame import Bench, Figures
from tests.fuzz.engine import fuzz
from tests.fuzz.targets import NAMES, kept, seeds, targets, tools

GOALS = {"crashes": 0}


def run(bench: Bench) -> Figures:
    """Inputs, seconds and memory per decoder."""
    made = tools()
    seconds = 15.0 if bench.quick else 180.0
    figures: Figures = {"inputs": 0, "crashes": 0, "crashers_kept": sum(len(kept(n)) for n in NAMES)}
    for name in NAMES:
        target = targets(made)[name]
        for _, data in kept(name):
            target(data)
        done = fuzz(target, seeds(name), seconds)
        bench.say(
            f"{name}: {done.inputs:,} inputs in {done.seconds:.0f} s, {done.grown_mb:.0f} MB; {done.error or 'no crash'}"
        )
        figures[name] = {
            "inputs": done.inputs, "seconds": round(done.seconds, 1), "grown_mb": round(done.grown_mb, 1),
            "crash": None if done.crash is None else f"{done.error}: {done.crash[:500]!r}",
        }  # fmt: skip
        figures["inputs"] += done.inputs
        figures["crashes"] += done.crash is not None
    return figures
