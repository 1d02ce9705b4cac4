-- Of a source that runs wild only so many dead letters of a feed, partition and minute are kept; all are counted.
ALTER TABLE ledger ADD COLUMN rejected_unkept bigint NOT NULL DEFAULT 0;
