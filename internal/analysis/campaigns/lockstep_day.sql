-- One row a day of one account and a day of another, at most 3 days apart, on which both called
-- at least 6 same numbers, and 5 times as many as chance gives two accounts that called so many
-- of all the numbers of that week (docs/campaigns.md). Numbers that more than 8 accounts called
-- in the week say nothing about a list.
--
-- Calls are read in the order of number_call: by number, and by time. What a number got without a pause
-- of more than 3 days is a streak. Two days at most 3 days apart are in one streak, so only
-- streaks of two accounts are compared; of the others it counts how many numbers they are.
--
-- touched are weeks, from Thursday to Wednesday, counted from 1970. What is said of a day stands
-- on whole weeks: its own and those beside it.
WITH account_no AS ( -- accounts as numbers, in the order of their ids
  SELECT account_id, row_number() OVER (ORDER BY account_id) AS no FROM (SELECT DISTINCT account_id FROM listed_call)
),
beside AS ( -- each call of a user beside the one before it, and the eighth before it
  SELECT called_e164, account_id, us, day, lag(called_e164) OVER () AS called_before, lag(day) OVER () AS day_before, lag(account_id) OVER () AS account_before,
    lag(called_e164, 8) OVER () AS called_8_before, lag(day, 8) OVER () AS day_8_before
  FROM (SELECT called_e164, account_id, epoch_us(started_at) AS us, CAST(epoch_us(started_at) // 86400000000 AS INTEGER) AS day
        FROM listed_call WHERE NOT staff AND started_at IS NOT NULL AND account_id IS NOT NULL)
),
marked AS (
  SELECT called_e164, account_id, account_before, us, day,
    CASE WHEN called_before > called_e164 THEN error('number_call is not in its order') ELSE called_before IS DISTINCT FROM called_e164 OR day - day_before > 3 END AS begins,
    called_before IS DISTINCT FROM called_e164 OR day // 7 <> day_before // 7 AS new_week
  FROM beside WHERE called_before IS DISTINCT FROM called_e164 OR day <> day_before OR account_id <> account_before
),
streak AS (SELECT *, sum(CAST(begins AS INTEGER)) OVER (ROWS UNBOUNDED PRECEDING)::BIGINT AS streak FROM marked),
shared AS (SELECT DISTINCT streak FROM streak WHERE NOT begins AND account_id <> account_before),
called AS ( -- a row an account, a day and a number of a shared streak
  SELECT streak, account_id, day, any_value(called_e164) AS called_e164, min(us) AS us FROM streak SEMI JOIN shared USING (streak) GROUP BY streak, account_id, day
),
world AS (SELECT day // 7 AS week, count(*) AS numbers FROM streak WHERE new_week GROUP BY ALL), -- how many numbers all called in a week
size AS ( -- how many an account called on a day; in a streak of its own its calls to one number lie together
  SELECT account_id, day, sum(n)::BIGINT AS n FROM (
    SELECT account_id, day, count(*) AS n FROM called GROUP BY ALL
    UNION ALL SELECT account_id, day, count(*) FROM streak ANTI JOIN shared USING (streak) GROUP BY ALL
  ) GROUP BY ALL HAVING sum(n) >= 6
),
popular AS (
  SELECT called_e164, week FROM (SELECT called_e164, account_id, epoch_us(started_at) // 86400000000 // 7 AS week FROM listed_call WHERE NOT staff)
  SEMI JOIN (SELECT DISTINCT called_e164, day // 7 AS week FROM beside WHERE called_8_before = called_e164 AND day_8_before // 7 = day // 7) USING (called_e164, week)
  GROUP BY ALL HAVING count(DISTINCT account_id) > 8
),
listed AS (
  SELECT no, streak, day, called_e164, us, n FROM called JOIN size USING (account_id, day) JOIN account_no USING (account_id)
  WHERE (called_e164, day // 7) NOT IN (SELECT (called_e164, week) FROM popular)
),
cell AS ( -- first_a is a time, made positive, and a number of up to 15 digits in one: the first that both called
  SELECT a.no AS no_a, b.no AS no_b, a.day AS day_a, b.day AS day_b, a.n AS n_a, b.n AS n_b, count(*) AS shared,
    min(least(a.us, b.us)) AS first_us, max(greatest(a.us, b.us)) AS last_us, sum(abs(b.us // 60000000 - a.us // 60000000)) AS apart, min((a.us + 9223372036854775807::HUGEINT) * 1000000000000000 + a.called_e164) AS first_a
  FROM listed a JOIN listed b ON a.streak = b.streak AND a.no < b.no AND b.day BETWEEN a.day - 3 AND a.day + 3
  GROUP BY a.no, b.no, a.day, b.day, a.n, b.n HAVING count(*) >= 6
),
judged AS (
  SELECT c.*, c.shared * w.numbers / (CAST(c.n_a AS DOUBLE) * c.n_b) AS lift FROM cell c JOIN world w ON w.week = c.day_a // 7
),
named AS (
  SELECT a.account_id AS account_a, b.account_id AS account_b, DATE '1970-01-01' + day_a AS day_a, DATE '1970-01-01' + day_b AS day_b, shared, n_a AS called_a, n_b AS called_b, lift,
    make_timestamptz(first_us) AS first_at, make_timestamptz(last_us) AS last_at, apart::BIGINT AS apart_minutes,
    (first_a % 1000000000000000)::BIGINT AS called_e164, make_timestamptz((first_a // 1000000000000000 - 9223372036854775807)::BIGINT) AS started_at
  FROM judged JOIN account_no a ON a.no = no_a JOIN account_no b ON b.no = no_b
  WHERE lift >= 5 AND (NOT getvariable('grown') OR day_a // 7 IN (SELECT week FROM touched))
),
first_call AS ( -- the row of the call that each begins with
  SELECT account_a, account_b, day_a, day_b, min({'s': ref_source, 't': ref_table, 'r': ref_row, 'o': ref_offset}) AS ref
  FROM named JOIN listed_call c ON c.called_e164 = named.called_e164 AND c.started_at = named.started_at AND c.account_id = account_a JOIN call_verdict_at USING (place)
  GROUP BY ALL
)
SELECT * FROM was
UNION ALL
SELECT account_a, account_b, day_a, day_b, shared, called_a, called_b, lift, first_at, last_at, apart_minutes, called_e164, started_at,
  ref.s AS ref_source, ref.t AS ref_table, ref.r AS ref_row, ref.o AS ref_offset
FROM named JOIN first_call USING (account_a, account_b, day_a, day_b)
ORDER BY account_a, account_b, day_a, day_b
