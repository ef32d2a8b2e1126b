-- Which calls an account made, in order: where to find them in call_verdict. verdict_at is
-- call_verdict with each row's place in it (lookup.go).
SELECT account_id, started_at, place
FROM verdict_at
WHERE account_id IS NOT NULL
ORDER BY account_id, started_at, place
