-- What evaluation counts of every incident, kept with it: one narrow row each, so that a month is a range of an index.

CREATE TABLE incident_facts (
    incident_id       bigint PRIMARY KEY REFERENCES incidents (id),
    version           int NOT NULL,
    merged            boolean NOT NULL,
    area              text NOT NULL,
    unit              text NOT NULL,
    class_code        text NOT NULL,
    channel           text NOT NULL,
    file_post         text NOT NULL,
    dispatch_post     text NOT NULL,
    handle_post       text NOT NULL,
    check_post        text NOT NULL,
    reported_at       timestamptz NOT NULL,
    filed_due_at      timestamptz,
    filed_at          timestamptz,
    refused_at        timestamptz,
    voided_at         timestamptz,
    dispatch_due_at   timestamptz,
    dispatched_at     timestamptz,
    handle_due_at     timestamptz,
    handled_at        timestamptz,
    check_due_at      timestamptz,
    checked_at        timestamptz,
    closed_at         timestamptz,
    returned_for_unit boolean NOT NULL,
    reworks           int NOT NULL,
    extensions        int NOT NULL,
    parked            boolean NOT NULL,
    exempt            text NOT NULL
);
CREATE INDEX incident_facts_reported ON incident_facts (reported_at);
CREATE INDEX incident_facts_filed_due ON incident_facts (filed_due_at);
CREATE INDEX incident_facts_filed ON incident_facts (filed_at);
CREATE INDEX incident_facts_dispatch_due ON incident_facts (dispatch_due_at);
CREATE INDEX incident_facts_handle_due ON incident_facts (handle_due_at);
CREATE INDEX incident_facts_check_due ON incident_facts (check_due_at);

-- The round that recounts all of them from the timelines: how far it is, what it found. Incidents up to `first_to` were
-- there before this table; until the first round has passed them, evaluation says that it does not know them all.
CREATE TABLE incident_facts_check (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    first_to   bigint NOT NULL,
    next_id    bigint NOT NULL DEFAULT 0,
    rounds     int NOT NULL DEFAULT 0,
    filled     bigint NOT NULL DEFAULT 0,
    differed   bigint NOT NULL DEFAULT 0,
    differed_at timestamptz,
    differed_ids bigint[] NOT NULL DEFAULT '{}',
    ended_at   timestamptz
);
INSERT INTO incident_facts_check (first_to) SELECT coalesce(max(id), 0) FROM incidents;
