-- One row per called number with at least one answered call of a user account
-- (docs/victims.md). Points: longest call over 0 / 15 / 60 / 180 s: 1 / 2 / 4 / 6; a second
-- long call: 1; best grade A*, A: 2, B, C: 1; a passcode call: 3; a report linked loosely: 3,
-- strictly: 5. Every part only grows with more calls. Exclusion changes no points.
-- touched are called numbers.
WITH c AS NOT MATERIALIZED ( -- read again for each use, a few columns of it, the calls of a number together
  SELECT * FROM victim_number WHERE NOT staff
),
link AS (
  SELECT called_e164, count(DISTINCT report_id) AS reports, bool_or(strict) AS strict
  FROM report_link GROUP BY called_e164
),
loss AS (
  SELECT called_e164, sum(amount_minor) AS minor
  FROM (SELECT DISTINCT called_e164, report_id, amount_minor FROM report_link WHERE strict AND currency = 'GBP') GROUP BY called_e164
),
-- Of the passcode pattern only what further calls cannot take away: the keys were counted, and
-- two signs of the call itself hold (asks is a share over all calls of a script).
keyed AS (
  SELECT called_e164, count(*) AS calls FROM passcode_call
  WHERE keys IS NOT NULL AND CAST(recorded AS INTEGER) + CAST(named AS INTEGER) + CAST(repeated AS INTEGER) + CAST(message_before AS INTEGER) >= 2
  GROUP BY called_e164
),
number AS (
  SELECT called_e164, any_value(called_country) AS country, count(*) AS calls,
    count(*) FILTER (WHERE answered) AS answered,
    count(*) FILTER (WHERE answered AND talk_s > 60) AS long_calls,
    coalesce(sum(talk_s) FILTER (WHERE answered), 0)::BIGINT AS talk_s,
    max(talk_s) FILTER (WHERE answered) AS longest,
    min(talk_s) FILTER (WHERE answered) AS shortest,
    min(started_at) AS first_at, max(started_at) AS last_at,
    min(rung) FILTER (WHERE answered) AS best
  FROM c GROUP BY called_e164 HAVING count(*) FILTER (WHERE answered) > 0
),
caller AS (
  SELECT called_e164, count(*) AS accounts FROM (SELECT DISTINCT called_e164, account_id FROM c WHERE account_id IS NOT NULL) GROUP BY called_e164
),
-- The call it rests on: of the answered calls with most talk, the first.
longest AS (
  SELECT called_e164, arg_min({'at': c.at, 'id': c.id, 'ref': c.ref}, {'at': c.at, 'id': c.id}) AS call
  FROM (
    SELECT called_e164, talk_s AS talk, started_at AS at, call_id AS id, {'s': ref_source, 't': ref_table, 'r': ref_row, 'o': ref_offset} AS ref
    FROM call_verdict_added WHERE outcome = 'answered' AND NOT staff
    UNION ALL
    SELECT called_e164, longest_s, longest_at, longest_call_id, {'s': ref_source, 't': ref_table, 'r': ref_row, 'o': ref_offset} FROM was_whole SEMI JOIN touched USING (called_e164)
  ) c JOIN number USING (called_e164)
  WHERE c.talk IS NOT DISTINCT FROM number.longest GROUP BY called_e164
),
posed AS (
  SELECT called_e164, array_to_string(list_sort(list(institution_id)), ', ') AS institutions
  FROM (SELECT DISTINCT called_e164, institution_id FROM c WHERE institution_id IS NOT NULL)
  GROUP BY called_e164
),
n AS (SELECT number.*, coalesce(accounts, 0) AS accounts, institutions, call FROM number LEFT JOIN caller USING (called_e164) LEFT JOIN posed USING (called_e164) LEFT JOIN longest USING (called_e164)),
-- Why a number is not one to warn.
held AS (
  SELECT n.called_e164, min(i.name) AS name
  FROM n JOIN institution_number r ON n.called_e164 BETWEEN r.number_from AND r.number_to JOIN institution i USING (institution_id)
  GROUP BY n.called_e164
),
staff AS (
  SELECT phone_e164 AS called_e164, 0 AS calls FROM account WHERE role IN ('admin', 'staff') AND phone_e164 IS NOT NULL
  UNION ALL
  SELECT called_e164, count(*) FROM victim_number WHERE staff AND answered GROUP BY called_e164
),
test AS (
  SELECT s.called_e164 FROM staff s JOIN n USING (called_e164)
  GROUP BY s.called_e164 HAVING bool_or(s.calls = 0) OR sum(s.calls) >= greatest(3, any_value(n.answered))
),
-- Numbers whose answered calls are all of accounts that gave the number as their own.
own AS (
  SELECT c.called_e164 FROM c LEFT JOIN account a ON a.account_id = c.account_id AND a.phone_e164 = c.called_e164
  WHERE c.answered AND c.called_e164 IN (SELECT phone_e164 FROM account)
  GROUP BY c.called_e164 HAVING count(*) = count(a.account_id)
),
placed AS (
  SELECT n.called_e164, b.kind AS line, b.area, coalesce(f.force, '') AS force_area
  FROM n ASOF JOIN uk_block b ON british_key(n.called_e164) >= b.number_from LEFT JOIN police_area f ON f.area = b.area
),
p AS (
  SELECT n.*, coalesce(link.reports, 0) AS linked_reports, coalesce(loss.minor, 0)::BIGINT AS linked_loss_minor, coalesce(link.strict, false) AS strict,
    coalesce(keyed.calls, 0) AS passcode_calls,
    CASE WHEN longest > 180 THEN 6 WHEN longest > 60 THEN 4 WHEN longest > 15 THEN 2 ELSE 1 END AS p_talk,
    CASE WHEN long_calls > 1 THEN 1 ELSE 0 END AS p_repeat,
    CASE WHEN best <= 2 THEN 2 WHEN best <= 4 THEN 1 ELSE 0 END AS p_grade,
    CASE WHEN keyed.calls > 0 THEN 3 ELSE 0 END AS p_passcode,
    CASE WHEN link.strict THEN 5 WHEN link.reports > 0 THEN 3 ELSE 0 END AS p_report,
    coalesce(placed.line, '') AS line, coalesce(placed.area, '') AS area, coalesce(placed.force_area, '') AS force_area,
    CASE WHEN held.name IS NOT NULL THEN 'institution: the number is registered to ' || held.name
         WHEN placed.line IN ('freephone', 'special', 'pager') THEN 'service number: ' || placed.line
         -- toll-free codes of the North American plan (fcc.gov/consumers/guides/what-toll-free-number-and-how-does-it-work),
         -- and universal international freephone numbers (ITU-T E.169.1: +800 and 8 digits)
         WHEN called_e164 // 10000000 IN (1800, 1833, 1844, 1855, 1866, 1877, 1888) OR called_e164 // 100000000 = 800
           THEN 'service number: freephone'
         WHEN test.called_e164 IS NOT NULL AND link.reports IS NULL THEN 'staff: a telephone of the service''s staff, or one that they called three times or more and as often as its users'
         WHEN own.called_e164 IS NOT NULL AND link.reports IS NULL THEN 'own number: all answered calls are of accounts that gave it as their own'
         WHEN answered > 2 AND longest BETWEEN 4 AND 15 AND longest - shortest <= 2 AND keyed.calls IS NULL AND link.reports IS NULL
           THEN 'voicemail: presumed, ' || answered || ' answered calls of ' || shortest || ' to ' || longest || ' s' END AS excluded_reason
  FROM n LEFT JOIN link USING (called_e164) LEFT JOIN loss USING (called_e164) LEFT JOIN keyed USING (called_e164) LEFT JOIN placed USING (called_e164)
  LEFT JOIN held USING (called_e164) LEFT JOIN test USING (called_e164) LEFT JOIN own USING (called_e164)
),
summed AS (
  SELECT *, p_talk + p_repeat + p_grade + p_passcode + p_report AS points,
    CASE WHEN p_talk + p_repeat + p_grade + p_passcode + p_report >= 10 THEN 1 WHEN p_talk + p_repeat + p_grade + p_passcode + p_report >= 7 THEN 2
         WHEN p_talk + p_repeat + p_grade + p_passcode + p_report >= 4 THEN 3 ELSE 4 END AS priority
  FROM p
),
told AS (
  SELECT called_e164, country, calls, answered, long_calls, talk_s, first_at, last_at, accounts, coalesce(institutions, '') AS institutions,
    CASE best WHEN 1 THEN 'A*' WHEN 2 THEN 'A' WHEN 3 THEN 'B' WHEN 4 THEN 'C' WHEN 5 THEN 'D' WHEN 6 THEN 'X' WHEN 7 THEN 'E' WHEN 8 THEN 'W' ELSE 'U' END AS best_grade,
    long_calls > 1 AS repeat, linked_reports, linked_loss_minor, points,
    'longest call ' || longest || ' s: ' || p_talk
      || CASE WHEN p_repeat > 0 THEN '; ' || long_calls || ' long calls: ' || p_repeat ELSE '' END
      || CASE WHEN p_grade > 0 THEN '; best grade ' || CASE best WHEN 1 THEN 'A*' WHEN 2 THEN 'A' WHEN 3 THEN 'B' ELSE 'C' END || ': ' || p_grade ELSE '' END
      || CASE WHEN p_passcode > 0 THEN '; ' || passcode_calls || ' passcode call(s): ' || p_passcode ELSE '' END
      || CASE WHEN p_report > 0 THEN '; ' || linked_reports || CASE WHEN strict THEN ' report(s) strictly linked: ' ELSE ' report(s) loosely linked: ' END || p_report ELSE '' END AS reasons,
    longest AS longest_s, CASE p_talk WHEN 6 THEN 'over 180 s' WHEN 4 THEN '60-180 s' WHEN 2 THEN '15-60 s' ELSE '0-15 s' END AS talk_band,
    passcode_calls, line, area, force_area, priority,
    -- the contact batch it belongs to: country, police force area or kind of line, priority
    CASE WHEN excluded_reason IS NULL THEN lower(coalesce(country, 'zz')) || '.' ||
      CASE WHEN force_area <> '' THEN regexp_replace(lower(force_area), '[^a-z]+', '-', 'g') WHEN line <> '' THEN replace(line, ' ', '-') ELSE 'none' END || '.' || priority END AS batch_id,
    excluded_reason, call.at AS longest_at, call.id AS longest_call_id,
    call.ref.s AS ref_source, call.ref.t AS ref_table, call.ref.r AS ref_row, call.ref.o AS ref_offset
  FROM summed
  ORDER BY called_e164
)
SELECT * FROM was UNION ALL SELECT * FROM told
