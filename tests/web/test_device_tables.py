"""Tables of devices over REST: large enough bodies are taken, larger ones refused, faults told in full."""

from __future__ import annotations

import base64
from contextlib import closing
from typing import Any

import httpx

from tests.web.conftest import Stage


def put(client: httpx.Client, content: bytes, **more: Any) -> httpx.Response:
    body = {"content": base64.b64encode(content).decode(), "filename": "t.csv", **more}
    return client.post("/api/v1/commands/import_devices", json=body, timeout=60)


def test_a_large_table_is_taken_and_a_larger_one_refused(stage: Stage) -> None:
    with closing(stage.login("administrator-city")) as admin:
        table = "设备编号,设备类型,设备名称\n" + "".join(
            f"T-{n},no-such-type,{'名' * 40}{n}\n" for n in range(14_000)
        )
        seen = put(admin, table.encode())
        assert len(table.encode()) * 4 / 3 > 2 * 1024 * 1024, "more than any other body may have"
        assert seen.status_code == 200, seen.text[:300]
        answer = seen.json()
        assert (answer["rows"], answer["faulty"], len(answer["faults"]), answer["stored"]) == (
            14_000, 14_000, 500, False)  # fmt: skip
        assert answer["faults"][0] == {
            "row": 2, "column": "Type", "column_zh": "设备类型", "value": "no-such-type",
            "rule": "a device type of the registry (id or name)", "rule_zh": "已登记的设备类型（编号或名称）",
        }  # fmt: skip
        refused = put(admin, b"id,type\nT-1,no-such-type\n", confirm=True)
        assert refused.status_code == 422 and refused.json()["faulty"] == 1
        assert "row 2: type='no-such-type'" in refused.json()["message"]
        assert put(admin, b"x" * 9_100_000).status_code in (413, 422)
        assert admin.post("/api/v1/commands/import_devices", json={"content": "no base64"}).status_code == 422
    with closing(stage.login("operator-city")) as operator:
        assert put(operator, b"id\nT-1\n").status_code == 403
