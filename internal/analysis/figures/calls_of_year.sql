-- Answered calls of user accounts in the published year, by country and by the institution that
-- the verdict names.
WITH parts AS (
  SELECT * FROM was
  UNION ALL
  SELECT called_country, CASE WHEN grade IN ('A*', 'A', 'B', 'C') THEN institution_id END, count(*)
  FROM call_verdict_added WHERE NOT staff AND outcome = 'answered' AND started_at >= timezone($zone, TIMESTAMP '2021-08-01') AND started_at < timezone($zone, TIMESTAMP '2022-08-01') GROUP BY ALL
)
SELECT country, institution_id, sum(calls)::BIGINT AS calls
FROM parts
GROUP BY country, institution_id
ORDER BY country, institution_id
