-- Calls of user accounts by day of the case's time zone.
WITH quarter AS (
  SELECT q, CAST(timezone($zone, make_timestamptz(q * 900000000)) AS DATE) AS day
  FROM (SELECT DISTINCT epoch_us(started_at) // 900000000 AS q FROM call_verdict WHERE started_at IS NOT NULL)
)
SELECT q.day, count(*) AS calls,
  count(*) FILTER (WHERE v.outcome = 'answered') AS answered,
  count(*) FILTER (WHERE v.outcome = 'answered' AND v.called_country = 'GB') AS calls_uk,
  count(*) FILTER (WHERE v.outcome = 'answered' AND v.called_country = 'GB' AND v.talk_s > 60) AS long_calls_uk
FROM call_verdict v JOIN quarter q ON q.q = epoch_us(v.started_at) // 900000000
WHERE NOT v.staff
GROUP BY q.day
ORDER BY q.day
