-- Which calls a number got, in order: by whom, how long, with which verdict, and where to find
-- them in call_verdict. What is counted for each number is counted from here: groups whose rows
-- lie together take a fraction of the time of groups over all the calls.
SELECT called_e164, started_at, account_id, called_country, outcome, talk_s, staff, grade, institution_id, place
FROM call_verdict_at
WHERE called_e164 IS NOT NULL
ORDER BY called_e164, started_at, place
