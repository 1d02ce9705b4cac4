-- The source that a feed's present outage was filed as; NULL: it has none. Cleared when its recovery is noted.
ALTER TABLE feeds ADD COLUMN outage_intake bigint;

-- People's phones are heard while people are on duty: nobody has to mend their silence.
UPDATE feeds SET expected_period_s = NULL WHERE id = 'phone' AND expected_period_s = 300;
