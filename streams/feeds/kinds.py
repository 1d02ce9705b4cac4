"""The seven kinds of feeds by name: the shape of their configuration and secrets, and how one is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from incidents.gb28181 import Edition
from streams.adapters.alarm import Source as AlarmSource
from streams.adapters.alarm import shipped_kinds
from streams.feeds import folder, http_pull, kafka_topic, mqtt_topic, replay_file, sql_pull, webhook
from streams.feeds.addresses import AddressPolicy
from streams.feeds.alarm_mapping import AlarmMapping, Alarms, alarm_mapping, is_alarm
from streams.feeds.mapping import CompiledMapping, compile_mapping
from streams.feeds.port import BadConfig, Source

PUSHED: Final = "webhook"
"""The kind that is sent to us: the web process takes it, there is nothing to run."""
KINDS: Final = ("kafka", "http", "webhook", "mqtt", "folder", "sql", "replay")

SHAPES: Final[Mapping[str, tuple[type[Any], type[Any], Callable[[Any, Any], None]]]] = {
    "kafka": (kafka_topic.KafkaConfig, kafka_topic.KafkaSecrets, kafka_topic.check),
    "http": (http_pull.HttpConfig, http_pull.HttpSecrets, http_pull.check),
    "webhook": (webhook.WebhookConfig, webhook.WebhookSecrets, webhook.check),
    "mqtt": (mqtt_topic.MqttConfig, mqtt_topic.MqttSecrets, mqtt_topic.check),
    "folder": (folder.FolderConfig, folder.NoSecrets, folder.check),
    "sql": (sql_pull.SqlConfig, sql_pull.SqlSecrets, sql_pull.check),
    "replay": (replay_file.ReplayConfig, folder.NoSecrets, replay_file.check),
}


AnyMapping = CompiledMapping | AlarmMapping


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as it is configured, checked. `config` and `secrets` are of the shapes of its kind."""

    id: str
    kind: str
    config: Any
    secrets: Any
    mapping: AnyMapping
    version: int = 1

    @property
    def period_s(self) -> float:
        """Seconds between two attempts of a kind that is fetched; 0: it waits by itself."""
        return float(getattr(self.config, "period_s", replay_file.PERIOD_S if self.kind == "replay" else 0.0))


def _shaped(kind: type[Any], value: object, where: str) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        text = str(error)
        words, _, path = text.partition(" - at `$")
        field = where + path.rstrip("`")
        found = value
        for part in path.strip("`").lstrip(".").split(".") if path else ():
            found = found.get(part) if isinstance(found, dict) else None
        shown = "…" if where == "secrets" or found is value or found is None else found
        raise BadConfig(field, shown, words) from None


def as_shipped(feed: str, system: str, edition: Edition) -> AlarmSource:
    """A video system of which the city has set up nothing."""
    return AlarmSource(feed, shipped_kinds()[system], edition=edition)


SHIPPED: Final = Alarms(as_shipped)


def check_feed(
    id: str,
    kind: str,
    config: object,
    secrets: object,
    mapping: object,
    version: int = 1,
    alarms: Alarms = SHIPPED,
) -> Feed:
    """A feed from its data. Raises BadConfig or BadMapping."""
    if kind not in SHAPES:
        raise BadConfig("kind", kind, f"must be one of {', '.join(KINDS)}")
    of_config, of_secrets, check = SHAPES[kind]
    shaped, hidden = _shaped(of_config, config, "config"), _shaped(of_secrets, secrets, "secrets")
    check(shaped, hidden)
    made = alarm_mapping(mapping, alarms) if is_alarm(mapping) else compile_mapping(mapping)
    return Feed(id, kind, shaped, hidden, made, version)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What adapters are given: the clock, the folder below which files are dropped, addresses that are allowed, and
    the driver of SQL."""

    clock: Callable[[], datetime]
    drop_dir: Path
    policy: AddressPolicy
    open_sql: sql_pull.SqlOpener


def open_source(feed: Feed, world: Surroundings) -> Source:
    """The feed's source. Opens no connection yet. Raises BadConfig for a kind that is not fetched."""
    config, secrets = feed.config, feed.secrets
    match feed.kind:
        case "kafka":
            return kafka_topic.KafkaSource(config, secrets, world.policy)
        case "http":
            return http_pull.HttpSource(config, secrets, world.policy)
        case "mqtt":
            return mqtt_topic.MqttSource(config, secrets, world.policy, world.clock, f"chengyun-{feed.id}")
        case "folder":
            return folder.FolderSource(config, world.drop_dir, world.clock)
        case "sql":
            return sql_pull.SqlSource(config, secrets, world.policy, world.open_sql, world.clock)
        case "replay":
            return replay_file.ReplaySource(config, world.drop_dir, world.clock)
    raise BadConfig("kind", feed.kind, "is sent to us: there is nothing to fetch")


def open_trial(feed: Feed, world: Surroundings) -> Source:
    """The feed's source for a look that leaves no trace: no session kept at a broker, no file moved by reading."""
    if feed.kind == "mqtt":
        return mqtt_topic.MqttSource(
            replace_config(feed.config, client_id=""), feed.secrets, world.policy, world.clock,
            f"chengyun-trial-{feed.id}", keep_session=False,
        )  # fmt: skip
    if feed.kind == "folder":
        return open_source(replace(feed, config=replace_config(feed.config, stable_s=0.0)), world)
    if feed.kind == "replay":
        return open_source(
            replace(feed, config=replace_config(feed.config, speed=0.0, keep_time=True)), world
        )
    return open_source(feed, world)


def replace_config(config: Any, **changes: Any) -> Any:
    """A configuration with some values changed."""
    return msgspec.structs.replace(config, **changes)
