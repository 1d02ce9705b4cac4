"""Every decoder of bytes under fuzzing, FUZZ_SECONDS each (default 1; `FUZZ_SECONDS=180 pytest tests/fuzz` for the real
thing, or `python app.py bench fuzz`). What once crashed one is kept in `crashers/` and tried first, for ever."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.engine import fuzz
from tests.fuzz.targets import NAMES, Tools, kept, seeds, targets, tools

SECONDS = float(os.environ.get("FUZZ_SECONDS", "1"))
MOST_MB = 300.0
"""Memory that a run may take at its peak."""

pytestmark = pytest.mark.timeout(60 + 2 * SECONDS, func_only=True)


@pytest.fixture(scope="module")
def made() -> Tools:
    return tools()


CRASHERS = [pytest.param(name, data, id=f"{name}-{file}") for name in NAMES for file, data in kept(name)]


@pytest.mark.parametrize(("name", "data"), CRASHERS)
def test_what_once_crashed_it_does_not_again(made: Tools, name: str, data: bytes) -> None:
    targets(made)[name](data)


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_come_back(made: Tools, name: str) -> None:
    target, found = targets(made)[name], seeds(name)
    assert found, "a decoder without a seed is hardly ever reached"
    for data in found:
        target(data)
    run = fuzz(target, found, SECONDS)
    assert run.crash is None, f"{run.error}\n{run.crash!r}\nkeep it: tests/fuzz/crashers/{name}/"
    assert run.inputs > 5 and run.grown_mb < MOST_MB, run


def test_the_engine_finds_a_crash_and_makes_it_small() -> None:
    def fragile(data: bytes) -> None:
        assert b"NaN" not in data

    run = fuzz(fragile, [b'{"z": 1}'], 20)
    assert run.crash is not None and b"NaN" in run.crash and len(run.crash) <= 30
    assert "AssertionError" in run.error
