-- Messages that the bus will never take (too large) stand aside with the reason; they hold up nothing behind them.
ALTER TABLE outbox ADD COLUMN refused_at timestamptz;
ALTER TABLE outbox ADD COLUMN refusal text NOT NULL DEFAULT '';
DROP INDEX outbox_waiting;
CREATE INDEX outbox_waiting ON outbox (id) WHERE published_at IS NULL AND refused_at IS NULL;
CREATE INDEX outbox_refused ON outbox (id) WHERE refused_at IS NOT NULL;
