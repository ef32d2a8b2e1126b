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
--
-- touched are accounts with new calls. A campaign that ended 28 days before the first of them
-- stays as it is: new calls change ordinary rates three weeks back, a run that became a burst
-- takes in runs of the 3 days before it, and these may join a campaign within another 3. One that
-- ended later is found again, from its beginning or, of what was too small to be one (at most
-- four runs), 10 days further back; and what is found is measured by three weeks before that.
--
-- Accounts and marks are numbers here, and times integers: a mark is the presented number, or
-- of a text its number in word, below 0. A surprise of 30 takes 8 calls, and so 4 on one day, and a
-- run takes 3 on each; it is at most that of the least rate. Only marks that can have a burst go on.
WITH account_no AS ( -- a hash of the id, which tells accounts apart or fails
  SELECT account_id, CASE WHEN count(*) OVER (PARTITION BY hash(account_id)) > 1 THEN error('two accounts have one hash') ELSE hash(account_id) END AS no
  FROM (SELECT DISTINCT account_id FROM marked_call WHERE account_id IS NOT NULL)
),
family AS (SELECT script_id, min(family_id) AS family_id FROM script_family GROUP BY script_id),
word AS MATERIALIZED (
  SELECT basis, mark, -row_number() OVER (ORDER BY basis, mark) AS no FROM (
    SELECT 'script' AS basis, family_id AS mark FROM family
    UNION SELECT 'institution', institution_id FROM marked_call
    UNION SELECT 'name', coalesce(presented_name, presented_text) FROM marked_call WHERE presented_e164 IS NULL
  ) WHERE mark IS NOT NULL
),
c AS MATERIALIZED (
  SELECT hash(account_id) AS no, epoch_us(started_at) AS us, CAST(epoch_us(started_at) // 86400000000 AS INTEGER) AS day, coalesce(w.no, presented_e164) AS mark, place
  FROM marked_call v LEFT JOIN family f USING (script_id)
  LEFT JOIN word w ON w.basis = CASE WHEN f.family_id IS NOT NULL THEN 'script' WHEN v.institution_id IS NOT NULL THEN 'institution' WHEN presented_e164 IS NULL THEN 'name' END
    AND w.mark = coalesce(f.family_id, v.institution_id, presented_name, presented_text)
  WHERE NOT staff AND started_at IS NOT NULL AND account_id IS NOT NULL
),
per_day AS MATERIALIZED (SELECT no, mark, day, count(*) AS n FROM c WHERE mark IS NOT NULL GROUP BY ALL),
marked AS MATERIALIZED (SELECT no, mark, row_number() OVER () AS m FROM (SELECT no, mark FROM per_day GROUP BY ALL HAVING max(n) >= 4)),
timed AS (
  SELECT m, us, place, coalesce(m = lag(m) OVER () AND us - lag(us) OVER () <= 900000000, false) AS goes_on,
    lag(m) OVER () > m OR lag(m) OVER () = m AND lag(us) OVER () > us AS wrong
  FROM (
    SELECT m, us, place FROM c JOIN (SELECT no, mark, day, m FROM per_day JOIN marked USING (no, mark) WHERE n >= 3) USING (no, mark, day) ORDER BY m, us
  )
),
numbered AS MATERIALIZED ( -- the runs numbered: of equal times all or none are in one
  SELECT m, us, place, goes_on, goes_on AND lag(goes_on) OVER () AS three, sum(CASE WHEN wrong THEN error('the calls are not in order') WHEN goes_on THEN 0 ELSE 1 END) OVER (ROWS UNBOUNDED PRECEDING)::BIGINT AS run FROM timed
),
stretch AS MATERIALIZED ( -- the calls of runs of 3 and more
  SELECT m, us, place, run FROM numbered SEMI JOIN (SELECT DISTINCT run FROM numbered WHERE three) USING (run)
),
whole AS MATERIALIZED (
  SELECT m, run, count(*) AS calls, min(us) AS from_at, max(us) AS to_at, max(us) // 1000000 - min(us) // 1000000 + 300 AS seconds FROM stretch GROUP BY ALL
),
able AS MATERIALIZED (SELECT m, no, mark FROM marked SEMI JOIN (SELECT m FROM (SELECT m, calls, 0.5 * seconds / 3600 AS least FROM whole) WHERE calls > least AND calls * ln(calls / least) - (calls - least) >= 30) USING (m)),
-- On how many days an account was active around each of its days, and how many calls it made
-- then: in three weeks before and behind, but for the three days next to it.
active AS (
  SELECT no, day, count(*) OVER wide - count(*) OVER next_to AS days
  FROM (SELECT DISTINCT no, day FROM per_day)
  WINDOW wide AS (PARTITION BY no ORDER BY day RANGE BETWEEN 21 PRECEDING AND 21 FOLLOWING),
    next_to AS (PARTITION BY no ORDER BY day RANGE BETWEEN 3 PRECEDING AND 3 FOLLOWING)
),
ordinary AS (
  SELECT m, day, coalesce(others / nullif(days, 0), 0) / 8.0 AS hourly
  FROM (
    SELECT m, no, day, sum(n) OVER wide - sum(n) OVER next_to AS others FROM per_day JOIN able USING (no, mark)
    WINDOW wide AS (PARTITION BY m ORDER BY day RANGE BETWEEN 21 PRECEDING AND 21 FOLLOWING),
      next_to AS (PARTITION BY m ORDER BY day RANGE BETWEEN 3 PRECEDING AND 3 FOLLOWING)
  ) JOIN active USING (no, day)
),
run_day AS MATERIALIZED (SELECT DISTINCT m, run, CAST(us // 86400000000 AS INTEGER) AS day FROM stretch SEMI JOIN able USING (m)),
rate AS MATERIALIZED (SELECT m, run, max(hourly) AS hourly FROM run_day JOIN ordinary USING (m, day) GROUP BY ALL),
run AS MATERIALIZED (SELECT w.*, hourly, greatest(hourly, 0.5) * seconds / 3600 AS expected FROM rate JOIN whole w USING (run)),
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
parted AS MATERIALIZED (SELECT *, sum(begins) OVER (PARTITION BY m ORDER BY from_at ROWS UNBOUNDED PRECEDING) AS part FROM kept),
found AS (
  SELECT m, part, account_id, coalesce(w.basis, 'number') AS basis, coalesce(w.mark, CAST(able.mark AS VARCHAR)) AS mark, min(from_at) AS from_at
  FROM parted JOIN able USING (m) JOIN account_no a USING (no) LEFT JOIN word w ON w.no = able.mark LEFT JOIN touched t USING (account_id)
  GROUP BY ALL HAVING sum(calls) >= 15 AND coalesce(max(to_at) >= epoch_us(any_value(t.since)), true)
),
named AS ( -- numbered with those that stay, whose number is was_id
  SELECT *, 'C' || lpad(CAST(row_number() OVER (ORDER BY from_at, account_id, basis, mark) AS VARCHAR), 6, '0') AS campaign_id
  FROM (
    SELECT m, part, NULL AS was_id, account_id, basis, mark, from_at FROM found
    UNION ALL SELECT NULL, NULL, campaign_id, account_id, basis, mark, epoch_us(min(run_from)) FROM was GROUP BY ALL
  )
),
member AS (
  SELECT n.campaign_id, s.place, n.basis, n.mark, p.surprise >= 30 AS in_burst, make_timestamptz(p.from_at) AS run_from, round(p.calls * 3600.0 / p.seconds, 1) AS run_rate, round(p.hourly, 2) AS ordinary_rate, round(p.surprise, 1) AS surprise
  FROM parted p JOIN named n USING (m, part) JOIN stretch s USING (m, run)
)
SELECT m.campaign_id, v.call_id, v.account_id, v.started_at, m.basis, m.mark, m.in_burst, m.run_from, m.run_rate, m.ordinary_rate, m.surprise,
  v.called_e164, v.outcome, v.talk_s, v.institution_id, v.presented_e164, v.ref_source, v.ref_table, v.ref_row, v.ref_offset
FROM member m JOIN call_verdict_at v USING (place)
UNION ALL
SELECT n.campaign_id, w.* EXCLUDE (campaign_id) FROM was w JOIN named n ON n.was_id = w.campaign_id
ORDER BY campaign_id, started_at, call_id
