-- Numbers in no registry that user accounts showed in at least 20 calls: for a person to find
-- out whose they are. What is known of each stands beside it; nothing is added to the registry.
WITH seen AS ( -- the few that were shown often enough
  SELECT presented_e164 AS number FROM call_verdict
  WHERE presented_e164 IS NOT NULL AND NOT staff AND grade NOT IN ('A*', 'A', 'B', 'X')
  GROUP BY presented_e164 HAVING count(*) >= 20
),
used AS (
  SELECT presented_e164 AS number, count(*) AS calls, count(*) FILTER (WHERE outcome = 'answered') AS answered, count(DISTINCT account_id) AS accounts,
    count(DISTINCT called_e164) AS called_numbers, min(started_at) AS first_at, max(started_at) AS last_at,
    count(*) FILTER (WHERE rule = 'own number') AS own_calls, min(resembles) AS resembles
  FROM call_verdict
  WHERE presented_e164 IN (SELECT number FROM seen) AND NOT staff AND grade NOT IN ('A*', 'A', 'B', 'X')
  GROUP BY presented_e164
),
based AS ( -- the row of the first of them
  SELECT presented_e164 AS number, arg_min({'s': ref_source, 't': ref_table, 'r': ref_row, 'o': ref_offset}, call_id) AS ref
  FROM call_verdict JOIN used ON presented_e164 = number AND started_at IS NOT DISTINCT FROM first_at
  WHERE NOT staff AND grade NOT IN ('A*', 'A', 'B', 'X')
  GROUP BY presented_e164
),
names AS (
  SELECT presented_e164 AS number, presented_name, institution_id, count(*) AS n
  FROM call_verdict WHERE presented_name IS NOT NULL AND presented_e164 IN (SELECT number FROM seen) AND NOT staff GROUP BY ALL
),
shown AS (
  SELECT number, string_agg(presented_name, '; ' ORDER BY n DESC, presented_name) FILTER (WHERE place <= 5) AS names,
    string_agg(DISTINCT institution_id, ', ' ORDER BY institution_id) AS institutions
  FROM (SELECT *, row_number() OVER (PARTITION BY number ORDER BY n DESC, presented_name) AS place FROM names) GROUP BY number
),
near AS ( -- the nearest registered number below, of the same ten thousand
  SELECT u.number, arg_max(i.name || ' (' || n.number_from || ')', (n.number_from, i.institution_id)) AS neighbour
  FROM used u JOIN institution_number n ON n.number_from // 10000 = u.number // 10000 AND n.number_from <= u.number
  JOIN institution i USING (institution_id) GROUP BY u.number
),
plan AS (SELECT number, status, kind, provider, area FROM used ASOF JOIN uk_block ON british_key(number) >= number_from)
SELECT u.number AS presented_e164, u.calls, u.answered, u.accounts, u.called_numbers, u.first_at, u.last_at, s.names, s.institutions,
  p.kind, p.provider, p.area, x.neighbour, u.resembles, u.own_calls,
  u.calls || ' calls by ' || u.accounts || ' accounts show it' || coalesce('; with names of ' || s.institutions, '') || coalesce('; ' || p.kind, '') || coalesce(' of ' || p.provider, '')
    || coalesce(' in ' || p.area, '') || coalesce('; near ' || x.neighbour, '') || CASE WHEN u.own_calls > 0 THEN '; ' || u.own_calls || ' of them by an account whose telephone it is' ELSE '' END AS reasons,
  b.ref.s AS ref_source, b.ref.t AS ref_table, b.ref.r AS ref_row, b.ref.o AS ref_offset
FROM used u JOIN based b USING (number) LEFT JOIN shown s USING (number) LEFT JOIN near x USING (number) LEFT JOIN plan p USING (number)
ORDER BY u.calls DESC, u.number
