-- Calls a report may be about: to the reported number, answered, within the incident's time.
-- Strict: the verdict names the institution the report names. All candidates are kept, ranked.
-- weight is a candidate's share of what speaks for all of its report (docs/victims.md): 1, 2,
-- 4 or 6 by talk as in the points, eight times that when strict. Not a probability.
WITH report AS (
  SELECT r.*, m.institution_id AS named
  FROM loss_report r LEFT JOIN name_match m ON m.presented_name = r.institution
  WHERE r.victim_phone_e164 IS NOT NULL
),
candidate AS (
  SELECT r.report_id, v.call_id, v.account_id, v.called_e164, v.institution_id, v.talk_s, v.started_at,
    coalesce(v.institution_id = r.named, false) AS strict, r.amount_minor, r.currency,
    CASE WHEN v.talk_s > 180 THEN 6 WHEN v.talk_s > 60 THEN 4 WHEN v.talk_s > 15 THEN 2 ELSE 1 END * CASE WHEN v.institution_id = r.named THEN 8 ELSE 1 END AS speaks,
    'the reported number was called within the reported time' ||
      CASE WHEN v.institution_id = r.named THEN '; the call pretended to come from the institution reported'
           WHEN v.institution_id IS NOT NULL THEN '; but the call pretended to come from another institution than reported'
           ELSE '; the call names no institution' END AS reasons,
    v.ref_source, v.ref_table, v.ref_row, v.ref_offset,
    r.ref_source AS report_ref_source, r.ref_table AS report_ref_table, r.ref_row AS report_ref_row, r.ref_offset AS report_ref_offset
  FROM report r
  JOIN call_verdict v ON v.called_e164 = r.victim_phone_e164 AND v.started_at BETWEEN r.incident_from AND r.incident_to
  WHERE v.outcome = 'answered' AND NOT v.staff
),
ranked AS (
  SELECT *, row_number() OVER (PARTITION BY report_id ORDER BY strict DESC, talk_s DESC, started_at, call_id) AS rank,
    round(speaks / sum(speaks) OVER (PARTITION BY report_id), 4) AS weight
  FROM candidate
)
SELECT report_id, call_id, account_id, called_e164, institution_id, strict, rank, amount_minor, currency, reasons, talk_s, weight,
  CASE WHEN rank = 1 THEN lead(call_id) OVER place END AS runner_up, CASE WHEN rank = 1 THEN lead(weight) OVER place END AS runner_up_weight,
  ref_source, ref_table, ref_row, ref_offset, report_ref_source, report_ref_table, report_ref_row, report_ref_offset
FROM ranked
WINDOW place AS (PARTITION BY report_id ORDER BY rank)
ORDER BY report_id, rank
