-- How many answered calls each account made to each country.
WITH parts AS (
  SELECT * FROM was
  UNION ALL
  SELECT account_id, called_country, count(*) FROM call_verdict_added
  WHERE account_id IS NOT NULL AND outcome = 'answered' AND called_country IS NOT NULL GROUP BY ALL
)
SELECT account_id, country, sum(answered)::BIGINT AS answered
FROM parts
GROUP BY account_id, country
ORDER BY account_id, country
