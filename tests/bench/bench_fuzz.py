"""Every decoder of bytes: 1,000,000 inputs or 3 minutes each (quick: 15 s). A crash is written into the report.

Each decoder runs in a process of its own, one for every core at a time, so that its memory is its own too.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.bench.frame import Bench, Figures
from tests.fuzz.engine import Run, fuzz
from tests.fuzz.targets import NAMES, kept, seeds, targets, tools

GOALS = {"crashes": 0}


def run(bench: Bench) -> Figures:
    """Inputs, seconds and memory per decoder."""
    seconds = 15.0 if bench.quick else 180.0
    runs: dict[str, Run] = {}
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
        waited = {pool.submit(fuzzed, name, seconds): name for name in NAMES}
        for one in as_completed(waited):
            name, done = waited[one], one.result()
            runs[name] = done
            bench.say(
                f"{name}: {done.inputs:,} inputs in {done.seconds:.0f} s, {done.grown_mb:.0f} MB; {done.error or 'no crash'}"
            )
    figures: Figures = {
        "inputs": sum(done.inputs for done in runs.values()),
        "crashes": sum(done.crash is not None for done in runs.values()),
        "crashers_kept": sum(len(kept(name)) for name in NAMES),
    }
    for name in NAMES:
        done = runs[name]
        figures[name] = {
            "inputs": done.inputs, "seconds": round(done.seconds, 1), "grown_mb": round(done.grown_mb, 1),
            "crash": None if done.crash is None else f"{done.error}: {done.crash[:500]!r}",
        }  # fmt: skip
    return figures


def fuzzed(name: str, seconds: float) -> Run:
    """One decoder, in this process: its crashers of before, then what Hypothesis makes of its seeds."""
    target = targets(tools())[name]
    for _, data in kept(name):
        target(data)
    return fuzz(target, seeds(name), seconds)
