-- Rows are written in ledger order, so a tiny BRIN index finds those of some ledger rows without a full scan.
CREATE INDEX readings_ledger ON readings USING brin (ledger_id) WITH (pages_per_range = 32);
CREATE INDEX positions_ledger ON positions USING brin (ledger_id);
