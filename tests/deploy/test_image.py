"""The image and the compose file, which are not built here: held against the lock file, the entry points and the
Compose schema that everything else uses."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.balancer import config
from deploy.bare.kafka_broker import Kafka
from deploy.mosquitto.config import GATEWAY
from deploy.place import Place
from deploy.supervisor import CHILDREN, STEPS
from settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "deploy" / "schema" / "compose-spec.json"
PACKAGES = ("gis", "incidents", "streams", "data", "layouts", "callbacks", "deploy")


def _dockerfile() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile in order: (name, rest of the logical line)."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, rest in (line.split(None, 1) for line in lines)]


def _compose() -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def _ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run our image."""
    return {n: s for n, s in compose["services"].items() if "build" in s}


def test_the_image_installs_the_lock_file_of_make_install() -> None:
    (pip,) = [shlex.split(rest) for name, rest in _dockerfile() if name == "RUN" and "pip install" in rest]
    installer = (ROOT / "deploy" / "install.sh").read_text()
    (lock,) = re.findall(r"^run\) lock=(\S+) ;;$", installer, re.M)
    assert pip[pip.index("-r") + 1] == lock == "requirements.lock"
    (by_hand,) = re.findall(r'pip install (.*?)"\$lock"', installer, re.S)
    for option in ("--require-hashes", "--only-binary"):
        assert option in pip and option in by_hand
    locked = re.findall(r"^\S+==\S+.*?(?=^\S|\Z)", (ROOT / lock).read_text(), re.M | re.S)
    assert len(locked) > 40
    assert all("--hash=sha256:" in entry for entry in locked)


def test_the_image_holds_every_room_and_starts_the_entry_point_of_make_run() -> None:
    steps = _dockerfile()
    copied = {word for name, rest in steps if name == "COPY" for word in rest.split()[:-1]}
    assert copied == {"requirements.lock", "app.py", "settings.py", *PACKAGES}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == copied
    last = dict(steps)
    assert json.loads(last["ENTRYPOINT"]) == ["python", "app.py"]
    assert "/healthz" in last["HEALTHCHECK"]
    names = [name for name, _ in steps]
    assert last["USER"] == "chengyun", "not root"
    assert names.index("USER") > max(i for i, n in enumerate(names) if n in ("RUN", "COPY"))
    version = re.fullmatch(r"python:(3\.1[12])-slim\S*", last["FROM"])
    assert version is not None
    (recipe,) = re.findall(r"^run: .*\n\t@exec \$\(PY\) (\S+) demo", (ROOT / "Makefile").read_text(), re.M)
    assert recipe == "app.py"


def test_compose_is_valid_and_the_schema_is_the_official_one() -> None:
    raw = SCHEMA.read_bytes()
    assert hashlib.sha256(raw).hexdigest() in (SCHEMA.parent / "README.md").read_text()
    schema = json.loads(raw)
    jsonschema.Draft202012Validator.check_schema(schema)
    compose = _compose()
    jsonschema.Draft202012Validator(schema).validate(compose)
    compose["services"]["web"]["helthcheck"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(compose)


def test_compose_starts_the_sub_commands_of_make_run() -> None:
    ours = _ours(_compose())
    started = {name: tuple(service["command"]) for name, service in ours.items()}
    demo = {command.name: command.words for command in (*STEPS, *CHILDREN)}
    # `make run` has no Mosquitto to put a gateway behind; its devices come by HTTPS.
    assert started == demo | {"gateway": ("gateway",), "mosquitto": ("run", "--host", "0.0.0.0")}
    assert {n for n, s in ours.items() if "demo" in s.get("profiles", [])} == {"init", "feed"}
    assert {n for n, s in ours.items() if not s["healthcheck"].get("disable")} == {"web"}


def test_the_gateways_account_is_the_one_that_mosquitto_knows() -> None:
    services = _compose()["services"]
    address = services["gateway"]["environment"]["CHENGYUN_MQTT"]
    assert address == services["mosquitto"]["environment"]["CHENGYUN_MQTT"]
    assert address.startswith(f"mqtt://{GATEWAY}:") and address.endswith("@mosquitto:1883")
    assert services["mosquitto"]["entrypoint"] == ["python", "-m", "deploy.mosquitto"]
    assert services["mosquitto"]["volumes"] == services["gateway"]["volumes"], (
        "who may connect is told by files"
    )
    (installed,) = [rest for name, rest in _dockerfile() if name == "RUN" and "apt-get" in rest]
    assert " mosquitto " in installed


def test_every_service_that_is_waited_for_exists_and_can_be_waited_for() -> None:
    services = _compose()["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services, f"{name} waits for {other}"
            assert set(services[other].get("profiles", [])) <= set(service.get("profiles", []))
            if how["condition"] == "service_healthy":
                assert not services[other]["healthcheck"].get("disable")
            else:
                assert services[other]["restart"] == "on-failure"


def test_only_the_balancer_of_several_web_processes_is_published() -> None:
    services = _compose()["services"]
    assert (ROOT / "deploy" / "nginx.conf").read_text() == config(["web:8050"], "8050", resolver="127.0.0.11")
    assert [services[name]["deploy"]["replicas"] for name in ("web", "ingest")] == [2, 2]
    assert "ports" not in services["web"], (
        "its word on who asks (FORWARDED_ALLOW_IPS) is believed from anybody"
    )
    (mount,) = services["balancer"]["volumes"]
    assert mount == "./nginx.conf:/etc/nginx/nginx.conf:ro" and services["balancer"]["ports"]


def test_compose_uses_known_settings_and_no_secret_has_a_default() -> None:
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    known = {s.name for s in SETTINGS}
    for service in _ours(_compose()).values():
        # uvicorn's own: whose word on who asks it believes.
        assert set(service["environment"]) <= known | {"FORWARDED_ALLOW_IPS"}
        assert {"CHENGYUN_DSN", "CHENGYUN_BUS", "CHENGYUN_LIVE_URL"} <= set(service["environment"])
    for name, rest in _dockerfile():
        if name == "ENV":
            assert {n for n in re.findall(r"(\w+)=", rest) if n.startswith("CHENGYUN_")} <= known
    asked = dict(re.findall(r"\$\{(\w+)(:\?[^}]*)?\}", text))
    example = dict(
        line.split("=", 1)
        for line in (ROOT / "deploy" / "compose.env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert set(asked) == set(example)
    assert all(asked.values()), "a variable without :? would silently be empty"
    assert not any(example.values())


def test_compose_and_deploy_bare_run_the_same_kafka(tmp_path: Path) -> None:
    services = _compose()["services"]
    (pinned,) = re.findall(r"<kafka.version>(.+)</kafka.version>", (ROOT / "deploy/bare/pom.xml").read_text())
    assert services["kafka"]["image"] == f"apache/kafka:{pinned}"
    bare = Kafka(Place(tmp_path)).settings()
    environment = services["kafka"]["environment"]
    for key in (
        "auto.create.topics.enable",
        "message.max.bytes",
        "num.partitions",
        "controlled.shutdown.enable",
    ):
        assert str(environment["KAFKA_" + key.upper().replace(".", "_")]) == str(bare[key])


@pytest.mark.parametrize("command", [*STEPS, *CHILDREN], ids=lambda c: c.name)
def test_the_application_knows_every_sub_command_that_is_started(command: Any) -> None:
    done = subprocess.run(
        [sys.executable, "app.py", *command.words, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
