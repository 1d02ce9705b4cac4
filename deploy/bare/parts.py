"""A service of this folder: it can bring what it needs to the machine, and runs apart from whoever starts it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol

from deploy.bare.install import Say
from deploy.service import Launched, Service


class Part(Service, Protocol):
    """A service that can also be installed."""

    def install(self, say: Say) -> None:
        """Bring what is missing to the machine, telling `say` about anything that takes time."""


def launch(running: Launched, command: list[str], folder: Path, log: Path) -> None:
    """Start a server in `folder`, in a session of its own, its output appended to `log`."""
    with open(log, "ab") as out:
        running.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
