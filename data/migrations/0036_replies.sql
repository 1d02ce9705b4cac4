-- 答复: who spoke of an incident is told what became of it. `version`: of the incident when it ended; `sources`: the reports
-- that are answered; `teller`: the system that sent them, a phone of ours, or a person who calls back.
CREATE TABLE replies (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incidents (id),
    version     integer NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('close', 'refuse', 'consult', 'void')),
    channel     text NOT NULL,
    teller      text NOT NULL CHECK (teller IN ('message', 'screen', 'person')),
    sources     bigint[] NOT NULL,
    text        text NOT NULL,
    created_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    ended_by    text NOT NULL DEFAULT '',
    end_how     text NOT NULL DEFAULT '' CHECK (end_how IN ('', 'told', 'unreached', 'withdrawn')),
    note        text NOT NULL DEFAULT '',
    CHECK ((ended_at IS NULL) = (end_how = ''))
);
CREATE INDEX replies_incident ON replies (incident_id, id);
CREATE INDEX replies_waiting ON replies (created_at, id) WHERE ended_at IS NULL;
