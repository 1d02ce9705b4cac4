"""`make install` in a scratch project with an empty lock file: stamps, repair, refusals. Needs no network."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The interpreter below our own environment: what a user would have on the PATH.
BASE = Path(sys.executable).resolve()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile, the installer and two lock files that ask for nothing."""
    return _laid_out(tmp_path / "project")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Such a project after `make install`, and what was said (made once: it takes seconds)."""
    folder = _laid_out(tmp_path_factory.mktemp("made") / "project")
    code, said = _make(folder, "install")
    assert code == 0, said
    return folder, said


@pytest.fixture
def installed(made: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(made[0], tmp_path / "project", symlinks=True))


def _laid_out(folder: Path) -> Path:
    (folder / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "install.sh", folder / "deploy")
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("requirements.lock", "requirements-dev.lock"):
        (folder / name).write_text("# nothing\n")
    return folder


def _fake(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _make(
    project: Path, *words: str, python: str | None = str(BASE), path: str | None = None
) -> tuple[int, str]:
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHON", "MAKEFLAGS", "MAKELEVEL")}
    if python:
        env["PYTHON"] = python
    if path:
        env["PATH"] = path
    done = subprocess.run(
        ["make", "-s", *words],
        cwd=project,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_the_first_call_says_what_it_makes_and_the_second_is_silent(made: tuple[Path, str]) -> None:
    folder, said = made
    assert "making .venv" in said and "installing requirements.lock" in said
    assert (folder / ".venv" / "bin" / "python").exists()
    assert _make(folder, "install") == (0, "")


def test_a_new_lock_file_is_installed_into_the_same_environment(installed: Path) -> None:
    (installed / "requirements.lock").write_text("# nothing new\n")
    code, said = _make(installed, "install")
    assert code == 0 and "installing requirements.lock" in said and "making" not in said


def test_the_developers_environment_contains_the_users(installed: Path) -> None:
    (installed / ".venv" / ".installed-run").unlink()
    code, said = _make(installed, "dev")
    assert code == 0 and "requirements-dev.lock" in said
    assert _make(installed, "install") == (0, "")


def test_an_environment_without_pip_is_made_again(installed: Path) -> None:
    shutil.rmtree(next((installed / ".venv" / "lib").glob("python3*")) / "site-packages" / "pip")
    (installed / ".venv" / ".installed-run").unlink()
    code, said = _make(installed, "install")
    assert code == 0 and "making .venv" in said


def test_an_environment_whose_python_is_gone_is_made_again(installed: Path) -> None:
    (installed / ".venv" / "bin" / "python").unlink()
    code, said = _make(installed, "install")
    assert code == 0 and "making .venv" in said


def test_a_package_without_a_hash_is_refused_in_one_sentence_and_leaves_no_stamp(installed: Path) -> None:
    (installed / "requirements.lock").write_text("segno==1.6.6\n")
    code, said = _make(installed, "install")
    assert code != 0
    assert "installation failed: ERROR: " in said and "--require-hashes" in said
    assert not (installed / ".venv" / ".installed-run").exists()


def test_a_wrong_python_is_one_sentence(project: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    _fake(tools, "python3", "exit 1\n")  # as any other version answers the question
    for name in ("make", "sh", "uname", "dirname", "cat", "cksum", "rm"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    for python in (None, str(tools / "python3")):
        code, said = _make(project, "install", python=python, path=str(tools))
        assert code != 0
        sentence, *rest = said.splitlines()
        assert "needs Python 3.11 or 3.12" in sentence
        assert all(line.startswith("make") for line in rest)
    assert not (project / ".venv").exists()


def test_another_platform_is_one_sentence(project: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    _fake(tools, "uname", 'if [ "$1" = -m ]; then echo aarch64; else echo Linux; fi\n')
    code, said = _make(project, "install", path=f"{tools}:{os.environ['PATH']}")
    assert code != 0
    assert "needs Linux x86-64, this is Linux aarch64" in said.splitlines()[0]


def test_a_foreign_folder_is_never_deleted(project: Path) -> None:
    (project / ".venv").mkdir()
    (project / ".venv" / "mine.txt").write_text("precious")
    code, said = _make(project, "install")
    assert code != 0 and "is no Python environment: move it away first" in said
    assert (project / ".venv" / "mine.txt").read_text() == "precious"


def test_help_names_every_target(project: Path) -> None:
    code, said = _make(project)
    assert code == 0
    named = [line.split()[0] for line in said.splitlines()]
    assert named == ["run", "install", "reset", "test", "check", "bench", "up", "help"]
    assert (code, said) == _make(project, "help")
