-- One row a script: the family it belongs to and the recording in it, with the script it was
-- compared with and how much of the shorter text the two have in common (scripts.go). A script
-- without a text is one with the others of its account that play the same file, or alone.
WITH s AS (
  SELECT s.*, g.family_of, g.recording_of, g.compared_with, g.containment,
    min(s.script_id) OVER (PARTITION BY s.account_id, s.kind, coalesce(s.file, s.script_id)) AS same_file
  FROM script s LEFT JOIN script_group g USING (script_id)
)
SELECT script_id, account_id, kind, 'F' || coalesce(family_of, same_file) AS family_id, 'R' || coalesce(recording_of, same_file) AS recording_id,
  compared_with, containment,
  CASE WHEN family_of IS NULL AND same_file = script_id THEN 'no text; the first with this file'
       WHEN family_of IS NULL THEN 'no text; the same account plays the same file as script ' || same_file
       WHEN compared_with IS NULL THEN 'the fullest text of its family'
       ELSE 'has ' || CAST(round(containment * 100) AS INTEGER) || ' % of the weight of the shorter text in common with script ' || compared_with END AS reasons,
  $rule_version AS rule_version, ref_source, ref_table, ref_row, ref_offset
FROM s
ORDER BY script_id
