-- One verdict a call: the first rung of the evidence ladder (docs/verdicts.md) that holds.
-- What depends only on the number, the name or the day is worked out once for each of them,
-- and looked up for each call.
WITH
-- The local day of every quarter of an hour in which a call started: zones change their
-- clocks on the quarter hour, and the look-up spares the conversion for each call.
quarter AS (
  SELECT q, CAST(timezone($zone, make_timestamptz(q * 900000000)) AS DATE) AS day
  FROM (SELECT DISTINCT epoch_us(started_at) // 900000000 AS q FROM call WHERE started_at IS NOT NULL)
),
presented AS (SELECT DISTINCT presented_e164 AS number FROM call WHERE presented_e164 IS NOT NULL),
-- Rungs A*, A, B: who holds the number, when.
holder AS (
  SELECT p.number, n.institution_id, i.name, n.valid_from, n.valid_to, n.source_url,
    CASE WHEN n.number_from = n.number_to AND n.inbound_only THEN 1 WHEN n.number_from = n.number_to THEN 2 ELSE 3 END AS rung
  FROM presented p
  JOIN institution_number n ON p.number BETWEEN n.number_from AND n.number_to
  JOIN institution i USING (institution_id)
),
number_day AS (
  SELECT DISTINCT c.presented_e164 AS number, q.day
  FROM call c JOIN quarter q ON q.q = epoch_us(c.started_at) // 900000000
  WHERE c.presented_e164 IN (SELECT number FROM holder)
),
held AS (
  SELECT number, day, rung, institution_id,
    CASE rung WHEN 1 THEN 'A*' WHEN 2 THEN 'A' ELSE 'B' END AS grade,
    CASE rung WHEN 1 THEN 'the presented number is registered to ' || name || ' for incoming calls only'
              WHEN 2 THEN 'the presented number is registered to ' || name
              ELSE 'the presented number lies in a range of ' || name END
      || coalesce('; also held by ' || others, '') || coalesce(' (' || source_url || ')', '') AS reason
  FROM (
    SELECT d.number, d.day, h.rung, h.institution_id, h.name, h.source_url,
      row_number() OVER (PARTITION BY d.number, d.day ORDER BY h.rung, h.institution_id, h.source_url) AS place,
      string_agg(DISTINCT h.name, ', ') FILTER (WHERE h.institution_id <> first_id) OVER (PARTITION BY d.number, d.day) AS others
    FROM number_day d
    JOIN (SELECT *, min(institution_id) OVER (PARTITION BY number, rung) AS first_id FROM holder) h
      ON h.number = d.number AND (h.valid_from IS NULL OR d.day >= h.valid_from) AND (h.valid_to IS NULL OR d.day <= h.valid_to)
  ) WHERE place = 1
),
-- Rung X: the longest block of the case's number plan that matches the number; of a case
-- without one, the program's (duckdb/plan.go). Of two lines with one prefix, that which allocates it counts.
block AS (
  SELECT number, arg_max(b.status, 4 * length(b.prefix) + CASE b.status WHEN 'allocated' THEN 3 WHEN 'drama' THEN 2 WHEN 'unallocated' THEN 0 ELSE 1 END) AS status, 'the case''s number plan' AS plan
  FROM (SELECT number, CAST(number AS VARCHAR) AS digits, unnest(range(1, 12)) AS k FROM presented) p
  JOIN number_block b ON b.prefix = substr(p.digits, 1, k)
  GROUP BY number
  UNION ALL
  SELECT number, status, 'Ofcom''s number plan of ' || $plan_state
  FROM presented ASOF JOIN uk_block ON british_key(number) >= number_from
  WHERE NOT EXISTS (SELECT 1 FROM number_block)
),
impossible AS (
  SELECT p.number,
    CASE WHEN CAST(p.number AS VARCHAR) LIKE '449%' THEN 'a 09 number cannot place calls'
         WHEN b.status = 'unallocated' THEN 'the presented number is in a block that is not allocated (' || b.plan || ')'
         WHEN b.status = 'drama' THEN 'the presented number is in a range kept for fiction (' || b.plan || ')' END AS reason
  FROM presented p LEFT JOIN block b USING (number)
),
named AS (
  SELECT m.presented_name, m.institution_id, 'the presented name says ' || m.alias || ' (' || i.name || ')' AS reason
  FROM name_match m JOIN institution i USING (institution_id)
),
looked AS (
  SELECT c.*, coalesce(a.role IN ('admin', 'staff'), false) AS staff, h.grade AS held_grade, h.institution_id AS held_by, h.reason AS held_reason,
    n.institution_id AS named_as, n.reason AS named_reason, x.reason AS x_reason,
    -- of a number that could not be normalised, only its shape is known
    CASE WHEN c.presented_e164 IS NULL THEN phone_text(clid_number(c.presented_raw)) END AS shape
  FROM call c
  LEFT JOIN account a USING (account_id)
  LEFT JOIN quarter q ON q.q = epoch_us(c.started_at) // 900000000
  LEFT JOIN held h ON h.number = c.presented_e164 AND h.day = q.day
  LEFT JOIN named n ON n.presented_name = c.presented_name
  LEFT JOIN impossible x ON x.number = c.presented_e164
),
judged AS (
  SELECT *,
    CASE WHEN staff THEN 'U'
         WHEN held_grade IS NOT NULL THEN held_grade
         WHEN named_as IS NOT NULL THEN 'C'
         WHEN x_reason IS NOT NULL THEN 'X'
         WHEN shape = '159' OR starts_with(shape, '0') AND NOT starts_with(shape, '00') OR starts_with(shape, '44') OR starts_with(shape, '+44') OR starts_with(shape, '0044') THEN 'X'
         WHEN presented_e164 IS NULL AND lower(trim(coalesce(presented_raw, ''), ' "<>')) IN ('', 'anonymous', 'private', 'restricted', 'unknown', 'unavailable', 'withheld', 'blocked') THEN 'W'
         ELSE 'U' END AS grade
  FROM looked
)
SELECT call_id, account_id, started_at, called_e164, called_country, outcome, talk_s, staff, grade,
  CASE grade WHEN 'C' THEN named_as WHEN 'A*' THEN held_by WHEN 'A' THEN held_by WHEN 'B' THEN held_by END AS institution_id,
  CASE WHEN staff THEN 'staff' WHEN grade IN ('A*', 'A') THEN 'registered number' WHEN grade = 'B' THEN 'registered range' WHEN grade = 'C' THEN 'presented name'
       WHEN grade = 'X' THEN 'impossible number' WHEN grade = 'W' THEN 'withheld' ELSE 'own or unknown number' END AS rule,
  CASE WHEN staff THEN 'a call of the platform''s staff: a test, not an impersonation'
       WHEN grade IN ('A*', 'A', 'B') THEN held_reason || CASE WHEN named_as <> held_by THEN '; but ' || named_reason ELSE '' END
       WHEN grade = 'C' THEN named_reason || CASE WHEN x_reason IS NOT NULL THEN '; ' || x_reason ELSE '' END
       WHEN grade = 'X' THEN coalesce(x_reason, CASE WHEN shape = '159' THEN 'the number 159 never calls' ELSE 'a British number has 9 or 10 digits behind the 0' END)
       WHEN grade = 'W' THEN 'no number was presented'
       ELSE 'the number is in no registry' END AS reasons,
  $rule_version AS rule_version, presented_e164, presented_name, ref_source, ref_table, ref_row, ref_offset
FROM judged
