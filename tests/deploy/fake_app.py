"""A stand-in for app.py with the same sub-commands, so that the supervisor is tested apart from the product.

Every process appends {"words", "pid", "signal"?} to `<var>/fake.jsonl`. `web` answers /readyz, with HTTPS when
the certificate variables are set. What should go wrong comes from the file `<var>/wrong.json`.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import ssl
import sys
import time
from pathlib import Path

VAR = Path(os.environ["CHENGYUN_VAR"])
WORDS = sys.argv[1:]


def note(**more: object) -> None:
    with open(VAR / "fake.jsonl", "a") as f:
        f.write(json.dumps({"words": WORDS, "pid": os.getpid(), **more}) + "\n")


def wrong() -> dict[str, object]:
    path = VAR / "wrong.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        links = wrong().get("links")
        self.send_response(404 if self.path != "/readyz" else 503 if links else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"ok": not links, "links": links or {}}).encode())

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    if WORDS[0] not in ("migrate", "init"):
        signal.signal(signal.SIGTERM, lambda *_: (note(signal="SIGTERM"), sys.exit(0)))
    note(bus=os.environ["CHENGYUN_BUS"], dsn=os.environ["CHENGYUN_DSN"], live=os.environ["CHENGYUN_LIVE_URL"])
    print(json.dumps({"level": "info", "text": f"started {WORDS}"}), flush=True)
    if WORDS[0] in wrong().get("fail", []):
        print("it cannot be done", flush=True)
        sys.exit(7)
    if WORDS == ["init", "--sample"] and not wrong().get("no_accounts"):
        (VAR / "accounts.txt").write_text("desk secret\n")
    if WORDS[0] in ("migrate", "init"):
        return
    if WORDS[0] == wrong().get("grandchild") and os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        WORDS.append("grandchild")
        note()
    if WORDS[0] == "web" and "grandchild" not in WORDS:
        server = http.server.ThreadingHTTPServer(
            (os.environ["CHENGYUN_HTTP_HOST"], int(os.environ["CHENGYUN_HTTP_PORT"])), Page
        )
        if os.environ.get("CHENGYUN_TLS_CERT"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.environ["CHENGYUN_TLS_CERT"], os.environ["CHENGYUN_TLS_KEY"])
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.serve_forever()
    while True:
        time.sleep(60)


main()
