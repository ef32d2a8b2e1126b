-- One row a pair of accounts that worked the same list of called numbers (docs/campaigns.md).
-- What counts is a day of one account and a day of the other, at most 3 days apart, on which
-- both called at least 6 same numbers, and 5 times as many as chance gives two accounts that
-- called so many of all the numbers of that week. A pair needs 12 numbers on such days.
-- Numbers that more than 8 accounts called in the week say nothing about a list.
WITH called AS (
  SELECT account_id, called_e164, day, day // 7 AS week, min(started_at) AS at
  FROM (SELECT account_id, called_e164, started_at, epoch_us(started_at) // 86400000000 AS day FROM call_verdict
        WHERE NOT staff AND called_e164 IS NOT NULL AND started_at IS NOT NULL AND account_id IS NOT NULL)
  GROUP BY ALL
),
world AS (SELECT week, count(DISTINCT called_e164) AS numbers FROM called GROUP BY week),
size AS (SELECT account_id, day, count(*) AS n FROM called GROUP BY ALL HAVING count(*) >= 6),
popular AS (SELECT called_e164, week FROM called GROUP BY ALL HAVING count(DISTINCT account_id) > 8),
listed AS (
  SELECT c.*, s.n FROM called c JOIN size s USING (account_id, day) ANTI JOIN popular p USING (called_e164, week)
),
cell AS (
  SELECT a.account_id AS account_a, b.account_id AS account_b, a.day AS day_a, b.day AS day_b, a.week, any_value(a.n) AS n_a, any_value(b.n) AS n_b, count(*) AS shared,
    min(least(a.at, b.at)) AS first_at, max(greatest(a.at, b.at)) AS last_at, sum(abs(date_diff('minute', a.at, b.at))) AS apart, min({'at': a.at, 'called': a.called_e164}) AS first_a
  FROM listed a JOIN listed b ON a.called_e164 = b.called_e164 AND a.account_id < b.account_id AND b.day BETWEEN a.day - 3 AND a.day + 3
  GROUP BY a.account_id, b.account_id, a.day, b.day, a.week HAVING count(*) >= 6
),
judged AS (
  SELECT c.*, c.shared * w.numbers / (CAST(c.n_a AS DOUBLE) * c.n_b) AS lift FROM cell c JOIN world w USING (week)
),
pair AS (
  SELECT account_a, account_b, count(*) AS days, sum(shared)::BIGINT AS shared, sum(n_a)::BIGINT AS called_a, sum(n_b)::BIGINT AS called_b, round(min(lift), 1) AS lift,
    min(first_at) AS first_at, max(last_at) AS last_at, CAST(round(sum(apart) / sum(shared)) AS BIGINT) AS apart_minutes, min(first_a) AS first_a
  FROM judged WHERE lift >= 5 GROUP BY account_a, account_b HAVING sum(shared) >= 12
)
SELECT pair.account_a, account_b, shared, called_a, called_b, round(shared / (called_a + called_b - shared), 4) AS jaccard, lift, days, first_at, last_at, apart_minutes,
  shared || ' numbers called by both, ' || apart_minutes || ' minutes apart on average, of ' || called_a || ' and ' || called_b || ' that they called on ' || days || ' pair(s) of days: at least '
    || lift || ' times what chance gives' AS reasons,
  $rule_version AS rule_version, ref.s AS ref_source, ref.t AS ref_table, ref.r AS ref_row, ref.o AS ref_offset
FROM pair JOIN (
  SELECT account_id AS account_a, started_at, called_e164, min({'s': ref_source, 't': ref_table, 'r': ref_row, 'o': ref_offset}) AS ref
  FROM call_verdict WHERE account_id IN (SELECT account_a FROM pair) GROUP BY ALL
) v ON v.account_a = pair.account_a AND v.started_at = first_a.at AND v.called_e164 = first_a.called
ORDER BY shared DESC, pair.account_a, account_b
