-- How each account used each institution's name; where no institution is named, its calls by
-- grade. Of all its calls, and (answered_*) of the answered ones, of which grade D counts in its
-- own column only. Added up from what came to the calls and what there was.
WITH c AS NOT MATERIALIZED ( -- the calls of a number together: each number of a use is found at once
  SELECT account_id, institution_id, CASE WHEN institution_id IS NULL THEN grade END AS other, grade, called_e164, outcome = 'answered' AS answered,
    outcome = 'answered' AND talk_s > 60 AS long
  FROM number_call_added
  UNION ALL
  SELECT account_id, institution_id, CASE WHEN institution_id IS NULL THEN grade END, grade, NULL, outcome = 'answered', outcome = 'answered' AND talk_s > 60
  FROM call_verdict_added WHERE called_e164 IS NULL
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
use AS ( -- a number of a use
  SELECT account_id, institution_id, other, called_e164, bool_or(answered AND grade <> 'D') AS spoken FROM c WHERE called_e164 IS NOT NULL GROUP BY ALL
),
known AS (
  SELECT account_id, institution_id, CASE WHEN institution_id IS NULL THEN grade END AS other, called_e164, bool_or(outcome = 'answered' AND grade <> 'D') AS spoken
  FROM number_call_before b SEMI JOIN (SELECT DISTINCT called_e164 FROM use) n USING (called_e164)
  SEMI JOIN (SELECT DISTINCT called_e164, coalesce(account_id, '') AS account FROM use) u ON u.called_e164 = b.called_e164 AND u.account = coalesce(b.account_id, '')
  GROUP BY ALL
),
numbered AS (
  SELECT u.account_id, u.institution_id, u.other, count(*) FILTER (WHERE k.called_e164 IS NULL) AS numbers, count(*) FILTER (WHERE u.spoken AND NOT coalesce(k.spoken, false)) AS answered_numbers
  FROM use u LEFT JOIN known k ON k.called_e164 = u.called_e164 AND k.account_id IS NOT DISTINCT FROM u.account_id AND k.institution_id IS NOT DISTINCT FROM u.institution_id AND k.other IS NOT DISTINCT FROM u.other
  GROUP BY ALL
),
parts AS (
  SELECT * FROM was
  UNION ALL BY NAME
  SELECT c.*, coalesce(numbers, 0) AS numbers, coalesce(answered_numbers, 0) AS answered_numbers
  FROM counted c LEFT JOIN numbered n ON n.account_id IS NOT DISTINCT FROM c.account_id AND n.institution_id IS NOT DISTINCT FROM c.institution_id AND n.other IS NOT DISTINCT FROM c.other
)
SELECT account_id, institution_id, other, sum(calls)::BIGINT AS calls, sum(long_calls)::BIGINT AS long_calls, sum(numbers)::BIGINT AS numbers,
  sum(a_star)::BIGINT AS a_star, sum(a)::BIGINT AS a, sum(b)::BIGINT AS b, sum(c)::BIGINT AS c, sum(d)::BIGINT AS d,
  sum(answered_calls)::BIGINT AS answered_calls, sum(answered_long_calls)::BIGINT AS answered_long_calls, sum(answered_numbers)::BIGINT AS answered_numbers,
  sum(answered_a_star)::BIGINT AS answered_a_star, sum(answered_a)::BIGINT AS answered_a, sum(answered_b)::BIGINT AS answered_b, sum(answered_c)::BIGINT AS answered_c,
  sum(answered_d)::BIGINT AS answered_d
FROM parts
GROUP BY account_id, institution_id, other
ORDER BY account_id, institution_id, other
