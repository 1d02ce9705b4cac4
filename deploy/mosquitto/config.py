"""Mosquitto's configuration and access files, as text. Nothing here needs more than Mosquitto 2.0."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

ROOT = "chengyun/devices"
GATEWAY = "chengyun~gateway"
"""The gateway's own user: `~` is in no device's id, so that no device can be called so."""

AUTOSAVE_S = 5
WINDOW = 1000
"""Messages on their way to the gateway and not acknowledged yet."""


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen. `queue_mb`: the most that waits for a gateway that is away; beyond it Mosquitto drops."""

    host: str = "127.0.0.1"
    port: int = 1883
    queue_mb: int = 256
    message_kb: int = 1024
    reserve_mb: int = 512
    cert: str = ""
    key: str = ""

    @property
    def needed_mb(self) -> int:
        """Devices are let in only while the disk has this much: a snapshot is written beside the last one."""
        return self.reserve_mb + 2 * self.queue_mb


def config_text(options: Options, folder: Path) -> str:
    """mosquitto.conf. `use_username_as_clientid`: nobody takes over the gateway's, or another device's, session."""
    lines = [
        f"listener {options.port} {options.host}",
        *([f"certfile {folder / 'cert.pem'}", f"keyfile {folder / 'key.pem'}"] if options.cert else []),
        "allow_anonymous false",
        f"password_file {folder / 'passwords'}",
        f"acl_file {folder / 'acl'}",
        "use_username_as_clientid true",
        "persistence true",
        f"persistence_location {folder.parent / 'data'}/",
        f"autosave_interval {AUTOSAVE_S}",
        f"max_inflight_messages {WINDOW}",
        f"max_inflight_bytes {32 * 2**20}",
        "max_queued_messages 0",
        f"max_queued_bytes {options.queue_mb * 2**20}",
        f"max_packet_size {options.message_kb * 1024}",
        "set_tcp_nodelay true",
        "sys_interval 2",
        "connection_messages false",
        "log_dest stderr",
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
        "log_type error",
        "log_type warning",
        "log_type notice",
    ]
    return "\n".join(lines) + "\n"


def acl_text(gateway: str, more: str) -> str:
    """A device writes and reads only below its own name; the gateway all of it. `more`: from the gateway's file."""
    return (
        f"pattern write {ROOT}/%u/readings\npattern write {ROOT}/%u/status\n"
        f"pattern read {ROOT}/%u/accepted\npattern read {ROOT}/%u/refused\n\n"
        f"user {gateway}\ntopic readwrite {ROOT}/#\ntopic read $SYS/#\n\n{more}"
    )


def password_line(user: str, password: str) -> str:
    """A line of Mosquitto's password file."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"{user}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"
