"""`accounts.txt`: first passwords and feed tokens, in clear only there, readable by its owner alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NAME: Final = "accounts.txt"


def write_accounts(folder: Path, passwords: Mapping[str, str], tokens: Mapping[str, str]) -> Path:
    """Write login → first password and feed → token; whole and on the disk when it returns, or not at all.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, new = folder / NAME, folder / f".{NAME}.new"
    lines = ["# login password — first passwords, each changed at the first login"]
    lines += [f"{login} {password}" for login, password in passwords.items()]
    if tokens:
        lines.append("# feed token — for POST /api/v1/messages/{topic}")
        lines += [f"feed:{feed} {token}" for feed, token in tokens.items()]
    new.unlink(missing_ok=True)  # of an earlier try; a fresh file has our owner and our rights
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return path
