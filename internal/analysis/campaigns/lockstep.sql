-- One row a pair of accounts that worked the same list of called numbers (docs/campaigns.md).
-- What counts is a day of one account and a day of the other, at most 3 days apart, on which
-- both called at least 6 same numbers, and 5 times as many as chance gives two accounts that
-- called so many of all the numbers of that week. A pair needs 12 numbers on such days.
-- Numbers that more than 8 accounts called in the week say nothing about a list.
WITH account_no AS ( -- accounts as numbers, in the order of their ids
  SELECT account_id, row_number() OVER (ORDER BY account_id) AS no FROM (SELECT DISTINCT account_id FROM call_verdict WHERE account_id IS NOT NULL)
),
called AS (
  SELECT no, called_e164, day, day // 7 AS week, min(us) AS us
  FROM (SELECT no, called_e164, epoch_us(started_at) AS us, epoch_us(started_at) // 86400000000 AS day FROM call_verdict JOIN account_no USING (account_id)
        WHERE NOT staff AND called_e164 IS NOT NULL AND started_at IS NOT NULL)
  GROUP BY ALL
),
in_week AS (SELECT called_e164, week, count(*) AS n FROM called GROUP BY ALL),
world AS (SELECT week, count(*) AS numbers FROM in_week GROUP BY week),
size AS (SELECT no, day, count(*) AS n FROM called GROUP BY ALL HAVING count(*) >= 6),
popular AS (
  SELECT called_e164, week FROM called SEMI JOIN (SELECT called_e164, week FROM in_week WHERE n > 8) USING (called_e164, week) GROUP BY ALL HAVING count(DISTINCT no) > 8
),
listed AS (
  SELECT c.*, s.n FROM called c JOIN size s USING (no, day) ANTI JOIN popular p USING (called_e164, week)
),
cell AS (
  SELECT a.no AS no_a, b.no AS no_b, a.day AS day_a, b.day AS day_b, a.week, any_value(a.n) AS n_a, any_value(b.n) AS n_b, count(*) AS shared,
    min(least(a.us, b.us)) AS first_us, max(greatest(a.us, b.us)) AS last_us, sum(abs(b.us // 60000000 - a.us // 60000000)) AS apart, min({'us': a.us, 'called': a.called_e164}) AS first_a
  FROM listed a JOIN listed b ON a.called_e164 = b.called_e164 AND a.no < b.no AND b.day BETWEEN a.day - 3 AND a.day + 3
  GROUP BY a.no, b.no, a.day, b.day, a.week HAVING count(*) >= 6
),
judged AS (
  SELECT c.*, c.shared * w.numbers / (CAST(c.n_a AS DOUBLE) * c.n_b) AS lift FROM cell c JOIN world w USING (week)
),
pair AS (
  SELECT no_a, no_b, count(*) AS days, sum(shared)::BIGINT AS shared, sum(n_a)::BIGINT AS called_a, sum(n_b)::BIGINT AS called_b, round(min(lift), 1) AS lift,
    make_timestamptz(min(first_us)) AS first_at, make_timestamptz(max(last_us)) AS last_at, CAST(round(sum(apart) / sum(shared)) AS BIGINT) AS apart_minutes, min(first_a) AS first_a
  FROM judged WHERE lift >= 5 GROUP BY no_a, no_b HAVING sum(shared) >= 12
),
first_call AS ( -- the row of the call that each pair begins with
  SELECT f.account_id, f.us, f.called, min({'s': ref_source, 't': ref_table, 'r': ref_row, 'o': ref_offset}) AS ref
  FROM (SELECT DISTINCT account_id, first_a.us AS us, first_a.called AS called FROM pair JOIN account_no ON no = no_a) f
  JOIN call_verdict v ON v.account_id = f.account_id AND v.called_e164 = f.called AND v.started_at = make_timestamptz(f.us)
  GROUP BY ALL
)
SELECT a.account_id AS account_a, b.account_id AS account_b, shared, called_a, called_b, round(shared / (called_a + called_b - shared), 4) AS jaccard, lift, days, first_at, last_at, apart_minutes,
  shared || ' numbers called by both, ' || apart_minutes || ' minutes apart on average, of ' || called_a || ' and ' || called_b || ' that they called on ' || days || ' pair(s) of days: at least '
    || lift || ' times what chance gives' AS reasons,
  $rule_version AS rule_version, ref.s AS ref_source, ref.t AS ref_table, ref.r AS ref_row, ref.o AS ref_offset
FROM pair JOIN account_no a ON a.no = no_a JOIN account_no b ON b.no = no_b
JOIN first_call f ON f.account_id = a.account_id AND f.us = first_a.us AND f.called = first_a.called
ORDER BY shared DESC, account_a, account_b
