-- What was put on the bus instead of a dead letter (NULL: the very message), and why one was dropped.
ALTER TABLE dead_letters ADD COLUMN corrected bytea;
ALTER TABLE dead_letters ADD COLUMN settled_why text NOT NULL DEFAULT '';
