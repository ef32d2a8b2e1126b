-- How many log-ins and requests of each account are recorded, and the first and last of them.
SELECT account_id, count(*) AS sessions, min("at") AS first_at, max("at") AS last_at
FROM session
WHERE account_id IS NOT NULL
GROUP BY account_id
ORDER BY account_id
