-- Every called number, most points first.
SELECT CAST(called_e164 AS VARCHAR) AS called_e164, country, points, calls, answered, long_calls, talk_s, first_at, last_at, accounts, institutions, best_grade, repeat,
  line, area, force_area, priority, batch_id, excluded_reason, passcode_calls, talk_band,
  linked_reports, CAST(CAST(CAST(linked_loss_minor AS DECIMAL(18,0)) / 100 AS DECIMAL(18,2)) AS VARCHAR) AS linked_loss_gbp, reasons,
  ref_source || ':' || ref_table || ':' || ref_row || '@' || ref_offset AS row_reference
FROM victim
ORDER BY points DESC, talk_s DESC, victim.called_e164
