"""The command line that ties a program's life to ours: see tether.py."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

_TETHER = Path(__file__).with_name("tether.py")


def tethered(command: list[str], stop: signal.Signals, user: tuple[int, int] = (-1, -1)) -> list[str]:
    """`command` (full path first), run as `user` (uid, gid; -1: as we are) and sent `stop` when we end.

    The kernel watches the thread that starts the program, so start it from the main thread.
    """
    parent, number, uid, gid = os.getpid(), int(stop), user[0], user[1]
    return [sys.executable, "-I", "-S", str(_TETHER), *map(str, (parent, number, uid, gid)), *command]
