-- How user accounts showed each number that no verdict explains by the registry or the number
-- plan. Added up from what came to the calls and what there was.
WITH c AS NOT MATERIALIZED (
  SELECT * FROM call_verdict_added WHERE presented_e164 IS NOT NULL AND NOT staff AND grade NOT IN ('A*', 'A', 'B', 'X')
),
b AS NOT MATERIALIZED (
  SELECT presented_e164, account_id, called_e164 FROM call_verdict_before WHERE presented_e164 IS NOT NULL AND NOT staff AND grade NOT IN ('A*', 'A', 'B', 'X')
),
counted AS (
  SELECT presented_e164, count(*) AS calls, count(*) FILTER (WHERE outcome = 'answered') AS answered, min(started_at) AS first_at, max(started_at) AS last_at,
    count(*) FILTER (WHERE rule = 'own number') AS own_calls, min(resembles) AS resembles
  FROM c GROUP BY presented_e164
),
account AS (
  SELECT presented_e164, count(*) AS accounts
  FROM (SELECT DISTINCT presented_e164, account_id FROM c WHERE account_id IS NOT NULL) ANTI JOIN b USING (presented_e164, account_id) GROUP BY presented_e164
),
called AS (
  SELECT presented_e164, count(*) AS called_numbers
  FROM (SELECT DISTINCT presented_e164, called_e164 FROM c WHERE called_e164 IS NOT NULL) ANTI JOIN b USING (presented_e164, called_e164) GROUP BY presented_e164
),
based AS ( -- the first of them
  SELECT presented_e164, min(call_id) AS call_id, arg_min({'s': ref_source, 't': ref_table, 'r': ref_row, 'o': ref_offset}, call_id) AS ref
  FROM c JOIN (SELECT presented_e164, first_at FROM counted) f USING (presented_e164) WHERE started_at IS NOT DISTINCT FROM first_at
  GROUP BY presented_e164
),
parts AS (
  SELECT * EXCLUDE (ref_source, ref_table, ref_row, ref_offset), {'s': ref_source, 't': ref_table, 'r': ref_row, 'o': ref_offset} AS ref FROM was
  UNION ALL BY NAME
  SELECT counted.*, coalesce(accounts, 0) AS accounts, coalesce(called_numbers, 0) AS called_numbers, call_id, ref
  FROM counted JOIN based USING (presented_e164) LEFT JOIN account USING (presented_e164) LEFT JOIN called USING (presented_e164)
),
summed AS (
  SELECT presented_e164, sum(calls)::BIGINT AS calls, sum(answered)::BIGINT AS answered, sum(accounts)::BIGINT AS accounts, sum(called_numbers)::BIGINT AS called_numbers,
    min(first_at) AS first_at, max(last_at) AS last_at, sum(own_calls)::BIGINT AS own_calls, min(resembles) AS resembles,
    arg_min({'id': call_id, 'ref': ref}, {'at': first_at, 'id': call_id}) AS first
  FROM parts GROUP BY presented_e164
)
SELECT * EXCLUDE (first), first.id AS call_id, first.ref.s AS ref_source, first.ref.t AS ref_table, first.ref.r AS ref_row, first.ref.o AS ref_offset
FROM summed
ORDER BY presented_e164
