-- Since when an incident rings for an acknowledgement, where that is not since it was reported: a further source has
-- raised it to level I or II.
ALTER TABLE incidents ADD COLUMN rings_since timestamptz;
