-- What a standard asks as evidence, and a catalogue that was made out of another one to be revised.

ALTER TABLE standards ADD COLUMN evidence text NOT NULL DEFAULT '';
ALTER TABLE catalogues ADD COLUMN based_on int REFERENCES catalogues (id);
