"""The smaller kill drill of CI: half a million readings, while ingest is killed three times and the bus, the store and
the live state once each. The whole one is `bench kill-drill`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import bench_kill_drill
from tests.bench.frame import Bench
from tests.product import real_services_possible
from tests.services import not_run

pytestmark = pytest.mark.timeout(900, func_only=True)


@pytest.mark.parametrize("profile", ["embedded", "real"])
def test_nothing_is_lost_and_nothing_doubled_when_things_are_killed(profile: str, tmp_path: Path) -> None:
    reason = real_services_possible() if profile == "real" else ""
    if reason:
        not_run(f"kill drill on real services: {reason}")
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)  # the servers run under accounts of their own
    figures = bench_kill_drill.run(Bench("kill-drill", True, profile, tmp_path))
    zeros = ("lost", "doubled", "changed", "mismatches")
    assert {name: figures[name] for name in zeros} == dict.fromkeys(zeros, 0), figures
    assert figures["kills"] == 6 and figures["ledger_equals_file"], figures
    assert figures["readings"] >= 500_000
