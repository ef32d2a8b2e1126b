-- How each account used each institution's name; where no institution is named, its calls by
-- grade. Of all its calls, and (answered_*) of the answered ones, of which grade D counts in its
-- own column only.
WITH c AS (
  SELECT account_id, institution_id, CASE WHEN institution_id IS NULL THEN grade END AS other, grade, called_e164, outcome = 'answered' AS answered,
    outcome = 'answered' AND talk_s > 60 AS long
  FROM call_verdict
)
SELECT account_id, institution_id, other, count(*) AS calls, count(*) FILTER (WHERE long) AS long_calls, count(DISTINCT called_e164) AS numbers,
  count(*) FILTER (WHERE grade = 'A*') AS a_star, count(*) FILTER (WHERE grade = 'A') AS a, count(*) FILTER (WHERE grade = 'B') AS b,
  count(*) FILTER (WHERE grade = 'C') AS c, count(*) FILTER (WHERE grade = 'D') AS d,
  count(*) FILTER (WHERE answered AND grade <> 'D') AS answered_calls, count(*) FILTER (WHERE long AND grade <> 'D') AS answered_long_calls,
  count(DISTINCT called_e164) FILTER (WHERE answered AND grade <> 'D') AS answered_numbers,
  count(*) FILTER (WHERE answered AND grade = 'A*') AS answered_a_star, count(*) FILTER (WHERE answered AND grade = 'A') AS answered_a,
  count(*) FILTER (WHERE answered AND grade = 'B') AS answered_b, count(*) FILTER (WHERE answered AND grade = 'C') AS answered_c,
  count(*) FILTER (WHERE answered AND grade = 'D') AS answered_d
FROM c
GROUP BY account_id, institution_id, other
ORDER BY account_id, institution_id, other
