-- Answered calls of user accounts by minute, counted from 1970.
WITH parts AS (
  SELECT * FROM was
  UNION ALL
  SELECT epoch_us(started_at) // 60000000, count(*), count(*) FILTER (WHERE called_country = 'GB'), count(*) FILTER (WHERE called_country = 'GB' AND talk_s > 60)
  FROM call_verdict_added WHERE NOT staff AND outcome = 'answered' AND started_at IS NOT NULL GROUP BY 1
)
SELECT minute, sum(calls)::BIGINT AS calls, sum(uk)::BIGINT AS uk, sum(long_uk)::BIGINT AS long_uk
FROM parts
GROUP BY minute
ORDER BY minute
