-- Which calls an account made, in order: where to find them in call_verdict.
SELECT account_id, started_at, place
FROM call_verdict_at
WHERE account_id IS NOT NULL
ORDER BY account_id, started_at, place
