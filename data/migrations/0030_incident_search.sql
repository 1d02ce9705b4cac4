-- A million incidents: what people look for in them by words, and what timers ask every second, found without a scan.

-- pg_trgm is of no use here: the embedded server has it not, and in a database of locale C it knows no Chinese. What is
-- kept of a text: its characters, its pairs of characters, and four at a time of what is ASCII (numbers share their pairs).
CREATE FUNCTION said_grams(said text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    one   text[] := string_to_array(lower(said COLLATE "C"), NULL);
    found text[] := one;
    n     int := cardinality(one);
    pair  text;
BEGIN
    FOR k IN 1 .. n - 1 LOOP
        pair := one[k] || one[k + 1];
        found := array_append(found, pair);
        IF octet_length(pair) = 2 AND k < n - 2 AND octet_length(one[k + 2] || one[k + 3]) = 2 THEN
            found := array_append(found, pair || one[k + 2] || one[k + 3]);
        END IF;
    END LOOP;
    RETURN found;
END $$;

-- Beside the incidents: their rows change with every step, these words hardly ever. What is open has them a second time,
-- as nine in ten searches are for those, and they are a fifth.
CREATE TABLE incident_said (
    incident_id bigint PRIMARY KEY REFERENCES incidents (id) ON DELETE CASCADE,
    reported_at timestamptz NOT NULL,
    said        text NOT NULL
);
CREATE TABLE incident_said_open (LIKE incident_said);
ALTER TABLE incident_said_open ADD PRIMARY KEY (incident_id),
    ADD FOREIGN KEY (incident_id) REFERENCES incidents (id) ON DELETE CASCADE;
INSERT INTO incident_said
    SELECT id, reported_at, concat_ws(' ', number, title, class_name, address) FROM incidents;
INSERT INTO incident_said_open SELECT s.* FROM incident_said s JOIN incidents i ON i.id = s.incident_id
    WHERE i.stage NOT IN ('closed', 'refused', 'void');
CREATE INDEX incident_said_grams ON incident_said USING gin (said_grams(said)) WITH (fastupdate = off);
CREATE INDEX incident_said_open_grams ON incident_said_open USING gin (said_grams(said)) WITH (fastupdate = off);

CREATE FUNCTION keep_said() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    words text := concat_ws(' ', NEW.number, NEW.title, NEW.class_name, NEW.address);
BEGIN
    INSERT INTO incident_said VALUES (NEW.id, NEW.reported_at, words) ON CONFLICT (incident_id)
        DO UPDATE SET said = EXCLUDED.said, reported_at = EXCLUDED.reported_at
        WHERE (incident_said.said, incident_said.reported_at) <> (EXCLUDED.said, EXCLUDED.reported_at);
    IF NEW.stage IN ('closed', 'refused', 'void') THEN
        DELETE FROM incident_said_open WHERE incident_id = NEW.id;
    ELSE
        INSERT INTO incident_said_open VALUES (NEW.id, NEW.reported_at, words) ON CONFLICT (incident_id)
            DO UPDATE SET said = EXCLUDED.said, reported_at = EXCLUDED.reported_at;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER incidents_said_new AFTER INSERT ON incidents FOR EACH ROW EXECUTE FUNCTION keep_said();
CREATE TRIGGER incidents_said_again AFTER UPDATE ON incidents FOR EACH ROW
    WHEN ((OLD.number, OLD.title, OLD.class_name, OLD.address, OLD.reported_at,
            OLD.stage IN ('closed', 'refused', 'void'))
        IS DISTINCT FROM (NEW.number, NEW.title, NEW.class_name, NEW.address, NEW.reported_at,
            NEW.stage IN ('closed', 'refused', 'void')))
    EXECUTE FUNCTION keep_said();

-- Of the open ones apart: put together with an index of all that is open, one of all would read all of that first.
CREATE INDEX incidents_open_area ON incidents (area_path text_pattern_ops) INCLUDE (level, stage, stage_due_at)
    WHERE stage NOT IN ('closed', 'refused', 'void');
CREATE INDEX incidents_open_unit ON incidents (unit, handle_due_at)
    WHERE stage NOT IN ('closed', 'refused', 'void');
CREATE INDEX incidents_unit ON incidents (unit, reported_at DESC);
CREATE INDEX incidents_worker_ever ON incidents (worker, reported_at DESC) WHERE worker <> '';
CREATE INDEX incidents_place ON incidents (lat, lon) WHERE lat IS NOT NULL;

-- What the timers of the relay look for; each holds only what still has to be done.
CREATE INDEX incidents_to_escalate ON incidents (stage_due_at)
    WHERE stage NOT IN ('closed', 'refused', 'void') AND (escalated_at IS NULL OR escalated_at <= stage_due_at);
CREATE INDEX incidents_to_acknowledge ON incidents (coalesce(rings_since, reported_at))
    WHERE stage NOT IN ('closed', 'refused', 'void') AND level <= 2 AND acknowledged_by IS NULL
    AND (escalated_at IS NULL OR escalated_at < coalesce(rings_since, reported_at));
CREATE INDEX incidents_without_deadline ON incidents (id)
    WHERE handle_due_at IS NULL AND stage IN ('dispatched', 'taken', 'on_site')
    AND (clock ->> 'since' IS NOT NULL OR clock ->> 'parked_until' IS NOT NULL);

-- What the indicators of the last thirty days count.
CREATE INDEX incidents_dispatched ON incidents (dispatched_at) WHERE dispatched_at IS NOT NULL;
CREATE INDEX incidents_result ON incidents (returned_result_at) WHERE returned_result_at IS NOT NULL;

CREATE INDEX intake_received ON intake USING brin (received_at);
CREATE INDEX intake_account ON intake ((reporter ->> 'account'), id) WHERE source LIKE 'urn:chengyun:%';
