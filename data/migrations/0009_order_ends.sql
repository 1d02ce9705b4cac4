-- Orders used to stay open when their incident left the unit: they end when it did.
UPDATE orders o SET ended_at = coalesce(i.returned_result_at, i.closed_at, i.stage_since, o.issued_at), outcome =
    CASE WHEN i.stage = 'void' THEN 'void' WHEN i.stage IN ('reported', 'accepted') THEN 'returned' ELSE 'handled' END
FROM incidents i WHERE i.id = o.incident_id AND o.ended_at IS NULL
    AND i.stage NOT IN ('dispatched', 'taken', 'on_site', 'handled');
-- What was closed today is counted every few seconds.
CREATE INDEX incidents_closed ON incidents (closed_at) WHERE closed_at IS NOT NULL;
