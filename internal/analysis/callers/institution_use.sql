-- How each institution was impersonated: answered calls of user accounts whose verdict names it.
-- Those of grade D (d) are in no other count.
SELECT i.institution_id, i.name, i.sector, i.country,
  count(v.call_id) FILTER (WHERE v.grade <> 'D') AS calls,
  count(v.call_id) FILTER (WHERE v.grade <> 'D' AND v.called_country = 'GB') AS calls_uk,
  count(v.call_id) FILTER (WHERE v.grade <> 'D' AND v.called_country = 'GB' AND v.talk_s > 60) AS long_calls_uk,
  count(DISTINCT v.account_id) FILTER (WHERE v.grade <> 'D') AS accounts,
  count(DISTINCT v.called_e164) FILTER (WHERE v.grade <> 'D') AS called_numbers,
  count(v.call_id) FILTER (WHERE v.grade = 'A*') AS a_star,
  count(v.call_id) FILTER (WHERE v.grade = 'A') AS a,
  count(v.call_id) FILTER (WHERE v.grade = 'B') AS b,
  count(v.call_id) FILTER (WHERE v.grade = 'C') AS c,
  count(v.call_id) FILTER (WHERE v.grade = 'D') AS d
FROM institution i
LEFT JOIN call_verdict v ON v.institution_id = i.institution_id AND NOT v.staff AND v.outcome = 'answered' AND v.grade IN ('A*', 'A', 'B', 'C', 'D')
GROUP BY ALL
ORDER BY calls DESC, i.institution_id
