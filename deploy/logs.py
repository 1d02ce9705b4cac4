"""The log files of everything we start: one line of JSON each, a new file when one grows too large."""

from __future__ import annotations

import json
import logging.handlers
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

_BYTES = 10 * 1024 * 1024
_KEPT = 3


class LogSink:
    """Takes the output of one process through a pipe and writes `<folder>/<name>.log`.

    A line that is not JSON already (PostgreSQL, Redis, an interpreter's traceback) becomes
    {"at": RFC 3339, "from": name, "text": line}.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / f"{name}.log"
        self._name = name
        self._reading, self._writing = os.pipe()
        self._thread = threading.Thread(target=self._pump, name=f"log-{name}", daemon=True)
        self._thread.start()

    @property
    def pipe(self) -> int:
        """File descriptor for the stdout and stderr of the process."""
        return self._writing

    def close(self) -> None:
        """Write what is left. Call it when the process has ended; it waits at most 2 s for its last lines."""
        os.close(self._writing)
        self._thread.join(2)

    def _pump(self) -> None:
        out = logging.handlers.RotatingFileHandler(
            self.path, maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8"
        )
        with os.fdopen(self._reading, "rb") as lines:
            for raw in lines:
                text = raw.decode(errors="replace").rstrip()
                if text:
                    out.handle(logging.makeLogRecord({"msg": self._as_json(text)}))
        out.close()

    def _as_json(self, text: str) -> str:
        if text.startswith("{") and text.endswith("}"):
            return text
        return json.dumps(
            {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "from": self._name, "text": text},
            ensure_ascii=False,
        )
