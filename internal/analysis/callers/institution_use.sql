-- How each institution was impersonated: answered calls of user accounts whose verdict names it.
-- Those of grade D (d) are in no other count. Verdicts on calls of staff name none. What
-- account_institution does not tell is added up from what came to the calls and what there was.
WITH named AS (
  SELECT institution_id, called_e164, called_country, talk_s FROM call_verdict_added
  WHERE institution_id IS NOT NULL AND NOT staff AND outcome = 'answered' AND grade IN ('A*', 'A', 'B', 'C')
),
uk AS (
  SELECT institution_id, count(*) AS calls_uk, count(*) FILTER (WHERE talk_s > 60) AS long_calls_uk FROM named WHERE called_country = 'GB' GROUP BY institution_id
),
called AS (
  SELECT institution_id, count(*) AS called_numbers
  FROM (
    SELECT DISTINCT institution_id, called_e164 FROM named WHERE called_e164 IS NOT NULL
  ) ANTI JOIN (
    SELECT institution_id, called_e164 FROM number_call_before WHERE institution_id IS NOT NULL AND outcome = 'answered' AND grade IN ('A*', 'A', 'B', 'C')
  ) USING (institution_id, called_e164)
  GROUP BY institution_id
),
used AS (
  SELECT institution_id, sum(answered_calls)::BIGINT AS calls, count(account_id) FILTER (WHERE answered_calls > 0) AS accounts, sum(answered_a_star)::BIGINT AS a_star,
    sum(answered_a)::BIGINT AS a, sum(answered_b)::BIGINT AS b, sum(answered_c)::BIGINT AS c, sum(answered_d)::BIGINT AS d
  FROM account_institution WHERE institution_id IS NOT NULL GROUP BY institution_id
)
SELECT institution_id, i.name, i.sector, i.country, coalesce(used.calls, 0) AS calls,
  coalesce(w.calls_uk, 0) + coalesce(uk.calls_uk, 0) AS calls_uk, coalesce(w.long_calls_uk, 0) + coalesce(uk.long_calls_uk, 0) AS long_calls_uk,
  coalesce(used.accounts, 0) AS accounts, coalesce(w.called_numbers, 0) + coalesce(called.called_numbers, 0) AS called_numbers,
  coalesce(used.a_star, 0) AS a_star, coalesce(used.a, 0) AS a, coalesce(used.b, 0) AS b, coalesce(used.c, 0) AS c, coalesce(used.d, 0) AS d
FROM institution i LEFT JOIN used USING (institution_id) LEFT JOIN uk USING (institution_id) LEFT JOIN called USING (institution_id) LEFT JOIN was w USING (institution_id)
ORDER BY calls DESC, institution_id
