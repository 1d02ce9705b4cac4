-- How many incidents a unit can work on at once; NULL: nobody has said, and it is not judged by its load.
ALTER TABLE units ADD COLUMN capacity integer CHECK (capacity BETWEEN 1 AND 100000);

-- Of an imported responsibility table: for which classes and areas it names a unit, as the catalogue was when it came.
ALTER TABLE responsibility_tables ADD COLUMN coverage jsonb NOT NULL DEFAULT '{}';
