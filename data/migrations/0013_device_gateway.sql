-- The device gateway: who may write as which device, how fast, who is connected, and what was refused or lost.

-- Of a secret only hashes are kept: SHA-256 for HTTPS (`secret_hash`), and the form in which Mosquitto keeps
-- passwords (`mqtt_hash`). `number` counts a device's credentials; `login` is the MQTT user name. A credential stands
-- while it is not revoked and `ends_at` (the end of a rotation's overlap, or of its life) has not come.
CREATE TABLE device_credentials (
    device      text NOT NULL REFERENCES devices (id),
    number      int NOT NULL,
    login       text NOT NULL UNIQUE,
    secret_hash bytea NOT NULL UNIQUE,
    mqtt_hash   text NOT NULL,
    issued_at   timestamptz NOT NULL,
    issued_by   text NOT NULL,
    ends_at     timestamptz,
    revoked_at  timestamptz,
    revoked_by  text NOT NULL DEFAULT '',
    PRIMARY KEY (device, number)
);

-- Devices that may send faster or slower than the setting says.
CREATE TABLE device_limits (
    device text PRIMARY KEY REFERENCES devices (id),
    per_s  double precision NOT NULL CHECK (per_s > 0),
    burst  int NOT NULL CHECK (burst > 0)
);

-- Moved by every change of credentials or limits; gateways reload when it, or `registry_version`, moves.
CREATE TABLE device_access_version (n bigint NOT NULL);
INSERT INTO device_access_version VALUES (1);

-- What a device last said of its connection (its last will says `offline` for it).
CREATE TABLE device_links (
    device text PRIMARY KEY REFERENCES devices (id),
    online boolean NOT NULL,
    at     timestamptz NOT NULL
);

-- Messages that a gateway refused (never on the bus), per device, door (mqtt, https) and reason.
CREATE TABLE gateway_refusals (
    device   text NOT NULL,
    door     text NOT NULL,
    reason   text NOT NULL,
    n        bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    PRIMARY KEY (device, door, reason)
);

-- What the broker in front of the gateway says it has dropped: `seen` is its own counter when last read (it begins
-- anew when the broker does), `lost` all of it together.
CREATE TABLE gateway_drops (
    broker text PRIMARY KEY,
    seen   bigint NOT NULL,
    lost   bigint NOT NULL
);
