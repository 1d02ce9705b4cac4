-- What the product finds wrong with itself is a source of incidents like any other: kind 'check'.
ALTER TABLE intake DROP CONSTRAINT intake_kind_check;
ALTER TABLE intake ADD CONSTRAINT intake_kind_check CHECK (kind IN ('warning', 'alarm', 'report', 'check'));

-- The source that a mismatch was filed as; NULL: not filed (yet). One that is found again after it was resolved is
-- filed again.
ALTER TABLE ledger_mismatches ADD COLUMN intake_id bigint;
