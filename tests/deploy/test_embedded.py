"""The embedded servers: kept data, leftovers of killed runs, half-made folders, clear refusals. Real servers."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
import redis

from deploy import embedded
from deploy.account import Account
from deploy.embedded_servers import Surroundings, reachable
from deploy.place import Place
from deploy.processes import alive, free_ports, identify, put_down, wait_gone, working_in
from deploy.refusal import Refusal

ROOT = Path(__file__).resolve().parents[2]


def _fill(e: embedded.Embedded) -> None:
    with psycopg2.connect(e.dsn) as c, c.cursor() as k:
        k.execute("CREATE TABLE kept (n int); INSERT INTO kept SELECT generate_series(1, 1000)")
    redis.Redis.from_url(e.bus_url).xadd("kept", {"n": 1})
    redis.Redis.from_url(e.live_url).set("lost", 1)


def _kept(e: embedded.Embedded) -> tuple[int, int, int]:
    with psycopg2.connect(e.dsn) as c, c.cursor() as k:
        k.execute("SELECT count(*) FROM kept")
        (rows,) = k.fetchone() or (0,)
    bus, live = redis.Redis.from_url(e.bus_url), redis.Redis.from_url(e.live_url)
    return int(rows), int(bus.xlen("kept")), int(live.exists("lost"))


def test_data_of_store_and_bus_are_kept_and_the_live_state_is_not(var: Path) -> None:
    first = embedded.start(var)
    _fill(first)
    running = [who for pids in first.processes.values() for pid in pids if (who := identify(pid))]
    assert len(running) >= 3
    first.stop()
    assert not wait_gone(running, 5)
    again = embedded.start(var)
    try:
        assert (again.dsn, again.bus_url) == (first.dsn, first.bus_url)
        assert _kept(again) == (1000, 1, 0)
    finally:
        again.stop()


def test_durability_and_passwords(var: Path) -> None:
    e = embedded.start(var)
    try:
        with psycopg2.connect(e.dsn) as c, c.cursor() as k:
            k.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit'), usesuper FROM pg_user "
                      "WHERE usename = current_user")  # fmt: skip
            assert k.fetchone() == ("on", "on", False)
        bus, live = redis.Redis.from_url(e.bus_url), redis.Redis.from_url(e.live_url)
        for server, aof in ((bus, "yes"), (live, "no")):
            assert server.config_get("appendonly") == {"appendonly": aof}
            assert server.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert int(server.config_get("maxmemory")["maxmemory"]) > 0
        assert bus.config_get("appendfsync") == {"appendfsync": "always"}
        port = e.bus_url.rsplit(":", 1)[1].split("/")[0]
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=int(port)).ping()
        dsn = psycopg2.extensions.parse_dsn(e.dsn)
        for wrong in ({"password": "no"}, {"user": "postgres", "dbname": "postgres", "password": ""}):
            with pytest.raises(psycopg2.OperationalError, match="password|no password"):
                psycopg2.connect(**{**dsn, **wrong})
        assert stat.S_IMODE((var / "embedded" / "state.json").stat().st_mode) == 0o600
        secrets = Place(var / "embedded")
        for pids in e.processes.values():
            line = Path(f"/proc/{pids[0]}/cmdline").read_text()
            assert all(secrets.password(s.name) not in line for s in e.servers)
    finally:
        e.stop()


def test_kill_9_of_postgres_loses_nothing_and_it_comes_back(var: Path) -> None:
    e = embedded.start(var)
    try:
        _fill(e)
        who = identify(e.processes["postgres"][0])
        assert who is not None
        os.kill(who.pid, signal.SIGKILL)
        wait_gone([who], 5)
        e.restart("postgres")
        assert _kept(e)[:2] == (1000, 1)
    finally:
        e.stop()


def test_servers_end_with_a_killed_starter_and_the_next_start_is_clean(var: Path) -> None:
    code = (
        "import sys, os, pathlib; from deploy import embedded\n"
        "e = embedded.start(pathlib.Path(sys.argv[1]))\n"
        "print(*[p for pids in e.processes.values() for p in pids], flush=True)\n"
        "sys.stdin.read()"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(var)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    running = [who for pid in starter.stdout.readline().split() if (who := identify(int(pid)))]
    assert len(running) > 3
    with pytest.raises(Refusal, match=f"already running .process {starter.pid}"):
        embedded.hold(var)
    starter.kill()
    starter.wait()
    assert not wait_gone(running, 10)
    embedded.start(var).stop()


def test_a_server_left_behind_is_stopped_whatever_its_pid_file_says(var: Path) -> None:
    first = embedded.start(var)
    _fill(first)
    program = Path(f"/proc/{first.processes['redis-bus'][0]}/exe").readlink()
    first.stop()
    # Untied from us and with no pid file, as if its supervisor had been killed before the kernel could tell it.
    folder = var / "embedded" / "redis-live"
    orphan = subprocess.Popen(
        [program, "--port", str(free_ports(1)[0]), "--dir", str(folder)], stdout=subprocess.DEVNULL
    )
    while not working_in(folder, "redis-server"):
        assert orphan.poll() is None
    (who,) = working_in(folder, "redis-server")
    again = embedded.start(var)
    try:
        assert not alive(who)
        assert _kept(again) == (1000, 1, 0)
    finally:
        again.stop()
        orphan.kill()
        orphan.wait()


def test_a_half_made_data_folder_is_made_again(var: Path) -> None:
    embedded.start(var).stop()
    data = var / "embedded" / "postgres" / "data"
    (data / "PG_VERSION").unlink()
    (data.with_name("data.new")).mkdir()
    e = embedded.start(var)
    try:
        _fill(e)
    finally:
        e.stop()
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(Refusal, match="holds data of PostgreSQL 15; this program needs 18"):
        embedded.start(var)
    assert not working_in(var / "embedded" / "redis-bus", "redis-server")
    embedded.forget(var)
    assert not (var / "embedded").exists()


def test_a_busy_remembered_port_is_replaced(tmp_path: Path) -> None:
    place = Place(tmp_path)
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        place.root.mkdir(exist_ok=True)
        (tmp_path / "state.json").write_text(
            f'{{"ports": {{"postgres": {s.getsockname()[1]}}}, "passwords": {{}}}}'
        )
        chosen = place.usable_port("postgres")
        assert chosen != s.getsockname()[1]
    assert place.usable_port("postgres") == chosen == place.port("postgres")


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match=r"Not a directory .*/file"):
        embedded.start(tmp_path / "file" / "var")


def _as_nobody(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code with our modules as user nobody: import first, since the checkout may be out of its reach."""
    before = "import os, pwd, sys, pathlib; from deploy import embedded; from deploy.refusal import Refusal\n"
    become = "n = pwd.getpwnam('nobody'); os.setgroups([]); os.setgid(n.pw_gid); os.setuid(n.pw_uid)\n"
    return subprocess.run(
        [sys.executable, "-c", before + become + code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip


needs_root = pytest.mark.usefixtures("root")


@needs_root
def test_missing_rights_are_one_sentence(var: Path) -> None:
    (var / "embedded").mkdir(mode=0o700)
    (var / "embedded" / "lock").write_text("")
    done = _as_nobody(
        "try: embedded.start(pathlib.Path(sys.argv[1]))\nexcept Refusal as r: print(r); sys.exit(9)",
        str(var),
    )
    assert done.returncode == 9, done.stderr
    assert "no permission for" in done.stdout
    assert len(done.stdout.splitlines()) == 1


@needs_root
@pytest.mark.parametrize(("size_mb", "sentence"), [(64, "MB are needed"), (450, "the disk is full")])
def test_a_full_disk_is_one_sentence(var: Path, size_mb: int, sentence: str) -> None:
    code = (
        "import sys, pathlib; from deploy import embedded; from deploy.refusal import Refusal\n"
        "var = pathlib.Path(sys.argv[1]); embedded._NEEDED_MB = min(embedded._NEEDED_MB, 400)\n"
        "import deploy.embedded_servers as s; once = s.EmbeddedPostgres._create\n"
        "def filled(self, *a):\n"
        "    # the disk fills between the check and the first write\n"
        "    with open(var / 'ballast', 'wb') as f:\n"
        "        try:\n"
        "            while True: f.write(bytes(1 << 16)); f.flush()\n"
        "        except OSError: pass\n"
        "    return once(self, *a)\n"
        "s.EmbeddedPostgres._create = filled\n"
        "try: embedded.start(var).stop()\n"
        "except Refusal as r: print(r); sys.exit(9)"
    )
    mount = f'mount -t tmpfs -o size={size_mb}m tmpfs "$0" && chmod 755 "$0" && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, str(var), sys.executable, "-c", code, str(var)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    assert sentence in done.stdout
    assert len(done.stdout.splitlines()) == 1


@needs_root
def test_a_checkout_out_of_reach_of_the_servers_user(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    var = closed / "var"
    e = embedded.start(var)
    home = Path((var / "embedded" / "home").read_text().strip())
    try:
        _fill(e)
        assert var not in home.parents
        assert (home / "postgres").stat().st_uid != 0
    finally:
        e.stop()
    again = embedded.start(var)
    try:
        assert _kept(again)[:2] == (1000, 1)
    finally:
        again.stop()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700, "nobody opened the folder to others"
    shutil.rmtree(var)  # as a user may: what stands elsewhere belongs to nobody now
    fresh = embedded.start(var)
    try:
        with psycopg2.connect(fresh.dsn) as c, c.cursor() as k:
            k.execute("SELECT to_regclass('kept')")
            assert k.fetchone() == (None,)
    finally:
        fresh.stop()
    embedded.forget(var)
    assert not home.exists()


@needs_root
def test_programs_out_of_reach_are_copied_once(var: Path) -> None:
    import pwd

    wheels = var / "closed" / "site-packages"
    (wheels / "thing" / "bin").mkdir(parents=True)
    (var / "closed").chmod(0o700)
    program = wheels / "thing" / "bin" / "server"
    program.write_text("#!/bin/sh\necho here\n")
    program.chmod(0o700)
    (wheels / "thing.libs").mkdir(mode=0o700)  # as `umask 077` makes it
    (wheels / "thing.libs" / "lib.so").write_text("")
    parts = ["thing/bin/server", "thing.libs"]
    home = var / "home"
    home.mkdir(mode=0o711)
    entry = pwd.getpwnam("nobody")
    account = Account(entry.pw_uid, entry.pw_gid, switch=True)
    around = Surroundings(Place(var), home, var, account)
    before = os.umask(0o077)
    try:
        copied = reachable(around, wheels, parts)
    finally:
        os.umask(before)
    assert home in copied.parents
    assert account.reaches(copied)
    assert account.reaches(copied.parents[2] / "thing.libs")
    mark = home / "programs" / "thing" / "copied"
    first = mark.stat().st_mtime_ns
    assert reachable(around, wheels, parts) == copied
    assert mark.stat().st_mtime_ns == first, "not copied again"
    program.write_text("#!/bin/sh\necho another version\n")
    assert "another version" in reachable(around, wheels, parts).read_text()


def test_a_zombie_does_not_count_as_running() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    who = identify(child.pid)
    assert who is not None and alive(who)
    assert put_down(who, ((signal.SIGKILL, 5),))
    assert Path(f"/proc/{child.pid}/stat").exists(), "not reaped yet"
    assert not alive(who)
    child.wait()
