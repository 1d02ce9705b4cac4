-- Held open in this clone: made by another module.
SELECT 1;
