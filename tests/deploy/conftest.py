"""A `var` that the servers' user can reach, and that leaves nothing behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import embedded


@pytest.fixture
def var() -> Iterator[Path]:
    """An empty folder; unlike pytest's own (0700 of root) other users may pass through it."""
    folder = Path(tempfile.mkdtemp(prefix="chengyun-test-")).resolve()
    folder.chmod(0o711)
    yield folder
    embedded.forget(folder)
    shutil.rmtree(folder)
