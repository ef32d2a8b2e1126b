-- Which calls a number got, in order: by whom, how long, and where to find them in
-- call_verdict. verdict_at is call_verdict with each row's place in it (lookup.go).
SELECT called_e164, started_at, account_id, outcome, talk_s, place
FROM verdict_at
WHERE called_e164 IS NOT NULL
ORDER BY called_e164, started_at, place
