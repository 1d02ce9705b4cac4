"""Bring to the machine what the services need: Debian packages, Kafka's jars, a TimescaleDB root file system."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.refusal import Refusal

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
# Debian's own build of TimescaleDB: the Apache edition (no continuous aggregates, compression or policies).
SUITE = "trixie"
PACKAGES = ("postgresql-17", "postgresql-17-timescaledb")
Say = Callable[[str], None]


def _silent(_: str) -> None:
    """For callers that come after the installation."""


def cache_folder() -> Path:
    """Where downloads are kept between runs and checkouts; BARE_CACHE names another folder."""
    return Path(os.environ.get("BARE_CACHE") or "/var/cache/chengyun-bare")


def apt(programs: dict[str, str], say: Say) -> None:
    """Install the Debian package of every program that is missing: {program: package}."""
    wanted = sorted({package for program, package in programs.items() if not find_program(program)})
    if not wanted:
        return
    _need_root()
    if not shutil.which("apt-get"):
        raise Refusal(
            f"缺少 {' '.join(wanted)}，且本机没有 apt-get",
            f"missing {' '.join(wanted)}, and there is no apt-get here",
        )
    say(f"apt-get install {' '.join(wanted)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "-q", "update"], env=env)
    _run(["apt-get", "-q", "-y", "install", "--no-install-recommends", *wanted], env=env)


def find_program(name: str) -> str:
    """Path of a program, looking in the administrator's folders too; empty when missing."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin") or ""


def java() -> str:
    """A Java that runs Kafka 4 (17 or later)."""
    home = os.environ.get("JAVA_HOME")
    path = str(Path(home) / "bin" / "java") if home else find_program("java")
    text = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', text)
    if match is None or int(match.group(1)) < 17:
        raise Refusal(f"Kafka 需要 Java 17 或更高版本：{path}", f"Kafka needs Java 17 or later: {path}")
    return path


def kafka_jars(say: Say = _silent) -> Path:
    """Folder of the jars that pom.xml pins, fetched by Maven once per version of pom.xml."""
    mark = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    target = cache_folder() / f"kafka-{mark}"
    with _locked(target):
        if not target.exists():
            say("Maven: Kafka")
            fresh = _emptied(target)
            _run(
                [find_program("mvn"), "-q", "-B", "-f", str(POM), "dependency:copy-dependencies",
                 f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"]
            )  # fmt: skip
            fresh.rename(target)
    return target


def timescale_root(say: Say = _silent) -> Path:
    """A root file system with PostgreSQL 17 and TimescaleDB, made by debootstrap once."""
    target = cache_folder() / f"{SUITE}-timescaledb"
    with _locked(target):
        if not target.exists():
            _need_root()
            say(f"debootstrap {SUITE}: {' '.join(PACKAGES)}")
            fresh = _emptied(target)
            _run(
                [find_program("debootstrap"), "--variant=minbase", f"--include={','.join(PACKAGES)}",
                 SUITE, str(fresh), *_mirror()]
            )  # fmt: skip
            fresh.rename(target)
    return target


def _mirror() -> list[str]:
    """The mirror that this machine's apt already uses, so that a closed network needs no second setting."""
    if not find_program("apt-get"):
        return []
    found = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    return [u for u in found if "security" not in u and "backports" not in u][:1]


def _need_root() -> None:
    if os.geteuid() != 0:
        raise Refusal("安装服务需要 root 权限", "installing the services needs root")


def _run(command: list[str], env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        check=False,
    )
    if done.returncode != 0:
        tail = done.stdout.decode(errors="replace").strip().splitlines()[-15:]
        raise Refusal(
            f"命令失败（{done.returncode}）：{' '.join(command)}",
            f"failed ({done.returncode}):\n" + "\n".join(tail),
        )


def _emptied(target: Path) -> Path:
    """An empty folder beside `target`; renamed onto it only when complete, so a broken download never counts."""
    fresh = target.with_name(target.name + ".part")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(parents=True)
    return fresh


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_name(target.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
