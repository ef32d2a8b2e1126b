-- Which names user accounts showed with a number, and which institution each names. Added up from
-- what came to the calls and what there was.
WITH parts AS (
  SELECT * FROM was
  UNION ALL
  SELECT presented_e164, presented_name, institution_id, count(*)
  FROM call_verdict_added WHERE presented_name IS NOT NULL AND presented_e164 IS NOT NULL AND NOT staff GROUP BY ALL
)
SELECT presented_e164, presented_name, institution_id, sum(calls)::BIGINT AS calls
FROM parts
GROUP BY ALL
ORDER BY presented_e164, presented_name, institution_id
