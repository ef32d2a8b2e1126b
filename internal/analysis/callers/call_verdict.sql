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
-- Rungs A*, A, B: who holds the number, when. A line of the registry without a source counts
-- for nothing (registry_remark lists it).
line AS (
  SELECT n.*, i.name FROM institution_number n JOIN institution i USING (institution_id)
  WHERE n.number_from <= n.number_to AND n.source_url IS NOT NULL
),
holder AS (
  SELECT p.number, n.institution_id, n.name, n.valid_from, n.valid_to, n.source_url,
    CASE WHEN n.number_from = n.number_to AND n.inbound_only THEN 1 WHEN n.number_from = n.number_to THEN 2 ELSE 3 END AS rung
  FROM presented p JOIN line n ON p.number BETWEEN n.number_from AND n.number_to
),
number_day AS (
  SELECT DISTINCT c.presented_e164 AS number, q.day
  FROM call c JOIN quarter q ON q.q = epoch_us(c.started_at) // 900000000
  WHERE c.presented_e164 IN (SELECT number FROM holder)
),
held AS (
  SELECT number, day, rung, institution_id::institution_id_word AS institution_id,
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
-- Rung E: numbers that only resemble a registered one. The nearest resemblance counts: the
-- number itself on another day, one digit, two neighbouring digits changed over (of the last
-- ten), the same but for the last two digits.
exact AS (SELECT DISTINCT number_from AS n, institution_id, name FROM line WHERE number_from = number_to),
place AS (SELECT CAST(power(10, k) AS BIGINT) AS p FROM range(10) t(k)),
resembling AS (
  SELECT number, arg_min(name || ' (' || how || n || ')', (distance, institution_id, n)) AS resembles,
    arg_min(name, (distance, institution_id, n)) AS resembled
  FROM (
    SELECT n AS number, n, institution_id, name, 0 AS distance, 'registered on other days: ' AS how FROM exact
    UNION ALL SELECT n + (d - n // p % 10) * p, n, institution_id, name, 1, 'one digit from ' FROM exact, place, range(10) t(d) WHERE d <> n // p % 10
    UNION ALL SELECT n + (n // p % 10 - n // (10 * p) % 10) * 9 * p, n, institution_id, name, 2, 'two digits changed over from ' FROM exact, place WHERE p < 1000000000 AND n // p % 10 <> n // (10 * p) % 10
    UNION ALL SELECT n // 100 * 100 + d, n, institution_id, name, 3, 'in the same hundred as ' FROM exact, range(100) t(d) WHERE d <> n % 100
  ) SEMI JOIN presented USING (number)
  GROUP BY number
),
-- Counter-evidence: the telephone that an account gives as its own.
own AS (
  SELECT account_id, phone_e164 AS number FROM account WHERE phone_e164 IS NOT NULL
  UNION SELECT account_id, TRY_CAST(value_norm AS BIGINT) FROM identifier WHERE kind = 'phone' AND TRY_CAST(value_norm AS BIGINT) IS NOT NULL
),
listed AS ( -- on a Do-Not-Originate list, without an end
  SELECT DISTINCT p.number FROM presented p
  JOIN institution_number n ON p.number BETWEEN n.number_from AND n.number_to AND n.list = 'do_not_originate' AND n.inbound_only AND n.valid_to IS NULL
),
-- All that is known of a presented number, whenever and by whom it was shown.
shown AS (
  SELECT p.number, regexp_full_match(CAST(p.number AS VARCHAR), '44[12358][0-9]{8,9}') AS uk_line,
    CASE WHEN CAST(p.number AS VARCHAR) LIKE '449%' THEN 'a 09 number cannot place calls'
         WHEN b.status = 'unallocated' THEN 'the presented number is in a block that is not allocated (' || b.plan || ')'
         WHEN b.status = 'drama' THEN 'the presented number is in a range kept for fiction (' || b.plan || ')' END AS x_reason,
    r.resembles, r.resembled, l.number IS NOT NULL AS dno, CASE WHEN h.number IS NOT NULL THEN p.number END AS held_number, CASE WHEN o.number IS NOT NULL THEN p.number END AS own_number
  FROM presented p LEFT JOIN block b USING (number) LEFT JOIN resembling r USING (number) LEFT JOIN listed l USING (number)
  LEFT JOIN (SELECT DISTINCT number FROM holder) h USING (number) LEFT JOIN (SELECT DISTINCT number FROM own) o USING (number)
),
-- And of a presented name.
named AS (
  SELECT presented_name, m.institution_id::institution_id_word AS institution_id, i.name, 'the presented name says ' || m.alias || ' (' || i.name || ')' AS reason,
    h.role, e.name || ' (the name is nearly ' || h.alias || ')' AS resembles
  FROM (name_match m JOIN institution i USING (institution_id)) FULL JOIN name_hint h USING (presented_name) LEFT JOIN institution e ON e.institution_id = h.resembles
),
-- Of what was presented and could not be normalised, only its shape is known.
unread AS (
  SELECT raw, raw_withheld,
    CASE WHEN shape = '159' THEN 'the number 159 never calls'
         WHEN starts_with(shape, '0') AND NOT starts_with(shape, '00') OR starts_with(shape, '44') OR starts_with(shape, '+44') OR starts_with(shape, '0044')
           THEN 'a British number has 9 or 10 digits behind the 0' END AS x_reason
  FROM (
    SELECT raw, phone_text(clid_number(raw)) AS shape,
      lower(trim(raw, ' "<>')) IN ('', 'anonymous', 'private', 'restricted', 'unknown', 'unavailable', 'withheld', 'blocked') AS raw_withheld
    FROM (SELECT DISTINCT coalesce(presented_raw, '') AS raw FROM call WHERE presented_e164 IS NULL)
  )
),
told AS (
  SELECT t.script_id, t.institution_id::institution_id_word AS institution_id, i.name, CASE WHEN t.institution_id IS NULL THEN 'the recorded text names several institutions (' || t.named || ')'
    ELSE 'the recorded text says ' || t.alias || ' (' || i.name || ')' END AS reason
  FROM script_name t LEFT JOIN institution i USING (institution_id)
),
-- The days of block_rule, in one row.
since AS (
  SELECT min(from_day) AS first, max(from_day) FILTER (WHERE rule_id = 'uk-dno-2019') AS uk_dno, max(from_day) FILTER (WHERE rule_id = 'uk-cli-2023') AS uk_cli,
    max(from_day) FILTER (WHERE rule_id = 'uk-abroad-2025') AS uk_abroad, max(from_day) FILTER (WHERE rule_id = 'fr-man-2024') AS fr_man,
    max(from_day) FILTER (WHERE rule_id = 'fr-mobile-2026') AS fr_mobile, max(from_day) FILTER (WHERE rule_id = 'us-shaken-2021') AS us_shaken,
    max(from_day) FILTER (WHERE rule_id = 'us-dno-2025') AS us_dno
  FROM block_rule
),
looked AS (
  SELECT c.call_id, c.account_id, c.started_at, c.called_e164, c.called_country, c.outcome, c.talk_s, c.presented_e164, c.presented_name, c.presented_raw, c.script_id, c.ref_source, c.ref_table, c.ref_row, c.ref_offset,
    q.day, a.account_id IS NOT NULL AS staff, h.grade AS held_grade, h.institution_id AS held_by, h.reason AS held_reason,
    n.institution_id AS named_as, n.name AS named_name, n.reason AS named_reason, t.institution_id AS told_as, t.reason AS told_reason,
    x.x_reason, x.uk_line, x.dno, CASE WHEN h.grade IS NULL THEN x.resembles END AS number_resembles, CASE WHEN h.grade IS NULL THEN x.resembled END AS number_resembled,
    n.resembles AS name_resembles, n.role AS role_hint, o.number IS NOT NULL AS own_number,
    coalesce(u.raw_withheld, false) AS withheld, u.x_reason AS shape_reason, x.x_reason IS NOT NULL OR u.x_reason IS NOT NULL AS cannot
  FROM call c
  LEFT JOIN (SELECT account_id FROM account WHERE role IN ('admin', 'staff')) a USING (account_id)
  LEFT JOIN quarter q ON q.q = epoch_us(c.started_at) // 900000000
  LEFT JOIN named n ON n.presented_name = c.presented_name
  LEFT JOIN told t ON t.script_id = c.script_id
  LEFT JOIN shown x ON x.number = c.presented_e164
  LEFT JOIN held h ON h.number = x.held_number AND h.day = q.day
  LEFT JOIN own o ON o.number = x.own_number AND o.account_id = c.account_id
  LEFT JOIN unread u ON u.raw = CASE WHEN c.presented_e164 IS NULL THEN coalesce(c.presented_raw, '') END
),
judged AS (
  SELECT *, called_country = 'GB' AND coalesce(dno, false) AS r_dno, called_country = 'GB' AND cannot AS r_cannot, called_country = 'GB' AND coalesce(uk_line, false) AS r_abroad,
    called_country = 'FR' AND presented_e164 BETWEEN 33000000000 AND 33999999999 AS r_fr, called_country = 'FR' AND presented_e164 BETWEEN 33600000000 AND 33799999999 AS r_fr_mobile,
    called_country = 'US' AND presented_e164 BETWEEN 10000000000 AND 19999999999 AS r_us, called_country = 'US' AND coalesce(dno, false) AS r_us_dno,
    CASE WHEN staff THEN 'U'::ENUM ('A*', 'A', 'B', 'C', 'D', 'E', 'X', 'W', 'U')
         WHEN held_grade = 'A*' THEN 'A*'
         WHEN own_number AND NOT cannot THEN 'U'
         WHEN held_grade = 'A' THEN 'A'
         WHEN held_grade = 'B' THEN 'B'
         WHEN named_as IS NOT NULL THEN 'C'
         WHEN told_as IS NOT NULL THEN 'D'
         WHEN cannot THEN 'X'
         WHEN number_resembles IS NOT NULL OR name_resembles IS NOT NULL THEN 'E'
         WHEN withheld THEN 'W'
         ELSE 'U' END AS grade
  FROM looked, since
),
chosen AS (
  SELECT *, CASE grade WHEN 'C' THEN named_as WHEN 'D' THEN told_as ELSE held_by END AS chosen
  FROM judged
),
weighed AS (
  SELECT *, grade = 'A*' AND own_number AS own_against, grade IN ('A*', 'A', 'B') AND named_as <> chosen AS name_against,
    told_reason IS NOT NULL AND (told_as IS NULL OR told_as <> chosen) AS text_against, grade = 'C' AND number_resembled <> named_name AS number_against
  FROM chosen
)
SELECT call_id, account_id, started_at, called_e164, called_country::called_country_word AS called_country, outcome::outcome_word AS outcome, talk_s, staff, grade,
  CASE WHEN grade IN ('A*', 'A', 'B', 'C', 'D') THEN chosen END AS institution_id,
  CASE WHEN staff THEN 'staff'::ENUM ('staff', 'registered number', 'registered range', 'presented name', 'recorded text', 'impossible number', 'resemblance', 'withheld', 'own number', 'own or unknown number')
       WHEN grade IN ('A*', 'A') THEN 'registered number' WHEN grade = 'B' THEN 'registered range' WHEN grade = 'C' THEN 'presented name'
       WHEN grade = 'D' THEN 'recorded text' WHEN grade = 'X' THEN 'impossible number' WHEN grade = 'E' THEN 'resemblance' WHEN grade = 'W' THEN 'withheld'
       WHEN own_number THEN 'own number' ELSE 'own or unknown number' END AS rule,
  CASE WHEN staff THEN 'a call of the platform''s staff: a test, not an impersonation'
       WHEN grade IN ('A*', 'A', 'B') THEN held_reason
       WHEN grade = 'C' THEN CASE WHEN x_reason IS NULL THEN named_reason ELSE named_reason || '; ' || x_reason END
       WHEN grade = 'D' THEN CASE WHEN x_reason IS NULL THEN told_reason ELSE told_reason || '; ' || x_reason END
       WHEN grade = 'X' THEN coalesce(x_reason, shape_reason)
       WHEN grade = 'E' THEN 'it only resembles ' || coalesce(number_resembles, name_resembles)
       WHEN grade = 'W' THEN 'no number was presented'
       WHEN own_number THEN 'the account gives the presented number as its own telephone' || coalesce('; without that: ' || coalesce(held_reason, named_reason, told_reason), '')
       WHEN role_hint IS NULL THEN 'the number is in no registry'
       ELSE 'the number is in no registry; the name gives a role (' || role_hint || '), no institution' END AS reasons,
  $rule_version::ENUM ($rule_version) AS rule_version, presented_e164, presented_name,
  CASE WHEN presented_e164 IS NULL AND presented_name IS NULL THEN nullif(presented_raw, '') END AS presented_text, script_id,
  -- What speaks against the verdict, or for another institution.
  CASE WHEN NOT staff AND grade NOT IN ('W', 'X', 'E') AND (own_against OR name_against OR text_against OR number_against) THEN concat_ws('; ',
    CASE WHEN own_against THEN 'the account gives this number as its own telephone, which it cannot be' END,
    CASE WHEN name_against THEN 'but ' || named_reason END,
    CASE WHEN text_against THEN 'but ' || told_reason END,
    CASE WHEN number_against THEN 'but the number resembles ' || number_resembles END) END AS contradictions,
  CASE WHEN staff THEN NULL WHEN number_resembles IS NULL THEN name_resembles WHEN name_resembles IS NULL THEN number_resembles
    ELSE number_resembles || '; ' || name_resembles END AS resembles,
  role_hint,
  -- Rules of block_rule by which a network would block such a call today; those that would
  -- under their condition; and which of both were in force when it was made.
  CASE WHEN r_dno THEN 'uk-dno-2019, uk-cli-2023'::ENUM ('uk-dno-2019, uk-cli-2023', 'uk-cli-2023', 'us-dno-2025') WHEN r_cannot THEN 'uk-cli-2023' WHEN r_us_dno THEN 'us-dno-2025' END AS would_block,
  CASE WHEN r_abroad THEN 'uk-abroad-2025'::ENUM ('uk-abroad-2025', 'fr-man-2024, fr-mobile-2026', 'fr-man-2024', 'us-shaken-2021') WHEN r_fr_mobile THEN 'fr-man-2024, fr-mobile-2026' WHEN r_fr THEN 'fr-man-2024' WHEN r_us THEN 'us-shaken-2021' END AS might_block,
  CASE WHEN day >= first AND (r_dno OR r_cannot OR r_abroad AND day >= uk_abroad OR r_fr AND day >= fr_man OR r_us OR r_us_dno) THEN nullif(concat_ws(', ',
    CASE WHEN r_dno AND day >= uk_dno THEN 'uk-dno-2019' END,
    CASE WHEN (r_dno OR r_cannot) AND day >= uk_cli THEN 'uk-cli-2023' END,
    CASE WHEN r_abroad AND day >= uk_abroad THEN 'uk-abroad-2025' END,
    CASE WHEN r_fr AND day >= fr_man THEN 'fr-man-2024' END,
    CASE WHEN r_fr_mobile AND day >= fr_mobile THEN 'fr-mobile-2026' END,
    CASE WHEN r_us AND day >= us_shaken THEN 'us-shaken-2021' END,
    CASE WHEN r_us_dno AND day >= us_dno THEN 'us-dno-2025' END), '') END AS rules_then,
  ref_source::ref_source_word AS ref_source, ref_table::ref_table_word AS ref_table, ref_row, ref_offset
FROM weighed
