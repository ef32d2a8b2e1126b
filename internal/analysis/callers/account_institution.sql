-- How each account used each institution's name; where no institution is named, its calls by
-- grade. Of all its calls, and (answered_*) of the answered ones, of which grade D counts in its
-- own column only.
WITH c AS NOT MATERIALIZED ( -- the calls of a number together: each number of a use is found at once
  SELECT account_id, institution_id, CASE WHEN institution_id IS NULL THEN grade END AS other, grade, called_e164, outcome = 'answered' AS answered,
    outcome = 'answered' AND talk_s > 60 AS long
  FROM number_call
  UNION ALL
  SELECT account_id, institution_id, CASE WHEN institution_id IS NULL THEN grade END, grade, NULL, outcome = 'answered', outcome = 'answered' AND talk_s > 60
  FROM call_verdict WHERE called_e164 IS NULL
),
counted AS (
  SELECT account_id, institution_id, other, count(*) AS calls, count(*) FILTER (WHERE long) AS long_calls,
    count(*) FILTER (WHERE grade = 'A*') AS a_star, count(*) FILTER (WHERE grade = 'A') AS a, count(*) FILTER (WHERE grade = 'B') AS b,
    count(*) FILTER (WHERE grade = 'C') AS c, count(*) FILTER (WHERE grade = 'D') AS d,
    count(*) FILTER (WHERE answered AND grade <> 'D') AS answered_calls, count(*) FILTER (WHERE long AND grade <> 'D') AS answered_long_calls,
    count(*) FILTER (WHERE answered AND grade = 'A*') AS answered_a_star, count(*) FILTER (WHERE answered AND grade = 'A') AS answered_a,
    count(*) FILTER (WHERE answered AND grade = 'B') AS answered_b, count(*) FILTER (WHERE answered AND grade = 'C') AS answered_c,
    count(*) FILTER (WHERE answered AND grade = 'D') AS answered_d
  FROM c GROUP BY ALL
),
numbered AS (
  SELECT account_id, institution_id, other, count(called_e164) AS numbers, count(called_e164) FILTER (WHERE spoken) AS answered_numbers
  FROM (SELECT account_id, institution_id, other, called_e164, bool_or(answered AND grade <> 'D') AS spoken FROM c GROUP BY ALL) GROUP BY ALL
)
SELECT c.account_id, c.institution_id, c.other, calls, long_calls, numbers, a_star, a, b, c, d, answered_calls, answered_long_calls, answered_numbers,
  answered_a_star, answered_a, answered_b, answered_c, answered_d
FROM counted c JOIN numbered n ON n.account_id IS NOT DISTINCT FROM c.account_id AND n.institution_id IS NOT DISTINCT FROM c.institution_id AND n.other IS NOT DISTINCT FROM c.other
ORDER BY c.account_id, c.institution_id, c.other
