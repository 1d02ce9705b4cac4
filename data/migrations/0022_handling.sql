-- Handling clocks that know working time, 延期, 挂账, 督办, 申诉, 回访; the working days of a year.

ALTER TABLE incidents ADD COLUMN clock jsonb;
ALTER TABLE incidents ADD COLUMN asked jsonb;
ALTER TABLE incidents ADD COLUMN supervision jsonb;
ALTER TABLE incidents ADD COLUMN supervision_due_at timestamptz;
ALTER TABLE incidents ADD COLUMN appeal jsonb;
ALTER TABLE incidents ADD COLUMN satisfaction int CHECK (satisfaction BETWEEN 1 AND 5);
CREATE INDEX incidents_supervision ON incidents (supervision_due_at) WHERE supervision_due_at IS NOT NULL;

-- What runs was promised continuous minutes and keeps them, whatever its class says from now on.
UPDATE incidents SET clock = jsonb_build_object(
    'kind', 'urgent_hour', 'limit_s', (policy ->> 'limit_min')::float * 60, 'unit', unit, 'extensions', 0,
    'parked_until', NULL, 'was_parked', false,
    'allowed_s', extract(epoch FROM handle_due_at - dispatched_at),
    'since', CASE WHEN stage = 'returned_result' THEN NULL ELSE to_jsonb(dispatched_at) END,
    'used_s', CASE WHEN stage = 'returned_result' AND returned_result_at IS NOT NULL
                   THEN extract(epoch FROM returned_result_at - dispatched_at) ELSE 0 END)
WHERE policy IS NOT NULL AND handle_due_at IS NOT NULL AND dispatched_at IS NOT NULL
    AND stage IN ('dispatched', 'taken', 'on_site', 'handled', 'returned_result');
UPDATE incidents SET clock = jsonb_build_object(
    'kind', 'urgent_hour', 'limit_s', (policy ->> 'limit_min')::float * 60, 'unit', former_unit, 'extensions', 0,
    'parked_until', NULL, 'was_parked', false, 'allowed_s', (policy ->> 'limit_min')::float * 60, 'since', NULL,
    'used_s', (policy ->> 'limit_min')::float * 60 - handle_rest_s)
WHERE policy IS NOT NULL AND handle_rest_s IS NOT NULL AND stage = 'accepted';
-- Of what a unit had given back before, timelines do not tell when it was due.
ALTER TABLE incidents ADD COLUMN told_due_at timestamptz;
UPDATE incidents SET told_due_at = handle_due_at WHERE returned_result_at IS NOT NULL;
ALTER TABLE incidents DROP COLUMN handle_rest_s;
ALTER TABLE incidents DROP COLUMN former_unit;

-- Years whose working days a person has entered; the product brings those published when it was built.
CREATE TABLE working_years (
    year   int PRIMARY KEY CHECK (year BETWEEN 2000 AND 2200),
    source text NOT NULL,
    saved_at timestamptz NOT NULL,
    saved_by text NOT NULL
);
CREATE TABLE working_days (
    day    date PRIMARY KEY,
    year   int NOT NULL REFERENCES working_years (year) ON DELETE CASCADE,
    worked boolean NOT NULL
);
