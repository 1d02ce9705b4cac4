-- A unit that assists has an order of its own, as the lead has: it is told of it on the bus, and of its end.

ALTER TABLE orders ADD COLUMN kind text NOT NULL DEFAULT 'lead' CHECK (kind IN ('lead', 'assist'));
CREATE UNIQUE INDEX orders_assisting ON orders (incident_id, unit) WHERE kind = 'assist' AND ended_at IS NULL;

-- Units that assist as this runs have been told of nothing: they are now.
WITH waiting AS (
    SELECT i.id, i.number, i.correlation_id, a ->> 'unit' AS unit, a ->> 'what' AS what,
        (a ->> 'asked_at')::timestamptz AS asked_at, (a ->> 'taken_at')::timestamptz AS taken_at,
        coalesce(who.login, '') AS login
    FROM incidents i CROSS JOIN jsonb_array_elements(i.assists) a LEFT JOIN accounts who ON who.id = (a ->> 'by')::bigint
    WHERE i.assists <> '[]' AND a ->> 'done_at' IS NULL AND a ->> 'released_at' IS NULL
), issued AS (
    INSERT INTO orders (incident_id, unit, issued_at, issued_by, seen_at, kind)
    SELECT id, unit, asked_at, login, taken_at, 'assist' FROM waiting
    RETURNING id, incident_id, unit
)
INSERT INTO outbox (topic, key, payload, created_at)
SELECT 'city.order.v1', w.unit, jsonb_build_object('order', o.id, 'kind', 'assist', 'incident', w.id, 'number', w.number,
    'unit', w.unit, 'worker', '', 'state', 'issued', 'what', '', 'due_at', NULL, 'correlation_id', w.correlation_id),
    now()
FROM issued o JOIN waiting w ON w.id = o.incident_id AND w.unit = o.unit;
