-- What the screens showed of every incident, and from when until when: the time machine reads it (data/situations.py).
-- `span` ends where the next state begins; without an end it is shown now. One transaction writes it and the incident.
CREATE TABLE incident_states (
    incident bigint NOT NULL,
    span     tstzrange NOT NULL,
    final    boolean NOT NULL,
    item     jsonb NOT NULL,
    CHECK (NOT isempty(span) AND NOT lower_inf(span))
);
CREATE UNIQUE INDEX incident_states_now ON incident_states (incident) WHERE upper_inf(span);
CREATE INDEX incident_states_open ON incident_states USING gist (span) WHERE NOT final;
CREATE INDEX incident_states_begin ON incident_states (lower(span));
CREATE INDEX incident_states_end ON incident_states (upper(span)) WHERE NOT upper_inf(span);
