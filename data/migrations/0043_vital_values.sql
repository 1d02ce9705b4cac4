-- The newest value of every vital sign, as the clockwork measured it: whoever looks reads it, nobody measures anew.
CREATE TABLE vital_values (
    id          text PRIMARY KEY,
    measured_at timestamptz NOT NULL,
    as_of       timestamptz,
    value       double precision,
    numerator   double precision,
    denominator double precision
);
