"""Run a program that must not outlive whoever started it. Called as a script, never imported:

    python -I -S tether.py PARENT SIGNAL UID GID PROGRAM [ARGUMENT...]

Becomes user UID and group GID (-1: stays who it is), asks the kernel to send SIGNAL when the parent ends,
even by `kill -9`, and then becomes PROGRAM (full path). The order matters: a change of user clears the request.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, number: int, uid: int, gid: int, command: list[str]) -> None:
    """Never returns."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(0)  # it ended before the request was made
    os.execv(command[0], command)  # noqa: S606 - this is its purpose


if __name__ == "__main__":
    _parent, _number, _uid, _gid = (int(word) for word in sys.argv[1:5])
    main(_parent, _number, _uid, _gid, sys.argv[5:])
