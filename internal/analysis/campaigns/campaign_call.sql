-- One row a call that belongs to a campaign (docs/campaigns.md). What holds a campaign
-- together is an account and, of the first of these that a call has, the family of its script,
-- the institution its verdict names, the number or the name or the text it presented: its mark.
--
-- A run is a stretch of such calls with no pause over 15 minutes. It is measured against the
-- account's ordinary rate: its calls under the same mark on its other active days of the two
-- weeks before and behind (a day has 8 hours), but at least one in two hours. Where that rate
-- lets m calls be expected in the length of the run and five minutes, and there are n, the
-- run's surprise is n ln(n/m) - (n - m), the likelihood ratio of a Poisson scan (Kulldorff
-- 1997). A burst is a run with a surprise of 30. Bursts at most 3 days apart are one campaign,
-- together with runs of 16, and any run of 3 calls within an hour of a burst. A campaign has at
-- least 15 calls.
WITH of_call AS ( -- what the verdict does not say of a call: few have a script, few show no number and no name
  SELECT c.call_id, f.family_id, nullif(c.presented_raw, '') AS presented_raw
  FROM call c LEFT JOIN (SELECT script_id, min(family_id) AS family_id FROM script_family GROUP BY script_id) f USING (script_id)
  WHERE f.family_id IS NOT NULL OR c.presented_e164 IS NULL AND c.presented_name IS NULL AND c.presented_raw <> ''
),
c AS ( -- us in microseconds, day in days: arithmetic of integers is several times as fast as that of times
  SELECT v.call_id, v.account_id, epoch_us(v.started_at) AS us, CAST(make_timestamp(epoch_us(v.started_at)) AS DATE) - DATE '1970-01-01' AS day,
    CASE WHEN o.family_id IS NOT NULL THEN 'script' WHEN v.institution_id IS NOT NULL THEN 'institution' WHEN v.presented_e164 IS NOT NULL THEN 'number' ELSE 'name' END AS basis,
    coalesce(o.family_id, v.institution_id, CAST(v.presented_e164 AS VARCHAR), v.presented_name, o.presented_raw) AS mark
  FROM call_verdict v LEFT JOIN of_call o USING (call_id)
  WHERE NOT v.staff AND v.started_at IS NOT NULL AND v.account_id IS NOT NULL
),
per_day AS (SELECT account_id, basis, mark, day, count(*) AS n FROM c WHERE mark IS NOT NULL GROUP BY ALL),
-- A surprise of 30 takes 8 calls, and so 4 on one day: other marks cannot have a burst. From
-- here on an account's mark is a number.
marked AS MATERIALIZED (
  SELECT account_id, basis, mark, row_number() OVER () AS m FROM (SELECT account_id, basis, mark FROM per_day GROUP BY ALL HAVING max(n) >= 4)
),
profile AS (SELECT m, account_id, day, n FROM per_day JOIN marked USING (account_id, basis, mark)),
-- On how many days an account was active around each of its days, and how many calls it made
-- then: in three weeks before and behind, but for the three days next to it.
active AS (
  SELECT account_id, day, count(*) OVER wide - count(*) OVER next_to AS days
  FROM (SELECT DISTINCT account_id, day FROM per_day)
  WINDOW wide AS (PARTITION BY account_id ORDER BY day RANGE BETWEEN 21 PRECEDING AND 21 FOLLOWING),
    next_to AS (PARTITION BY account_id ORDER BY day RANGE BETWEEN 3 PRECEDING AND 3 FOLLOWING)
),
-- Only days with 3 calls under a mark can hold a run of it.
busy AS (
  SELECT m, day, coalesce(others / nullif(days, 0), 0) / 8.0 AS hourly
  FROM (
    SELECT *, sum(n) OVER wide - sum(n) OVER next_to AS others FROM profile
    WINDOW wide AS (PARTITION BY m ORDER BY day RANGE BETWEEN 21 PRECEDING AND 21 FOLLOWING),
      next_to AS (PARTITION BY m ORDER BY day RANGE BETWEEN 3 PRECEDING AND 3 FOLLOWING)
  ) JOIN active USING (account_id, day) WHERE n >= 3
),
numbered AS (
  SELECT *, sum(starts) OVER (PARTITION BY m ORDER BY us) AS run -- of equal times all or none are in a run
  FROM (
    SELECT m, call_id, us, hourly, CASE WHEN us - lag(us) OVER (PARTITION BY m ORDER BY us) <= 900000000 THEN 0 ELSE 1 END AS starts
    FROM c JOIN (SELECT account_id, basis, mark, m, day, hourly FROM busy JOIN marked USING (m)) USING (account_id, basis, mark, day)
  )
),
run AS (
  SELECT m, run, count(*) AS calls, min(us) AS from_at, max(us) AS to_at, max(hourly) AS hourly,
    greatest(max(hourly), 0.5) * (max(us) // 1000000 - min(us) // 1000000 + 300) / 3600 AS expected
  FROM numbered GROUP BY ALL HAVING count(*) >= 3
),
measured AS (SELECT *, CASE WHEN calls > expected THEN calls * ln(calls / expected) - (calls - expected) ELSE 0 END AS surprise FROM run),
-- The bursts before and behind each run.
placed AS (
  SELECT *,
    max(CASE WHEN surprise >= 30 THEN to_at END) OVER (PARTITION BY m ORDER BY from_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before,
    min(CASE WHEN surprise >= 30 THEN from_at END) OVER (PARTITION BY m ORDER BY from_at ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS behind
  FROM measured
),
kept AS (
  SELECT *, CASE WHEN from_at - lag(to_at) OVER (PARTITION BY m ORDER BY from_at) <= 259200000000 THEN 0 ELSE 1 END AS begins
  FROM placed
  WHERE surprise >= 30 OR least(from_at - before, behind - to_at) <= CASE WHEN surprise >= 16 THEN 259200000000 ELSE 3600000000 END
),
parted AS (SELECT *, sum(begins) OVER (PARTITION BY m ORDER BY from_at ROWS UNBOUNDED PRECEDING) AS part FROM kept),
named AS (
  SELECT m, part, any_value(basis) AS basis, any_value(mark) AS mark, 'C' || lpad(CAST(row_number() OVER (ORDER BY min(from_at), any_value(account_id), any_value(basis), any_value(mark)) AS VARCHAR), 6, '0') AS campaign_id
  FROM parted JOIN marked USING (m) GROUP BY m, part HAVING sum(calls) >= 15
),
member AS (
  SELECT n.campaign_id, c.call_id, n.basis, n.mark, p.surprise >= 30 AS in_burst, make_timestamptz(p.from_at) AS run_from, round(p.calls * 3600.0 / (p.to_at // 1000000 - p.from_at // 1000000 + 300), 1) AS run_rate, round(p.hourly, 2) AS ordinary_rate, round(p.surprise, 1) AS surprise
  FROM parted p JOIN named n USING (m, part) JOIN numbered c USING (m, run)
)
SELECT m.campaign_id, m.call_id, v.account_id, v.started_at, m.basis, m.mark, m.in_burst, m.run_from, m.run_rate, m.ordinary_rate, m.surprise, v.ref_source, v.ref_table, v.ref_row, v.ref_offset
FROM member m JOIN call_verdict v USING (call_id)
ORDER BY m.campaign_id, v.started_at, m.call_id
