-- One row per called number with at least one answered call of a user account. Points:
-- longest call over 0 / 15 / 60 / 180 s: 1 / 2 / 4 / 6; a second long call: 1; best grade
-- A*, A: 2, B, C: 1; a report linked loosely: 3, strictly: 5.
WITH c AS (
  SELECT v.* FROM call_verdict v WHERE NOT v.staff AND v.called_e164 IS NOT NULL
),
link AS (
  SELECT called_e164, count(DISTINCT report_id) AS reports, bool_or(strict) AS strict
  FROM report_link GROUP BY called_e164
),
loss AS (
  SELECT called_e164, sum(amount_minor) AS minor
  FROM (SELECT DISTINCT called_e164, report_id, amount_minor FROM report_link WHERE strict AND currency = 'GBP') GROUP BY called_e164
),
n AS (
  SELECT called_e164, any_value(called_country) AS country, count(*) AS calls,
    count(*) FILTER (WHERE outcome = 'answered') AS answered,
    count(*) FILTER (WHERE outcome = 'answered' AND talk_s > 60) AS long_calls,
    coalesce(sum(talk_s) FILTER (WHERE outcome = 'answered'), 0)::BIGINT AS talk_s,
    max(talk_s) FILTER (WHERE outcome = 'answered') AS longest,
    -- the row it rests on: of the answered call with most talk, the first
    arg_max({'s': ref_source, 't': ref_table, 'r': ref_row, 'o': ref_offset}, {'talk': talk_s, 'at': -epoch_us(started_at), 'id': call_id}) FILTER (WHERE outcome = 'answered') AS ref,
    min(started_at) AS first_at, max(started_at) AS last_at,
    count(DISTINCT account_id) AS accounts,
    string_agg(DISTINCT institution_id, ', ' ORDER BY institution_id) FILTER (WHERE outcome = 'answered' AND grade IN ('A*', 'A', 'B', 'C')) AS institutions,
    min(CASE grade WHEN 'A*' THEN 1 WHEN 'A' THEN 2 WHEN 'B' THEN 3 WHEN 'C' THEN 4 WHEN 'X' THEN 5 WHEN 'W' THEN 6 ELSE 7 END) FILTER (WHERE outcome = 'answered') AS best
  FROM c GROUP BY called_e164 HAVING answered > 0
),
p AS (
  SELECT n.*, coalesce(link.reports, 0) AS linked_reports, coalesce(loss.minor, 0)::BIGINT AS linked_loss_minor, coalesce(link.strict, false) AS strict,
    CASE WHEN longest > 180 THEN 6 WHEN longest > 60 THEN 4 WHEN longest > 15 THEN 2 ELSE 1 END AS p_talk,
    CASE WHEN long_calls > 1 THEN 1 ELSE 0 END AS p_repeat,
    CASE WHEN best <= 2 THEN 2 WHEN best <= 4 THEN 1 ELSE 0 END AS p_grade,
    CASE WHEN link.strict THEN 5 WHEN link.reports > 0 THEN 3 ELSE 0 END AS p_report
  FROM n LEFT JOIN link USING (called_e164) LEFT JOIN loss USING (called_e164)
)
SELECT called_e164, country, calls, answered, long_calls, talk_s, first_at, last_at, accounts, coalesce(institutions, '') AS institutions,
  CASE best WHEN 1 THEN 'A*' WHEN 2 THEN 'A' WHEN 3 THEN 'B' WHEN 4 THEN 'C' WHEN 5 THEN 'X' WHEN 6 THEN 'W' ELSE 'U' END AS best_grade,
  long_calls > 1 AS repeat, linked_reports, linked_loss_minor,
  p_talk + p_repeat + p_grade + p_report AS points,
  'longest call ' || longest || ' s: ' || p_talk
    || CASE WHEN p_repeat > 0 THEN '; ' || long_calls || ' long calls: ' || p_repeat ELSE '' END
    || CASE WHEN p_grade > 0 THEN '; best grade ' || CASE best WHEN 1 THEN 'A*' WHEN 2 THEN 'A' WHEN 3 THEN 'B' ELSE 'C' END || ': ' || p_grade ELSE '' END
    || CASE WHEN p_report > 0 THEN '; ' || linked_reports || CASE WHEN strict THEN ' report(s) strictly linked: ' ELSE ' report(s) loosely linked: ' END || p_report ELSE '' END AS reasons,
  ref.s AS ref_source, ref.t AS ref_table, ref.r AS ref_row, ref.o AS ref_offset
FROM p
ORDER BY points DESC, talk_s DESC, called_e164
