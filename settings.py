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
    Setting("CHENGYUN_INGEST_BATCH", "4000", "Most messages in one flush of an ingest process."),
    Setting(
        "CHENGYUN_INGEST_GROUP", "chengyun-ingest", "Name of the consumer group of the ingest processes."
    ),
    Setting("CHENGYUN_MAX_AGE_H", "72", "A reading older than this many hours is rejected (too_old)."),
    Setting(
        "CHENGYUN_MAX_AHEAD_S", "300", "A message dated further ahead than this many seconds is rejected."
    ),
    Setting("CHENGYUN_MAX_MESSAGE_KB", "1024", "A larger message is refused (HTTP 413) or dead-lettered."),
    Setting("CHENGYUN_SESSION_H", "12", "Hours until a session ends, whatever its use."),
    Setting(
        "CHENGYUN_SESSION_IDLE_MIN", "120", "Minutes without use until a session ends (walls are exempt)."
    ),
    Setting("CHENGYUN_LOGIN_ATTEMPTS", "5", "Wrong passwords in a row until an account is locked."),
    Setting("CHENGYUN_LOGIN_LOCK_MIN", "15", "Minutes for which a locked account stays locked."),
    Setting("CHENGYUN_METRICS_TOKEN", "", "Token for /metrics from elsewhere than loopback.", secret=True),
    Setting("CHENGYUN_LOG", "info", "Log level: debug, info, warning, error."),
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
    ingest_group: str
    max_age_h: float
    max_ahead_s: float
    max_message_kb: int
    session_h: float
    session_idle_min: float
    login_attempts: int
    login_lock_min: float
    metrics_token: str
    log: str
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
        ingest_group=v["CHENGYUN_INGEST_GROUP"],
        max_age_h=_number("CHENGYUN_MAX_AGE_H", v["CHENGYUN_MAX_AGE_H"], 0),
        max_ahead_s=_number("CHENGYUN_MAX_AHEAD_S", v["CHENGYUN_MAX_AHEAD_S"], 0),
        max_message_kb=whole("CHENGYUN_MAX_MESSAGE_KB", 1),
        session_h=_number("CHENGYUN_SESSION_H", v["CHENGYUN_SESSION_H"], 0),
        session_idle_min=_number("CHENGYUN_SESSION_IDLE_MIN", v["CHENGYUN_SESSION_IDLE_MIN"], 0),
        login_attempts=whole("CHENGYUN_LOGIN_ATTEMPTS", 1),
        login_lock_min=_number("CHENGYUN_LOGIN_LOCK_MIN", v["CHENGYUN_LOGIN_LOCK_MIN"], 0),
        metrics_token=v["CHENGYUN_METRICS_TOKEN"],
        log=v["CHENGYUN_LOG"],
        timezone=v["CHENGYUN_TIMEZONE"],
    )
