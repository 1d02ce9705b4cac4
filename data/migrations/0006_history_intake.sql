-- Reports of an import of the past (feed replay --keep-time): they neither ring nor run against a clock.
ALTER TABLE intake ADD COLUMN history boolean NOT NULL DEFAULT false;
