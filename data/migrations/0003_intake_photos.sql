-- The rights of a photo are those of the reports that carry it: found by photo.
CREATE INDEX intake_photos ON intake USING gin (photos);
