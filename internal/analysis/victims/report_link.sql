-- Calls a report may be about: to the reported number, answered, within the incident's time.
-- Strict: the verdict names the institution the report names. All candidates are kept, ranked.
WITH report AS (
  SELECT r.*, m.institution_id AS named
  FROM loss_report r LEFT JOIN name_match m ON m.presented_name = r.institution
  WHERE r.victim_phone_e164 IS NOT NULL
)
SELECT r.report_id, v.call_id, v.account_id, v.called_e164, v.institution_id,
  coalesce(v.institution_id = r.named, false) AS strict,
  row_number() OVER (PARTITION BY r.report_id ORDER BY coalesce(v.institution_id = r.named, false) DESC, v.talk_s DESC, v.started_at, v.call_id) AS rank,
  r.amount_minor, r.currency,
  'the reported number was called within the reported time' ||
    CASE WHEN v.institution_id = r.named THEN '; the call pretended to come from the institution reported'
         WHEN v.institution_id IS NOT NULL THEN '; but the call pretended to come from another institution than reported'
         ELSE '; the call names no institution' END AS reasons,
  v.ref_source, v.ref_table, v.ref_row, v.ref_offset,
  r.ref_source AS report_ref_source, r.ref_table AS report_ref_table, r.ref_row AS report_ref_row, r.ref_offset AS report_ref_offset
FROM report r
JOIN call_verdict v ON v.called_e164 = r.victim_phone_e164 AND v.started_at BETWEEN r.incident_from AND r.incident_to
WHERE v.outcome = 'answered' AND NOT v.staff
ORDER BY r.report_id, rank
