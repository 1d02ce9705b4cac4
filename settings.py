"""Every setting of the product: name, default, meaning. Values come from the environment only.

`docs/settings.md` is printed from SETTINGS by a test, so a setting cannot be undocumented.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: its name, its default as text, and one sentence saying what it does."""

    name: str
    default: str
    help: str
    secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("CHENGYUN_DSN", "", "PostgreSQL or TimescaleDB connection string of the store.", secret=True),
    Setting(
        "CHENGYUN_BUS", "", "The bus: redis://host:port/0 (Redis Streams) or kafka://host:port,host:port."
    ),
    Setting("CHENGYUN_LIVE_URL", "", "Redis that holds the live state and its deltas.", secret=True),
    Setting("CHENGYUN_HTTP_HOST", "127.0.0.1", "Address on which `web` listens."),
    Setting("CHENGYUN_HTTP_PORT", "8050", "Port on which `web` listens."),
    Setting("CHENGYUN_TLS_CERT", "", "PEM certificate file; with CHENGYUN_TLS_KEY it switches HTTPS on."),
    Setting("CHENGYUN_TLS_KEY", "", "PEM key file of CHENGYUN_TLS_CERT."),
    Setting(
        "CHENGYUN_VAR", "var", "Folder of run-time state: embedded servers, logs, tiles, sample accounts."
    ),
    Setting("CHENGYUN_PARTITIONS", "4", "Partitions made for a topic that does not exist yet."),
    Setting("CHENGYUN_INGEST_BATCH", "8000", "Most messages in one flush of an ingest process."),
    Setting(
        "CHENGYUN_DEAD_LETTERS_KEPT",
        "1000",
        "Dead letters kept per feed, partition and minute; more are only counted.",
    ),
    Setting(
        "CHENGYUN_INGEST_GROUP", "chengyun-ingest", "Name of the consumer group of the ingest processes."
    ),
    Setting("CHENGYUN_MAX_AGE_H", "72", "A reading older than this many hours is rejected (too_old)."),
    Setting(
        "CHENGYUN_MAX_AHEAD_S", "300", "A message dated further ahead than this many seconds is rejected."
    ),
    Setting(
        "CHENGYUN_KEEP_RAW_DAYS",
        "0",
        "Readings older than this many days are dropped, whole weeks at a time, once they are rolled up per minute,"
        " hour and day; 0 keeps them all. Longer than CHENGYUN_MAX_AGE_H.",
    ),
    Setting(
        "CHENGYUN_COMPRESS_AFTER_DAYS",
        "14",
        "Readings older than this many days are compressed, where the store can (TimescaleDB community edition);"
        " 0: never. Longer than CHENGYUN_MAX_AGE_H, so that late readings find an uncompressed chunk.",
    ),
    Setting(
        "CHENGYUN_REPLAY_DAYS",
        "90",
        "For so many days back can be replayed what screens showed of incidents; 0: for ever. (Timelines are never dropped.)",
    ),
    Setting(
        "CHENGYUN_STORE_DISK",
        "",
        "A folder on the store's disk, where this machine can see it: what is free there is what the store can grow by.",
    ),
    Setting(
        "CHENGYUN_STORE_CAPACITY_GB", "0", "Room for the store when its disk cannot be seen; 0: not known."
    ),
    Setting("CHENGYUN_BUS_CAPACITY_GB", "0", "Room for Kafka's logs; 0: not known. (Redis knows its own.)"),
    Setting("CHENGYUN_MAX_MESSAGE_KB", "1024", "A larger message is refused (HTTP 413) or dead-lettered."),
    Setting(
        "CHENGYUN_MQTT",
        "",
        "The device gateway's account at Mosquitto: mqtt://user:password@host:port (mqtts: TLS).",
        secret=True,
    ),
    Setting(
        "CHENGYUN_MQTT_QUEUE_MB",
        "256",
        "The most that Mosquitto keeps for a gateway that is away; beyond it messages are dropped (and counted as lost).",
    ),
    Setting(
        "CHENGYUN_MQTT_ACCESS",
        "",
        "Folder in which the gateway tells Mosquitto who may connect; default: mosquitto/access in CHENGYUN_VAR.",
    ),
    Setting(
        "CHENGYUN_DEVICE_PER_S", "20", "Messages a second that a device may send (limits of its own aside)."
    ),
    Setting("CHENGYUN_DEVICE_BURST", "2000", "Messages that a device may send at once after a pause."),
    Setting("CHENGYUN_SESSION_H", "12", "Hours until a session ends, whatever its use."),
    Setting(
        "CHENGYUN_SESSION_IDLE_MIN", "120", "Minutes without use until a session ends (walls are exempt)."
    ),
    Setting("CHENGYUN_LOGIN_ATTEMPTS", "5", "Wrong passwords in a row until an account is locked."),
    Setting("CHENGYUN_LOGIN_LOCK_MIN", "15", "Minutes for which a locked account stays locked."),
    Setting("CHENGYUN_METRICS_TOKEN", "", "Token for /metrics from elsewhere than loopback.", secret=True),
    Setting("CHENGYUN_LOG", "info", "Log level: debug, info, warning, error."),
    Setting(
        "CHENGYUN_DROP_DIR",
        "",
        "Folder below which feeds find dropped files and recordings (default: VAR/drop).",
    ),
    Setting(
        "CHENGYUN_MODELS",
        "",
        "Folder of trained routers, the same for every process (default: VAR/models); a backup holds the registered ones.",
    ),
    Setting(
        "CHENGYUN_FEED_ADDRESSES",
        "public,private",
        "Addresses that feeds may be fetched from: of public, private, loopback, link-local.",
    ),
    Setting(
        "CHENGYUN_BASE_MAPS",
        "",
        "File of base maps from elsewhere, see deploy/base_maps.example.toml; '': only our own.",
    ),
    Setting("CHENGYUN_BASE_MAP_KEY", "", "What {key} stands for in the addresses of base maps.", secret=True),
    Setting("CHENGYUN_TIMEZONE", "Asia/Shanghai", "Time zone of the screens; storage is always UTC."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, typed. Built once by `read` in `app.py` and handed inward as plain values."""

    dsn: str
    bus: str
    live_url: str
    http_host: str
    http_port: int
    tls_cert: str
    tls_key: str
    var: Path
    partitions: int
    ingest_batch: int
    dead_letters_kept: int
    ingest_group: str
    max_age_h: float
    max_ahead_s: float
    keep_raw_days: float
    compress_after_days: float
    replay_days: float
    store_disk: str
    store_capacity_gb: float
    bus_capacity_gb: float
    max_message_kb: int
    mqtt: str
    mqtt_queue_mb: int
    mqtt_access: Path
    device_per_s: float
    device_burst: int
    session_h: float
    session_idle_min: float
    login_attempts: int
    login_lock_min: float
    metrics_token: str
    log: str
    drop_dir: Path
    models: Path
    feed_addresses: str
    base_maps: str
    base_map_key: str
    timezone: str


class BadSetting(ValueError):
    """An environment variable holds a value that cannot be used; the text names variable, value and rule."""


def _number(name: str, text: str, low: float) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadSetting(f"{name}={text!r}: not a number") from None
    if value < low:
        raise BadSetting(f"{name}={text!r}: must be at least {low:g}")
    return value


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ` (default: the process environment).

    Raises BadSetting for a value that cannot be used and for an unknown CHENGYUN_ name (a typing error).
    """
    env = os.environ if environ is None else environ
    known = {s.name: s.default for s in SETTINGS}
    unknown = sorted(n for n in env if n.startswith("CHENGYUN_") and n not in known)
    if unknown:
        raise BadSetting(f"{unknown[0]}: no such setting; see docs/settings.md")
    v = {name: env.get(name, default) for name, default in known.items()}

    def whole(name: str, low: int) -> int:
        return int(_number(name, v[name], low))

    max_age_h = _number("CHENGYUN_MAX_AGE_H", v["CHENGYUN_MAX_AGE_H"], 0)

    def days_beyond_lateness(name: str) -> float:
        days = _number(name, v[name], 0)
        if days and days * 24 <= max_age_h:
            rule = f"must be 0 or more than the {max_age_h:g} h of CHENGYUN_MAX_AGE_H: later readings are accepted"
            raise BadSetting(f"{name}={v[name]!r}: {rule}")
        return days

    return Settings(
        dsn=v["CHENGYUN_DSN"],
        bus=v["CHENGYUN_BUS"],
        live_url=v["CHENGYUN_LIVE_URL"],
        http_host=v["CHENGYUN_HTTP_HOST"],
        http_port=whole("CHENGYUN_HTTP_PORT", 1),
        tls_cert=v["CHENGYUN_TLS_CERT"],
        tls_key=v["CHENGYUN_TLS_KEY"],
        var=Path(v["CHENGYUN_VAR"]),
        partitions=whole("CHENGYUN_PARTITIONS", 1),
        ingest_batch=whole("CHENGYUN_INGEST_BATCH", 1),
        dead_letters_kept=whole("CHENGYUN_DEAD_LETTERS_KEPT", 0),
        ingest_group=v["CHENGYUN_INGEST_GROUP"],
        max_age_h=max_age_h,
        max_ahead_s=_number("CHENGYUN_MAX_AHEAD_S", v["CHENGYUN_MAX_AHEAD_S"], 0),
        keep_raw_days=days_beyond_lateness("CHENGYUN_KEEP_RAW_DAYS"),
        compress_after_days=days_beyond_lateness("CHENGYUN_COMPRESS_AFTER_DAYS"),
        replay_days=_number("CHENGYUN_REPLAY_DAYS", v["CHENGYUN_REPLAY_DAYS"], 0),
        store_disk=v["CHENGYUN_STORE_DISK"],
        store_capacity_gb=_number("CHENGYUN_STORE_CAPACITY_GB", v["CHENGYUN_STORE_CAPACITY_GB"], 0),
        bus_capacity_gb=_number("CHENGYUN_BUS_CAPACITY_GB", v["CHENGYUN_BUS_CAPACITY_GB"], 0),
        max_message_kb=whole("CHENGYUN_MAX_MESSAGE_KB", 1),
        mqtt=v["CHENGYUN_MQTT"],
        mqtt_queue_mb=whole("CHENGYUN_MQTT_QUEUE_MB", 1),
        mqtt_access=Path(v["CHENGYUN_MQTT_ACCESS"] or Path(v["CHENGYUN_VAR"]) / "mosquitto" / "access"),
        device_per_s=_number("CHENGYUN_DEVICE_PER_S", v["CHENGYUN_DEVICE_PER_S"], 0.001),
        device_burst=whole("CHENGYUN_DEVICE_BURST", 1),
        session_h=_number("CHENGYUN_SESSION_H", v["CHENGYUN_SESSION_H"], 0),
        session_idle_min=_number("CHENGYUN_SESSION_IDLE_MIN", v["CHENGYUN_SESSION_IDLE_MIN"], 0),
        login_attempts=whole("CHENGYUN_LOGIN_ATTEMPTS", 1),
        login_lock_min=_number("CHENGYUN_LOGIN_LOCK_MIN", v["CHENGYUN_LOGIN_LOCK_MIN"], 0),
        metrics_token=v["CHENGYUN_METRICS_TOKEN"],
        log=v["CHENGYUN_LOG"],
        drop_dir=Path(v["CHENGYUN_DROP_DIR"] or Path(v["CHENGYUN_VAR"]) / "drop"),
        models=Path(v["CHENGYUN_MODELS"] or Path(v["CHENGYUN_VAR"]) / "models"),
        feed_addresses=v["CHENGYUN_FEED_ADDRESSES"],
        base_maps=v["CHENGYUN_BASE_MAPS"],
        base_map_key=v["CHENGYUN_BASE_MAP_KEY"],
        timezone=v["CHENGYUN_TIMEZONE"],
    )
