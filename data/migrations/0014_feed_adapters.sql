-- Feeds that are fetched by adapters of ours: how (kind, config, secrets), and the mapping to our envelope.
-- kind '' = the source writes to the bus or to the HTTP door by itself. version moves with every change: a running
-- adapter that sees another one starts anew. secrets never leave the store in an answer.
ALTER TABLE feeds
    ADD COLUMN kind    text NOT NULL DEFAULT ''
        CHECK (kind IN ('', 'kafka', 'http', 'webhook', 'mqtt', 'folder', 'sql', 'replay')),
    ADD COLUMN config  jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN secrets jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN mapping jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN version int NOT NULL DEFAULT 1;

-- How far an adapter has come, and how its last attempt went. position moves only after the bus has the messages.
-- failure: '' = the last attempt went well, 'away' = the source could not be reached, 'fault' = it will not work so.
-- Counts are of records read, messages put on the bus (set-aside ones included), records set aside, and records that
-- the source itself no longer had.
CREATE TABLE feed_states (
    feed       text PRIMARY KEY REFERENCES feeds (id),
    position   jsonb NOT NULL DEFAULT '{}',
    records    bigint NOT NULL DEFAULT 0,
    messages   bigint NOT NULL DEFAULT 0,
    set_aside  bigint NOT NULL DEFAULT 0,
    lost       bigint NOT NULL DEFAULT 0,
    attempt_at timestamptz,
    success_at timestamptz,
    failure    text NOT NULL DEFAULT '' CHECK (failure IN ('', 'away', 'fault')),
    reason     text NOT NULL DEFAULT ''
);
