-- Which calls a number got, in order: by whom, how long, with which verdict, and where to find
-- them in call_verdict. What is counted for each number is counted from here: groups whose rows
-- lie together take a fraction of the time of groups over all the calls.
SELECT called_e164, started_at, account::VARCHAR AS account_id, called_country, outcome, talk_s, staff, grade, institution_id, place
FROM (
  SELECT called_e164, started_at, account_id::account_id_word AS account, called_country::called_country_word AS called_country, outcome::outcome_word AS outcome, talk_s, staff,
    grade::grade_word AS grade, institution_id::institution_id_word AS institution_id, place
  FROM call_verdict_at WHERE called_e164 IS NOT NULL
  ORDER BY called_e164, started_at, place
)
