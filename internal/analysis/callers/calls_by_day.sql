-- Calls of user accounts by day of the case's time zone.
WITH quarter AS ( -- zones change their clocks on the quarter hour
  SELECT epoch_us(started_at) // 900000000 AS q, count(*) AS calls,
    count(*) FILTER (WHERE outcome = 'answered') AS answered,
    count(*) FILTER (WHERE outcome = 'answered' AND called_country = 'GB') AS calls_uk,
    count(*) FILTER (WHERE outcome = 'answered' AND called_country = 'GB' AND talk_s > 60) AS long_calls_uk
  FROM call_verdict_added WHERE NOT staff AND started_at IS NOT NULL GROUP BY ALL
),
parts AS (
  SELECT * FROM was
  UNION ALL SELECT CAST(timezone($zone, make_timestamptz(q * 900000000)) AS DATE), calls, answered, calls_uk, long_calls_uk FROM quarter
)
SELECT day, sum(calls)::BIGINT AS calls, sum(answered)::BIGINT AS answered, sum(calls_uk)::BIGINT AS calls_uk, sum(long_calls_uk)::BIGINT AS long_calls_uk
FROM parts
GROUP BY day
ORDER BY day
