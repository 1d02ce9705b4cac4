"""HTTPS for phones in the same network: our own certificate authority, and the address as a QR code.

A phone gives camera, position and offline storage only to a page it got by HTTPS.
"""

from __future__ import annotations

import io
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.place import write_private

# Phones refuse a server certificate that is valid for longer.
_VALID_DAYS = 397


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: server certificate (with chain), its key, and the authority that phones install."""

    cert: Path
    key: Path
    authority: Path


def lan_address() -> str:
    """Address of this machine in its network; 127.0.0.1 when it has none. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # an address for documentation (RFC 5737): only chooses the route
            return str(s.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def certificates(folder: Path, address: str, now: datetime) -> Certificates:
    """A certificate for `address`, this host's name and localhost, in `folder`.

    The authority is kept, so that phones install it once; the server certificate is made anew at each start,
    because the address may have changed.
    """
    import trustme

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Certificates(folder / "server.pem", folder / "server.key", folder / "ca.pem")
    authority_key = folder / "ca.key"
    if made.authority.exists() and authority_key.exists():
        authority = trustme.CA.from_pem(made.authority.read_bytes(), authority_key.read_bytes())
    else:
        authority = trustme.CA(organization_name="Chengyun", organization_unit_name="make run LAN=1")
        write_private(authority_key, authority.private_key_pem.bytes().decode())
        write_private(made.authority, authority.cert_pem.bytes().decode())
    names = list(dict.fromkeys([address, "localhost", "127.0.0.1", *_hostname()]))
    issued = authority.issue_cert(
        *names, common_name="Chengyun", not_after=(now + timedelta(days=_VALID_DAYS)).astimezone(UTC)
    )
    write_private(made.cert, "".join(pem.bytes().decode() for pem in issued.cert_chain_pems))
    write_private(made.key, issued.private_key_pem.bytes().decode())
    return made


def qr_code(url: str) -> str:
    """The address as a QR code for a terminal."""
    import segno

    out = io.StringIO()
    segno.make(url, error="l").terminal(out=out, compact=True)
    return out.getvalue()


def _hostname() -> list[str]:
    name = socket.gethostname()
    return [name] if name.isascii() and all(c.isalnum() or c in "-." for c in name) else []
