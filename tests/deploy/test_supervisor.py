"""The supervisor with real servers and a stand-in for app.py (fake_app.py): start, stop, kill, restart, refuse."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.processes import Identity, descendants, free_ports, identify, wait_gone, working_in

ROOT = Path(__file__).resolve().parents[2]
FAKE = Path(__file__).with_name("fake_app.py")
NAMES = ("ingest", "relay", "web", "feed", "feed")
"""First word of each child: `feed run` and `feed simulate`."""


class Run:
    """One supervisor in a process of its own; its output line by line."""

    def __init__(self, var: Path, port: int, *options: str) -> None:
        self.var = var
        env = {k: v for k, v in os.environ.items() if not k.startswith("CHENGYUN_")}
        env |= {"CHENGYUN_VAR": str(var), "CHENGYUN_HTTP_PORT": str(port)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.supervisor", "--app", str(FAKE), *options],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []

    def until(self, pattern: str) -> str:
        """Read until a line matches; the line."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if re.search(pattern, line):
                return self.lines[-1]
        raise AssertionError(f"no line with {pattern!r} in:\n" + "\n".join(self.lines))

    def end(self, number: signal.Signals | None) -> int:
        """Send the signal (None: it ends by itself), read the rest of the output, and its exit code."""
        if number is not None:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        self.lines += self.process.stdout.read().splitlines()
        return self.process.wait(30)

    def family(self) -> list[Identity]:
        return descendants(self.process.pid)

    def until_all_begun(self, seconds: float = 30.0) -> None:
        """Until every child has noted itself: `ready` says that the page is there, not that each hears signals."""
        deadline = time.monotonic() + seconds
        while True:
            begun = {n["pid"] for n in self.notes() if n["words"][0] in NAMES and "signal" not in n}
            if len(begun & {identity.pid for identity in self.family()}) == len(NAMES):
                return
            assert time.monotonic() < deadline, f"children that noted themselves: {begun}"
            time.sleep(0.02)  # watching a file of other processes: there is no event to wait for

    def notes(self) -> list[dict[str, Any]]:
        """What the stand-ins wrote about themselves."""
        return [json.loads(line) for line in (self.var / "fake.jsonl").read_text().splitlines()]

    def pid(self, name: str) -> int:
        """Process id of the newest child of that name."""
        return int([n for n in self.notes() if n["words"][0] == name and "signal" not in n][-1]["pid"])


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    """Supervisors started by a test; none survives it."""
    started: list[Run] = []
    yield started
    for run in started:
        run.process.kill()
        run.process.wait()


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


