-- The source that a feed's present outage was filed as; NULL: it has none. Cleared when its recovery is noted.
ALTER TABLE feeds ADD COLUMN outage_intake bigint;
