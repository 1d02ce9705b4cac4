-- Rollups of readings per minute, hour and day (docs/adr/0015): of one device and metric the number, sum, lowest and
-- highest value of a bucket, and its first and last reading. `time` = the bucket's begin; days are the city's.
-- Where the server has continuous aggregates, data/timeseries.py puts them in the place of the three tables.
CREATE TABLE rollup_minute (
    time      timestamptz NOT NULL,
    sum       double precision NOT NULL,
    min       double precision NOT NULL,
    max       double precision NOT NULL,
    first     double precision NOT NULL,
    last      double precision NOT NULL,
    first_at  timestamptz NOT NULL,
    last_at   timestamptz NOT NULL,
    device_no int NOT NULL,
    n         int NOT NULL,
    metric_no smallint NOT NULL,
    PRIMARY KEY (device_no, metric_no, time)
) PARTITION BY RANGE (time);
CREATE INDEX rollup_minute_time ON rollup_minute USING brin (time) WITH (pages_per_range = 32);

CREATE TABLE rollup_hour (LIKE rollup_minute INCLUDING CONSTRAINTS, PRIMARY KEY (device_no, metric_no, time))
    PARTITION BY RANGE (time);
CREATE INDEX rollup_hour_time ON rollup_hour USING brin (time) WITH (pages_per_range = 32);
-- The whole city's average reads one metric of many devices: from this index alone. An expression, so that no plan made
-- without statistics (a new chunk) takes it for what one device is asked for.
CREATE INDEX rollup_hour_metric ON rollup_hour ((metric_no + 0), time) INCLUDE (metric_no, device_no, n, sum);

CREATE TABLE rollup_day (LIKE rollup_minute INCLUDING CONSTRAINTS, PRIMARY KEY (device_no, metric_no, time));

-- Ledger rows under which readings were stored that may not be rolled up yet: a log without a key, so that neither
-- two flushes nor a flush and the rollup ever wait for one another. A flush books what it stored in `ledger` in the
-- transaction that stores it; the trigger notes it there, so that no writer can forget it.
CREATE TABLE rollup_dirty (ledger_id int NOT NULL);
CREATE FUNCTION note_dirty_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO rollup_dirty SELECT id FROM new_rows WHERE records_stored > 0;
    ELSE
        INSERT INTO rollup_dirty SELECT n.id FROM new_rows n JOIN old_rows o USING (id)
        WHERE n.records_stored <> o.records_stored;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_dirty_new AFTER INSERT ON ledger REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_ledger();
CREATE TRIGGER ledger_dirty_more AFTER UPDATE ON ledger REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_ledger();
INSERT INTO rollup_dirty SELECT id FROM ledger WHERE records_stored > 0;

-- One row, made by the first step. Minutes before `settled` are rolled up (but for late rows of this minute); hours
-- before `hours_until` and days before `days_until` are, and those from there on are summed when they are over.
-- Readings before `raw_from` were dropped.
CREATE TABLE rollup_state (
    settled     timestamptz NOT NULL,
    hours_until timestamptz NOT NULL,
    days_until  timestamptz NOT NULL,
    raw_from    timestamptz NOT NULL DEFAULT '1970-01-01Z',
    zone        text NOT NULL
);

-- What retention has dropped of a ledger row's records: the reconciler does not miss it.
ALTER TABLE ledger ADD COLUMN records_dropped bigint NOT NULL DEFAULT 0;