def test_start_and_stop_in_order_leaving_nothing(var: Path, port: int, runs: list[Run]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        runs.append(run := Run(var, port))
        last = run.until("^ready ")
        assert last == f"ready http://127.0.0.1:{port}/"
        assert str(var / "accounts.txt") in run.lines[-2]
        family = run.family()
        assert len(family) >= 8
        run.until_all_begun()
        assert run.end(number) == 0
        assert not wait_gone(family, 2)
        assert "Traceback" not in "\n".join(run.lines)
    words = [n["words"][0] for n in run.notes() if "signal" not in n]
    assert words[:2] == ["migrate", "init"]
    assert sorted(words[2:7]) == sorted(NAMES)
    assert words[7:9] == ["migrate", "init"]
    assert [n["words"][0] for n in run.notes() if "signal" in n][:5] == [
        "feed",
        "feed",
        "web",
        "ingest",
        "relay",
    ]
    assert len({(n["dsn"], n["bus"]) for n in run.notes() if "dsn" in n}) == 1, (
        "same servers on the second start"
    )
    for name in (*NAMES, "feeds", "postgres", "redis-bus", "redis-live"):
        lines = (var / "log" / f"{name}.log").read_text().splitlines()
        assert lines and all(isinstance(json.loads(line), dict) for line in lines)


def test_killed_it_leaves_nothing_and_starts_again(var: Path, port: int, runs: list[Run]) -> None:
    runs.append(run := Run(var, port))
    run.until("^ready ")
    family = run.family()
    run.process.kill()
    assert not wait_gone(family, 10)
    for name, program in (("postgres/data", "postgres"), ("redis-bus", "redis-server")):
        assert not working_in(var / "embedded" / name, program)
    runs.append(again := Run(var, port))
    again.until("^ready ")
    assert again.end(signal.SIGTERM) == 0


def test_a_second_run_and_a_busy_port_are_refused(var: Path, port: int, runs: list[Run]) -> None:
    runs.append(first := Run(var / "a", port))
    first.until("^ready ")
    runs.append(second := Run(var / "a", port))
    runs.append(other := Run(var / "b", port))
    assert second.end(None) == other.end(None) == 1
    assert len(second.lines) == len(other.lines) == 1
    assert f"already running (process {first.process.pid}, http://127.0.0.1:{port}/)" in second.lines[0]
    assert f"port {port} is in use by another program" in other.lines[0]
    assert first.end(signal.SIGTERM) == 0


def test_what_dies_is_started_again(var: Path, port: int, runs: list[Run]) -> None:
    runs.append(run := Run(var, port))
    run.until("^ready ")
    run.until_all_begun()
    before = run.pid("ingest")
    os.kill(before, signal.SIGKILL)
    run.until(r"ingest ended \(SIGKILL\), starting it again in 1 s")
    (postgres,) = working_in(var / "embedded" / "postgres" / "data", "postgres")[:1]
    os.kill(postgres.pid, signal.SIGKILL)
    run.until("postgres is back")
    (new,) = working_in(var / "embedded" / "postgres" / "data", "postgres")[:1]
    assert new != postgres
    while run.pid("ingest") == before:
        assert run.process.poll() is None
    assert identify(run.pid("ingest")) is not None
    assert run.end(signal.SIGTERM) == 0


def test_a_failing_step_is_one_sentence(var: Path, port: int, runs: list[Run]) -> None:
    var.joinpath("wrong.json").write_text('{"fail": ["migrate"]}')
    runs.append(run := Run(var, port))
    assert run.end(None) == 1
    assert "migrate failed (7): it cannot be done" in run.lines[-1].replace('"', "")
    assert "Traceback" not in "\n".join(run.lines)
    assert not working_in(var / "embedded" / "postgres" / "data", "postgres")


def test_lost_first_passwords_are_not_passed_over(var: Path, port: int, runs: list[Run]) -> None:
    (var / "wrong.json").write_text(json.dumps({"no_accounts": True}))
    runs.append(run := Run(var, port))
    run.until("^ready ")
    assert f"{var / 'accounts.txt'} is not there" in run.lines[-2]
    assert run.end(signal.SIGINT) == 0


def test_a_child_that_never_gets_ready_is_one_sentence(var: Path, port: int, runs: list[Run]) -> None:
    var.joinpath("wrong.json").write_text('{"fail": ["web"]}')
    runs.append(run := Run(var, port))
    assert run.end(None) == 1
    assert "web did not get ready: " in run.lines[-1]
    assert sum("web ended (7)" in line for line in run.lines) == 3
    assert not list(working_in(var / "embedded" / "redis-bus", "redis-server"))


def test_what_it_waits_for_is_said(var: Path, port: int, runs: list[Run]) -> None:
    wrong = var / "wrong.json"
    wrong.write_text('{"links": {"store": {"ok": true}, "ingest": {"ok": false, "why": "never heard of"}}}')
    runs.append(run := Run(var, port))
    run.until(r"\| waiting for: ingest: never heard of$")
    wrong.unlink()
    run.until("^ready ")
    assert run.end(signal.SIGTERM) == 0


def test_what_a_child_started_goes_with_it(var: Path, port: int, runs: list[Run]) -> None:
    var.joinpath("wrong.json").write_text('{"grandchild": "feed"}')
    runs.append(run := Run(var, port))
    run.until("^ready ")
    while not (grand := [n["pid"] for n in run.notes() if n["words"][-1] == "grandchild"]):
        assert run.process.poll() is None
    who = identify(grand[0])
    assert who is not None
    assert run.end(signal.SIGTERM) == 0
    assert not wait_gone([who], 2)


def test_a_signal_while_starting_stops_what_was_started(var: Path, port: int, runs: list[Run]) -> None:
    runs.append(run := Run(var, port))
    run.until("redis-bus answers")
    family = run.family()
    assert run.end(signal.SIGTERM) == 0
    assert not wait_gone(family, 2)
    assert not any(line.startswith("ready") for line in run.lines)


def test_lan_serves_https_that_our_authority_signed_and_shows_a_qr_code(
    var: Path, port: int, runs: list[Run]
) -> None:
    runs.append(run := Run(var, port, "--lan"))
    last = run.until("^ready ")
    assert re.fullmatch(rf"ready https://[0-9.]+:{port}/", last)
    assert sum("█" in line for line in run.lines) > 10
    context = ssl.create_default_context(cafile=str(var / "tls" / "ca.pem"))
    for host in {"127.0.0.1", last.split("//")[1].split(":")[0]}:
        with urllib.request.urlopen(f"https://{host}:{port}/readyz", context=context, timeout=5) as answer:
            assert answer.status == 200
    authority = (var / "tls" / "ca.pem").read_bytes()
    assert run.end(signal.SIGTERM) == 0
    runs.append(again := Run(var, port, "--lan"))
    again.until("^ready ")
    assert (var / "tls" / "ca.pem").read_bytes() == authority, "phones install it once"
    assert again.end(signal.SIGTERM) == 0


def test_reset_stops_it_and_clears_everything(var: Path, port: int, runs: list[Run]) -> None:
    runs.append(run := Run(var, port))
    run.until("^ready ")
    family = run.family()
    done = subprocess.run(
        [sys.executable, "-m", "deploy.reset"],
        cwd=ROOT,
        env={**os.environ, "CHENGYUN_VAR": str(var)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert run.end(None) == 0
    assert not wait_gone(family, 2)
    assert list(var.iterdir()) == []
