-- The institution that the text of a recorded or synthesised message names; null where it
-- names several, which are listed.
SELECT f.script_id, f.institution_id, f.alias, f.named, s.ref_source, s.ref_table, s.ref_row, s.ref_offset
FROM script_found f JOIN script s USING (script_id)
QUALIFY row_number() OVER (PARTITION BY f.script_id ORDER BY s.ref_source, s.ref_table, s.ref_row) = 1
ORDER BY f.script_id
