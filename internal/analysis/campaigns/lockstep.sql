-- One row a pair of accounts that worked the same list of called numbers (docs/campaigns.md): that
-- called at least 12 same numbers on the pairs of days of lockstep_day.
WITH pair AS (
  SELECT account_a, account_b, count(*) AS days, sum(shared)::BIGINT AS shared, sum(called_a)::BIGINT AS called_a, sum(called_b)::BIGINT AS called_b, round(min(lift), 1) AS lift,
    min(first_at) AS first_at, max(last_at) AS last_at, CAST(round(sum(apart_minutes) / sum(shared)) AS BIGINT) AS apart_minutes,
    arg_min({'s': ref_source, 't': ref_table, 'r': ref_row, 'o': ref_offset}, {'at': started_at, 'number': called_e164}) AS ref
  FROM lockstep_day GROUP BY account_a, account_b HAVING sum(shared) >= 12
)
SELECT account_a, account_b, shared, called_a, called_b, round(shared / (called_a + called_b - shared), 4) AS jaccard, lift, days, first_at, last_at, apart_minutes,
  shared || ' numbers called by both, ' || apart_minutes || ' minutes apart on average, of ' || called_a || ' and ' || called_b || ' that they called on ' || days || ' pair(s) of days: at least '
    || lift || ' times what chance gives' AS reasons,
  $rule_version AS rule_version, ref.s AS ref_source, ref.t AS ref_table, ref.r AS ref_row, ref.o AS ref_offset
FROM pair
ORDER BY shared DESC, account_a, account_b
