-- How many log-ins and requests of each account are recorded, the first and last of them, and
-- from how many addresses they came.
WITH counted AS (
  SELECT account_id, count(*) AS sessions, min("at") AS first_at, max("at") AS last_at
  FROM session_added WHERE account_id IS NOT NULL GROUP BY account_id
),
addressed AS (
  SELECT account_id, count(*) AS ips
  FROM (SELECT DISTINCT account_id, ip FROM session_added WHERE ip <> '') ANTI JOIN session_before USING (account_id, ip) GROUP BY account_id
),
parts AS (
  SELECT * FROM was
  UNION ALL
  SELECT account_id, sessions, first_at, last_at, coalesce(ips, 0) FROM counted LEFT JOIN addressed USING (account_id)
)
SELECT account_id, sum(sessions)::BIGINT AS sessions, min(first_at) AS first_at, max(last_at) AS last_at, sum(ips)::BIGINT AS ips
FROM parts
GROUP BY account_id
ORDER BY account_id
