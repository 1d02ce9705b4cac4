-- What the store, the bus, the live state and the folder of files took (bytes) at a moment, and what waited in queues
-- (rows): from these it is forecast when they fill. capacity NULL: not known.
CREATE TABLE storage_samples (
    what     text NOT NULL,
    at       timestamptz NOT NULL,
    used     bigint NOT NULL,
    capacity bigint,
    PRIMARY KEY (what, at)
);
