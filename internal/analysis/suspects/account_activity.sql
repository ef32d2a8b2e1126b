-- What the calls of each account add up to. Added up from what came to them and what there was.
WITH quarter AS ( -- zones change their clocks on the quarter hour
  SELECT q, CAST(timezone($zone, make_timestamptz(q * 900000000)) AS DATE) AS day
  FROM (SELECT DISTINCT epoch_us(started_at) // 900000000 AS q FROM call_verdict WHERE started_at IS NOT NULL)
),
new_day AS MATERIALIZED (SELECT DISTINCT account_id, day FROM call_verdict_added JOIN quarter ON q = epoch_us(started_at) // 900000000 WHERE account_id IS NOT NULL),
counted AS (
  SELECT account_id, count(*) AS calls, count(*) FILTER (WHERE outcome = 'answered') AS answered,
    count(*) FILTER (WHERE outcome = 'answered' AND talk_s > 60) AS long_calls,
    count(*) FILTER (WHERE outcome = 'answered' AND called_country = 'GB') AS calls_uk,
    count(*) FILTER (WHERE outcome = 'answered' AND called_country = 'GB' AND talk_s > 60) AS long_calls_uk,
    min(started_at) AS first_at, max(started_at) AS last_at
  FROM call_verdict_added WHERE account_id IS NOT NULL GROUP BY account_id
),
reached AS ( -- the numbers with which it talked for long
  SELECT account_id, count(*) AS victims, count(*) FILTER (WHERE country = 'GB') AS victims_uk
  FROM (
    SELECT account_id, called_e164, any_value(called_country) AS country FROM number_call_added WHERE account_id IS NOT NULL AND outcome = 'answered' AND talk_s > 60 GROUP BY ALL
  ) ANTI JOIN (
    SELECT account_id, called_e164 FROM number_call_before WHERE outcome = 'answered' AND talk_s > 60
  ) USING (account_id, called_e164)
  GROUP BY account_id
),
active AS (
  SELECT account_id, count(*) AS active_days
  FROM new_day ANTI JOIN (
    SELECT account_id, day FROM call_verdict_before JOIN (SELECT q, day FROM quarter SEMI JOIN new_day USING (day)) ON q = epoch_us(started_at) // 900000000
  ) USING (account_id, day)
  GROUP BY account_id
),
parts AS (
  SELECT * FROM was
  UNION ALL BY NAME
  SELECT counted.*, coalesce(victims, 0) AS victims, coalesce(victims_uk, 0) AS victims_uk, coalesce(active_days, 0) AS active_days
  FROM counted LEFT JOIN reached USING (account_id) LEFT JOIN active USING (account_id)
)
SELECT account_id, sum(calls)::BIGINT AS calls, sum(answered)::BIGINT AS answered, sum(long_calls)::BIGINT AS long_calls, sum(calls_uk)::BIGINT AS calls_uk,
  sum(long_calls_uk)::BIGINT AS long_calls_uk, sum(victims)::BIGINT AS victims, sum(victims_uk)::BIGINT AS victims_uk, min(first_at) AS first_at, max(last_at) AS last_at,
  sum(active_days)::BIGINT AS active_days
FROM parts
GROUP BY account_id
ORDER BY account_id
