-- The handling clock of a returned incident stands; back at the same unit the rest runs on, at another it starts anew.
ALTER TABLE incidents ADD COLUMN handle_rest_s double precision;
ALTER TABLE incidents ADD COLUMN former_unit text NOT NULL DEFAULT '';
