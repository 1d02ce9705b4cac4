"""The README's two examples, run as they stand, against a running product."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Running
from tests.product import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """The code under `<!-- tested: name -->`."""
    found = re.search(rf"<!-- tested: {name} -->\n```[a-z]+\n(.*?)```", README, re.S)
    assert found is not None, f"README.md has no tested block {name!r}"
    return found[1]


def newest(running: Running, device: str) -> float | None:
    """Newest value of a device's first metric, asked as a user would."""
    person = running.person("operator")
    try:
        metrics = person.ask("device", device=device).raise_for_status().json()["metrics"]
        return next((m["value"] for m in metrics if m["id"] == "water_level_m"), None)
    finally:
        person.close()


def wait_for(running: Running, device: str, value: float) -> None:
    """Until a screen would show `value`; another reading may come right after it, so history is asked."""
    person = running.person("operator")
    try:
        deadline = time.monotonic() + 30
        while True:
            series = person.ask("device_series", device=device, metric="water_level_m", hours=0.5).json()
            if value in series["v"]:
                return
            assert time.monotonic() < deadline, (
                f"{device}: {value} did not arrive; newest {newest(running, device)}"
            )
            time.sleep(0.1)  # asking over HTTP: there is no event to wait for
    finally:
        person.close()


def test_the_curl_example_is_accepted_and_shown(running: Running) -> None:
    env = {**os.environ, "URL": running.url, "TOKEN": running.product.token("api")}
    done = subprocess.run(["sh", "-c", block("curl")], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"accepted":1' in done.stdout.replace(" ", "")
    wait_for(running, "WL-000001", 2.31)


def test_the_chinese_page_gives_the_same_curl_example() -> None:
    chinese = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", chinese, re.S)
    assert [b for b in blocks if "curl " in b] == [block("curl")]


def test_the_kafka_example_is_stored_and_shown(real: Running, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(block("kafka"), encoding="utf-8")
    env = {**os.environ, "KAFKA": real.product.env["CHENGYUN_BUS"].removeprefix("kafka://")}
    done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    wait_for(real, "WL-000002", 2.47)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_link_of_the_readme_leads_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) + re.findall(r'src="([^"]+)"', text):
        assert (ROOT / target).exists(), f"{name}: {target}"
