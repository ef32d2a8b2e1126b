-- Lines of the registry and of Do-Not-Originate lists that count for nothing (used: false), or
-- that a person should look at. No line is left out of the case's tables for being wrong.
WITH line AS (SELECT * FROM institution_number),
said AS (
  SELECT *, false AS used, 'the number cannot be read' AS remark FROM line WHERE number_from IS NULL
  UNION ALL SELECT *, false, 'the line gives no source' FROM line WHERE source_url IS NULL
  UNION ALL SELECT *, false, 'the range ends before it begins' FROM line WHERE number_to < number_from
  UNION ALL SELECT *, false, 'its validity ends before it begins' FROM line WHERE valid_to < valid_from
  UNION ALL SELECT *, false, 'no institution has this id' FROM line ANTI JOIN institution USING (institution_id)
  UNION ALL SELECT *, true, 'the range holds more than a million numbers' FROM line WHERE number_to - number_from >= 1000000
  UNION ALL SELECT *, true, 'the line does not say when its source was seen' FROM line WHERE seen_on IS NULL
  UNION ALL SELECT a.*, true, 'another institution has the number too: ' || string_agg(DISTINCT b.institution_id, ', ' ORDER BY b.institution_id)
    FROM line a JOIN line b ON a.number_from = a.number_to AND b.number_from = b.number_to AND a.number_from = b.number_from AND a.institution_id <> b.institution_id GROUP BY ALL
)
SELECT institution_id, number_raw, number_from, number_to, list, used, remark, ref_source, ref_table, ref_row, ref_offset
FROM said
ORDER BY used, remark, institution_id, number_from, ref_source, ref_row
