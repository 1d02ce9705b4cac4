-- Routing by evidence (S13): what was advised and why, rules that came back, models, drafts of the responsibility table.

ALTER TABLE components ADD COLUMN event_class text NOT NULL DEFAULT '';
CREATE INDEX components_class ON components (event_class, lat, lon) WHERE event_class <> '';

-- A unit may answer for a class in a special period only (汛期); '' = always.
ALTER TABLE responsibilities ADD COLUMN period text NOT NULL DEFAULT '';
ALTER TABLE responsibilities DROP CONSTRAINT responsibilities_pkey;
ALTER TABLE responsibilities ADD PRIMARY KEY (class_code, area_path, period);
CREATE TABLE special_periods (
    kind     text NOT NULL,
    name     text NOT NULL,
    begins   timestamptz NOT NULL,
    ends     timestamptz NOT NULL CHECK (ends > begins),
    saved_by text NOT NULL,
    PRIMARY KEY (kind, begins)
);

-- How much a unit holds now is asked whenever it might get one more.
CREATE INDEX incidents_held ON incidents (unit) WHERE stage IN ('dispatched', 'taken', 'on_site', 'handled');

-- One row for every time that routing was asked about an incident and something came of it.
CREATE TABLE routing_advice (
    incident_id      bigint NOT NULL REFERENCES incidents (id),
    incident_version int NOT NULL,
    moment           text NOT NULL CHECK (moment IN ('opened', 'filed', 'returned')),
    at               timestamptz NOT NULL,
    version          text NOT NULL,
    unit             text NOT NULL,
    confidence       double precision NOT NULL,
    threshold        double precision NOT NULL,
    automatic        boolean NOT NULL,
    rule             text NOT NULL,
    decision         jsonb NOT NULL,
    PRIMARY KEY (incident_id, incident_version, moment)
);
CREATE INDEX routing_advice_at ON routing_advice (at);

-- Rules that sent an incident which came back: not automatic until somebody approves them again.
CREATE TABLE withdrawn_rules (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule         text NOT NULL,
    wrong_field  text NOT NULL,
    incident_id  bigint NOT NULL REFERENCES incidents (id),
    unit         text NOT NULL,
    version      text NOT NULL,
    automatic    boolean NOT NULL,
    said         text NOT NULL,
    said_en      text NOT NULL,
    why          text NOT NULL,
    at           timestamptz NOT NULL,
    by_login     text NOT NULL,
    approved_at  timestamptz,
    approved_by  text NOT NULL DEFAULT '',
    approved_why text NOT NULL DEFAULT ''
);
CREATE INDEX withdrawn_rules_open ON withdrawn_rules (rule) WHERE approved_at IS NULL;

-- Trained routers: what they learned from, what was measured on what they had not seen, and which one is in force.
CREATE TABLE router_models (
    version         text PRIMARY KEY,
    state           text NOT NULL CHECK (state IN ('candidate', 'published', 'off')),
    trained_at      timestamptz NOT NULL,
    trained_by      text NOT NULL,
    source          text NOT NULL,
    inputs          jsonb NOT NULL,
    learned_from    timestamptz NOT NULL,
    learned_until   timestamptz NOT NULL,
    measured_until  timestamptz NOT NULL,
    threshold       double precision NOT NULL,
    figures         jsonb NOT NULL,
    file            text NOT NULL,
    sha256          text NOT NULL,
    published_at    timestamptz,
    published_by    text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX router_models_published ON router_models (state) WHERE state = 'published';

-- Responsibility tables as they were imported: replayed against past incidents before they replace the one in force.
CREATE TABLE responsibility_tables (
    id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    filename     text NOT NULL,
    imported_at  timestamptz NOT NULL,
    imported_by  text NOT NULL,
    published_at timestamptz,
    published_by text NOT NULL DEFAULT ''
);
CREATE TABLE responsibility_rows (
    table_id   int NOT NULL REFERENCES responsibility_tables (id),
    class_code text NOT NULL,
    area_path  text NOT NULL,
    period     text NOT NULL DEFAULT '',
    unit       text NOT NULL REFERENCES units (code),
    reason     text NOT NULL DEFAULT '',
    PRIMARY KEY (table_id, class_code, area_path, period)
);
