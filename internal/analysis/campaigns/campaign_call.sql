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
WITH c AS (
  SELECT v.call_id, v.account_id, v.started_at, CAST(v.started_at AS DATE) AS day,
    CASE WHEN f.family_id IS NOT NULL THEN 'script' WHEN v.institution_id IS NOT NULL THEN 'institution' WHEN v.presented_e164 IS NOT NULL THEN 'number' ELSE 'name' END AS basis,
    coalesce(f.family_id, v.institution_id, CAST(v.presented_e164 AS VARCHAR), v.presented_name, nullif(c.presented_raw, '')) AS mark
  FROM call_verdict v JOIN call c USING (call_id) LEFT JOIN (SELECT script_id, min(family_id) AS family_id FROM script_family GROUP BY script_id) f USING (script_id)
  WHERE NOT v.staff AND v.started_at IS NOT NULL AND v.account_id IS NOT NULL
),
per_day AS (SELECT account_id, basis, mark, day, count(*) AS n FROM c WHERE mark IS NOT NULL GROUP BY ALL),
-- A surprise of 30 takes 8 calls, and so 4 on one day: other marks cannot have a burst.
profile AS (
  SELECT * FROM per_day SEMI JOIN (SELECT account_id, basis, mark FROM per_day GROUP BY ALL HAVING max(n) >= 4) USING (account_id, basis, mark)
),
-- On how many days an account was active around each of its days, and how many calls it made
-- then: in three weeks before and behind, but for the three days next to it.
active AS (
  SELECT account_id, day, count(*) OVER wide - count(*) OVER next_to AS days
  FROM (SELECT DISTINCT account_id, day FROM per_day)
  WINDOW wide AS (PARTITION BY account_id ORDER BY day RANGE BETWEEN INTERVAL 21 DAY PRECEDING AND INTERVAL 21 DAY FOLLOWING),
    next_to AS (PARTITION BY account_id ORDER BY day RANGE BETWEEN INTERVAL 3 DAY PRECEDING AND INTERVAL 3 DAY FOLLOWING)
),
-- Only days with 3 calls under a mark can hold a run of it.
busy AS (
  SELECT account_id, basis, mark, day, coalesce(others / nullif(days, 0), 0) / 8.0 AS hourly
  FROM (
    SELECT *, sum(n) OVER wide - sum(n) OVER next_to AS others FROM profile
    WINDOW wide AS (PARTITION BY account_id, basis, mark ORDER BY day RANGE BETWEEN INTERVAL 21 DAY PRECEDING AND INTERVAL 21 DAY FOLLOWING),
      next_to AS (PARTITION BY account_id, basis, mark ORDER BY day RANGE BETWEEN INTERVAL 3 DAY PRECEDING AND INTERVAL 3 DAY FOLLOWING)
  ) JOIN active USING (account_id, day) WHERE n >= 3
),
numbered AS (
  SELECT *, sum(starts) OVER (PARTITION BY account_id, basis, mark ORDER BY started_at, call_id ROWS UNBOUNDED PRECEDING) AS run
  FROM (
    SELECT *, CASE WHEN started_at - lag(started_at) OVER (PARTITION BY account_id, basis, mark ORDER BY started_at, call_id) <= INTERVAL 15 MINUTE THEN 0 ELSE 1 END AS starts
    FROM c JOIN busy USING (account_id, basis, mark, day)
  )
),
run AS (
  SELECT account_id, basis, mark, run, count(*) AS calls, min(started_at) AS from_at, max(started_at) AS to_at, max(hourly) AS hourly,
    greatest(max(hourly), 0.5) * (date_diff('second', min(started_at), max(started_at)) + 300) / 3600 AS expected
  FROM numbered GROUP BY ALL HAVING count(*) >= 3
),
measured AS (SELECT *, CASE WHEN calls > expected THEN calls * ln(calls / expected) - (calls - expected) ELSE 0 END AS surprise FROM run),
-- The bursts before and behind each run.
placed AS (
  SELECT *,
    max(CASE WHEN surprise >= 30 THEN to_at END) OVER (PARTITION BY account_id, basis, mark ORDER BY from_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before,
    min(CASE WHEN surprise >= 30 THEN from_at END) OVER (PARTITION BY account_id, basis, mark ORDER BY from_at ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS behind
  FROM measured
),
kept AS (
  SELECT *, CASE WHEN from_at - lag(to_at) OVER (PARTITION BY account_id, basis, mark ORDER BY from_at) <= INTERVAL 3 DAY THEN 0 ELSE 1 END AS begins
  FROM placed
  WHERE surprise >= 30 OR least(from_at - before, behind - to_at) <= CASE WHEN surprise >= 16 THEN INTERVAL 3 DAY ELSE INTERVAL 1 HOUR END
),
parted AS (SELECT *, sum(begins) OVER (PARTITION BY account_id, basis, mark ORDER BY from_at ROWS UNBOUNDED PRECEDING) AS part FROM kept),
named AS (
  SELECT account_id, basis, mark, part, 'C' || lpad(CAST(row_number() OVER (ORDER BY min(from_at), account_id, basis, mark) AS VARCHAR), 6, '0') AS campaign_id
  FROM parted GROUP BY account_id, basis, mark, part HAVING sum(calls) >= 15
),
member AS (
  SELECT n.campaign_id, c.call_id, c.basis, c.mark, p.surprise >= 30 AS in_burst, p.from_at AS run_from, round(p.calls * 3600.0 / (date_diff('second', p.from_at, p.to_at) + 300), 1) AS run_rate, round(p.hourly, 2) AS ordinary_rate, round(p.surprise, 1) AS surprise
  FROM parted p JOIN named n USING (account_id, basis, mark, part) JOIN numbered c USING (account_id, basis, mark, run)
)
SELECT m.campaign_id, m.call_id, v.account_id, v.started_at, m.basis, m.mark, m.in_burst, m.run_from, m.run_rate, m.ordinary_rate, m.surprise, v.ref_source, v.ref_table, v.ref_row, v.ref_offset
FROM member m JOIN call_verdict v USING (call_id)
ORDER BY m.campaign_id, v.started_at, m.call_id
