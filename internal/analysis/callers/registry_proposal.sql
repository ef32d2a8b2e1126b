-- Numbers in no registry that user accounts showed in at least 20 calls: for a person to find
-- out whose they are. What is known of each stands beside it; nothing is added to the registry.
WITH used AS (SELECT *, presented_e164 AS number FROM presented_number WHERE calls >= 20),
names AS (
  SELECT presented_e164 AS number, presented_name, institution_id, calls AS n FROM number_name SEMI JOIN used USING (presented_e164)
),
shown AS ( -- the five that were shown most
  SELECT number, array_to_string(list_transform(min({'n': -n, 'name': presented_name}, 5), lambda x: x.name), '; ') AS names,
    string_agg(DISTINCT institution_id, ', ' ORDER BY institution_id) AS institutions
  FROM names GROUP BY number
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
  u.ref_source, u.ref_table, u.ref_row, u.ref_offset
FROM used u LEFT JOIN shown s USING (number) LEFT JOIN near x USING (number) LEFT JOIN plan p USING (number)
ORDER BY u.calls DESC, u.number
