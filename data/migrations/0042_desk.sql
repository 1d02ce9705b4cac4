-- Vital signs (S07) beyond their limit, since when; `filed`: the warning is among the sources.
CREATE TABLE vital_states (
    id        text PRIMARY KEY,
    raised_at timestamptz NOT NULL,
    value     double precision NOT NULL,
    filed     boolean NOT NULL DEFAULT false
);

-- What people keep of their desk: filter, sorting, columns, layers, view of the map. `unit` '' = one's own only.
CREATE TABLE saved_views (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login    text NOT NULL,
    unit     text NOT NULL DEFAULT '',
    page     text NOT NULL,
    name     text NOT NULL,
    content  jsonb NOT NULL,
    saved_at timestamptz NOT NULL,
    UNIQUE (login, page, name)
);
CREATE INDEX saved_views_unit ON saved_views (unit) WHERE unit <> '';

-- Refused attempts of the last day are a vital sign; the audit log itself only grows.
CREATE INDEX audit_refused ON audit (at) WHERE NOT allowed;
