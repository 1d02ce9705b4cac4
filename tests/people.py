"""People at the doors of the product: log in over HTTP as a browser would, ask, command, listen to the stream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx

NEW_PASSWORD = "Long-enough-{login}-2026"


class Person:
    """One account with a session. The first login changes the password to NEW_PASSWORD, as it must."""

    def __init__(self, base_url: str, login: str, password: str) -> None:
        self.login = login
        self.password = password
        self.client = httpx.Client(base_url=base_url, timeout=30, follow_redirects=False, trust_env=False)
        self._enter()

    def _enter(self) -> None:
        new = NEW_PASSWORD.format(login=self.login)
        for password in (new, self.password):
            answer = self._form("/login", login=self.login, password=password)
            if answer.status_code == 303:
                break
        else:
            raise PermissionError(f"{self.login}: login refused ({answer.status_code})")
        if "/password" in answer.headers["location"]:
            answer = self._form("/password", old=self.password, new=new, again=new)
            if answer.status_code != 303:
                raise PermissionError(f"{self.login}: password not changed ({answer.status_code})")
        self.password = new

    def _form(self, path: str, **fields: str) -> httpx.Response:
        page = self.client.get(path)
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        return self.client.post(
            path, data={**hidden, **fields}, headers={"Origin": str(self.client.base_url)}
        )

    @property
    def csrf(self) -> dict[str, str]:
        """The header that unsafe requests need."""
        return {"X-CSRF-Token": self.client.cookies.get("chengyun_csrf") or ""}

    def command(self, name: str, /, **fields: Any) -> httpx.Response:
        """POST a command."""
        return self.client.post(f"/api/v1/commands/{name}", json=fields, headers=self.csrf)

    def ask(self, name: str, /, **params: Any) -> httpx.Response:
        """GET a query."""
        return self.client.get(f"/api/v1/queries/{name}", params=params)

    def snapshot(self) -> dict[str, Any]:
        """The live snapshot."""
        found: dict[str, Any] = self.client.get("/api/v1/live/snapshot").raise_for_status().json()
        return found

    def stream(self, epoch: str, n: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """(event, data) of the live stream until the server ends it or the caller stops."""
        with self.client.stream("GET", "/live", params={"from": f"{epoch}:{n}"}, timeout=None) as answer:
            answer.raise_for_status()
            event = "message"
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    yield event, json.loads(line[5:])
                    event = "message"

    def close(self) -> None:
        """Close the connection; the session stays."""
        self.client.close()
