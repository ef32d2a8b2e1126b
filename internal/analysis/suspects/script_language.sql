-- The language of each script: as the source says, else as its text says (languages.go). One that
-- neither tells has no row.
SELECT s.script_id, s.account_id, coalesce(nullif(lower(trim(s.language)), ''), d.language) AS language,
  CASE WHEN nullif(trim(s.language), '') IS NOT NULL THEN 'source' ELSE 'text' END AS basis,
  CASE WHEN nullif(trim(s.language), '') IS NOT NULL THEN 'the source says so' ELSE 'its text reads so (trigrams, confidence ' || d.confidence || ')' END AS reasons,
  s.ref_source, s.ref_table, s.ref_row, s.ref_offset
FROM script s LEFT JOIN script_text_language d ON d.text = s.text
WHERE nullif(trim(s.language), '') IS NOT NULL OR d.language IS NOT NULL
ORDER BY s.script_id, s.account_id, s.ref_row
