"""Which operating-system user the embedded servers run as, and what that user can reach."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Account:
    """User and group of a server; `switch` says whether we have to become that user (we are root)."""

    uid: int
    gid: int
    switch: bool

    @property
    def owner(self) -> tuple[int, int]:
        """User and group id, as `chown` takes them."""
        return self.uid, self.gid

    def reaches(self, path: Path) -> bool:
        """Whether the user can enter that folder, or run that program."""
        if not self.switch:
            return os.access(path, os.X_OK)
        done = subprocess.run(
            ["/usr/bin/test", "-x", str(path)],
            cwd="/",
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            check=False,
        )
        return done.returncode == 0


def server_account(data: Path) -> Account:
    """Ourselves; as root (PostgreSQL refuses to run as root) an unprivileged user that exists already.

    The owner of an existing `data` folder, else `chengyun`, which an administrator may have made for us,
    else `nobody`. No user is created: a program started by hand should not change the machine's accounts.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid, switch=True)
    for name in ("chengyun", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, switch=True)
    raise Refusal(
        "以 root 运行时需要一个普通用户（nobody 或 chengyun）",
        "run by root, an unprivileged user (nobody or chengyun) is needed",
    )
