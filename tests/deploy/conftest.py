"""A `var` that the servers' user can reach, and that leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import embedded
from tests.services import not_run


@pytest.fixture
def root() -> None:
    """Only root can become another user or mount a disk."""
    if os.geteuid() != 0:
        not_run("root (to become another user, to mount a disk)")


@pytest.fixture
def var() -> Iterator[Path]:
    """An empty folder; unlike pytest's own (0700 of root) other users may pass through it.

    In memory where there is room: two dozen clusters are made here, each synced file by file, and what these
    tests do to the servers (`kill -9`) does not depend on the disk below.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30
    folder = Path(tempfile.mkdtemp(prefix="chengyun-test-", dir=memory if roomy else None)).resolve()
    folder.chmod(0o711)
    yield folder
    embedded.forget(folder)
    shutil.rmtree(folder)
