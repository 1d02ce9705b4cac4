-- Stored readings that came after a newer one of their device and metric.
ALTER TABLE ledger ADD COLUMN records_late bigint NOT NULL DEFAULT 0;
