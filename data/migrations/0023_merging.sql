-- Merging of reports: where sources were before, what a person separated, what might be one.

ALTER TABLE incidents ADD COLUMN merged_into bigint REFERENCES incidents (id);
ALTER TABLE incidents ADD COLUMN apart bigint[] NOT NULL DEFAULT '{}';
CREATE INDEX incidents_merged ON incidents (merged_into) WHERE merged_into IS NOT NULL;

ALTER TABLE intake ADD COLUMN homes bigint[] NOT NULL DEFAULT '{}';
CREATE INDEX intake_place ON intake (lat, lon) WHERE incident_id IS NOT NULL AND lat IS NOT NULL;

CREATE TABLE merge_suggestions (
    incident_id bigint NOT NULL REFERENCES incidents (id),
    other_id    bigint NOT NULL REFERENCES incidents (id),
    score       double precision NOT NULL,
    reasons     jsonb NOT NULL,
    at          timestamptz NOT NULL,
    answer      text NOT NULL DEFAULT '' CHECK (answer IN ('', 'merged', 'apart')),
    answered_at timestamptz,
    answered_by text NOT NULL DEFAULT '',
    PRIMARY KEY (incident_id, other_id),
    CHECK (incident_id <> other_id)
);
CREATE INDEX merge_suggestions_other ON merge_suggestions (other_id);
CREATE INDEX intake_address ON intake (address) WHERE address <> '';
