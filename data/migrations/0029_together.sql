-- 协办: units that help the lead with an incident; `assisting`: those that may see it, for lists.

ALTER TABLE incidents ADD COLUMN assists jsonb NOT NULL DEFAULT '[]';
ALTER TABLE incidents ADD COLUMN assisting text[] NOT NULL DEFAULT '{}';
CREATE INDEX incidents_assisting ON incidents USING gin (assisting) WHERE assisting <> '{}';

ALTER TABLE incident_photos DROP CONSTRAINT incident_photos_purpose_check;
ALTER TABLE incident_photos ADD CONSTRAINT incident_photos_purpose_check
    CHECK (purpose IN ('report', 'handle', 'check', 'assist'));

-- A source that came to an incident whose result was handed in already: somebody says that it is not done.
ALTER TABLE incidents ADD COLUMN said_again_at timestamptz;

-- A source that cannot be triaged holds up none behind it: set aside, with what went wrong.
ALTER TABLE intake DROP CONSTRAINT intake_aside_check;
ALTER TABLE intake ADD CONSTRAINT intake_aside_check CHECK (aside IN ('', 'observed', 'shelved', 'failed'));
ALTER TABLE intake ADD COLUMN aside_why text NOT NULL DEFAULT '';
