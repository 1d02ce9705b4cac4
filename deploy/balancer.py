"""One address before several web processes: nginx, told where they are. Streams pass through it unbuffered.

A web process holds nothing of its own, so any of them answers any request; one that dies is left out for two seconds
at a time, and its screens reconnect to another. `python -m deploy.balancer` prints the configuration of compose.yaml.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.bare.install import Say, apt, find_program
from deploy.bare.parts import launch
from deploy.place import Place, write_private
from deploy.processes import Identity, working_in
from deploy.service import Launched

MAX_BODY_MB = 64
"""Larger than any upload the product takes; the product itself refuses with words."""

_TEXT = """\
# Written by deploy/balancer.py.
{head}
events {{ worker_connections 16384; }}
http {{
  access_log off;
  server_tokens off;
  {temp}
  upstream web {{
    {zone}
    {servers}
    keepalive 32;
  }}
  server {{
    listen {listen};
    client_max_body_size {body}m;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_connect_timeout 2s;
    proxy_next_upstream error timeout;
    location / {{
      proxy_pass http://web;
      proxy_read_timeout 180s;
    }}
    # Live streams: nothing is held back, and a quiet one is not cut (a beat comes every 5 s).
    location = /live {{
      proxy_pass http://web;
      proxy_buffering off;
      proxy_read_timeout 60s;
    }}
  }}
}}
"""


def config(webs: Sequence[str], listen: str, *, folder: Path | None = None, resolver: str = "") -> str:
    """nginx's configuration. `webs`: host:port of each web process, or one name that `resolver` (a DNS server) turns
    into all of them. `folder`: where a server of our own keeps everything; None: an image's defaults."""
    again = "" if resolver else " max_fails=1 fail_timeout=2s"
    servers = [f"server {web}{' resolve' if resolver else ''}{again};" for web in webs]
    temp, head = "", "worker_processes auto;"
    if folder is not None:
        head = f"daemon off;\nworker_processes 1;\nworker_rlimit_nofile 65536;\npid {folder}/nginx.pid;\nerror_log stderr warn;"
        names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temp = "\n  ".join(f"{name}_temp_path {folder}/{name};" for name in names)
    zone = "zone web 64k;" + (f"\n    resolver {resolver} valid=5s;" if resolver else "")
    text = _TEXT.format(
        head=head, temp=temp, zone=zone, servers="\n    ".join(servers), listen=listen, body=MAX_BODY_MB
    )
    return "".join(line for line in text.splitlines(keepends=True) if line.strip())


@dataclass(frozen=True, slots=True)
class Balancer:
    """nginx of this machine before web processes at `ports`."""

    place: Place
    ports: tuple[int, ...]
    name: str = "balancer"
    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 5), (signal.SIGKILL, 5))
    running: Launched = field(default_factory=Launched)

    def install(self, say: Say) -> None:
        """Debian's nginx."""
        apt({"nginx": "nginx-light"}, say)

    def processes(self) -> list[Identity]:
        """The master first."""
        return working_in(self.place.folder(self.name), "nginx")

    def start(self) -> None:
        """On a port of the place."""
        folder = self.place.folder(self.name)
        webs = [f"127.0.0.1:{port}" for port in self.ports]
        path = folder / "nginx.conf"
        listen = f"127.0.0.1:{self.place.usable_port(self.name)}"
        write_private(path, config(webs, listen, folder=folder))
        launch(self.running, [find_program("nginx"), "-p", str(folder), "-c", str(path)], folder, self.log())

    def ready(self) -> bool:
        """It listens; whether a web process is behind it is another question."""
        try:
            with socket.create_connection(("127.0.0.1", self.place.port(self.name)), timeout=1):
                return True
        except OSError:
            return False

    def log(self) -> Path:
        """Its log file."""
        return self.place.log(self.name)

    def address(self) -> str:
        """http://…"""
        return f"http://127.0.0.1:{self.place.port(self.name)}"


if __name__ == "__main__":
    sys.stdout.write(config(["web:8050"], "8050", resolver="127.0.0.11"))
