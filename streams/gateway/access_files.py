"""Who may connect, as files for Mosquitto; `python -m deploy.mosquitto` watches them and reloads Mosquitto.

`passwords`: a line `login:hash` for every standing credential. `acl`: what logins other than the plain device id may
do (the device id itself is a pattern of Mosquitto's configuration). `subscribed`: touched whenever the gateway has
subscribed: before that nothing would keep what devices send, so nobody is let in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from incidents.gateway import Access

ROOT: Final = "chengyun/devices"
"""Topics: ROOT/{device}/{readings | status | accepted | refused}."""


def passwords_text(access: Access) -> str:
    """Mosquitto's password file."""
    return "".join(f"{one.login}:{one.mqtt_hash}\n" for one in access.logins)


def acl_text(access: Access) -> str:
    """Rights of the logins that are not the device's id itself."""
    blocks = []
    for one in access.logins:
        if one.login != one.device:
            base = f"{ROOT}/{one.device}"
            blocks.append(
                f"user {one.login}\ntopic write {base}/readings\ntopic write {base}/status\n"
                f"topic read {base}/accepted\ntopic read {base}/refused\n\n"
            )
    return "".join(blocks)


class AccessFiles:
    """Writes them into `folder`, each whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, access: Access) -> None:
        """Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The rights first: a login must never be there without them.
        self._replace("acl", acl_text(access))
        self._replace("passwords", passwords_text(access))

    def subscribed(self) -> None:
        """The gateway has subscribed. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / "subscribed").touch()

    def _replace(self, name: str, text: str) -> None:
        fresh = self._folder / f"{name}.new"
        with open(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        os.replace(fresh, self._folder / name)
