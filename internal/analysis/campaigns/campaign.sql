-- One row a campaign: what its calls (campaign_call) add up to.
SELECT x.campaign_id, x.account_id, any_value(x.basis) AS basis, any_value(x.mark) AS mark,
  CASE WHEN any_value(x.basis) = 'script' THEN any_value(x.mark) END AS family_id,
  coalesce(string_agg(DISTINCT x.institution_id, ', ' ORDER BY x.institution_id), '') AS institutions,
  count(*) AS calls, count(*) FILTER (WHERE x.outcome = 'answered') AS answered, coalesce(sum(x.talk_s), 0)::BIGINT AS talk_s,
  count(DISTINCT x.called_e164) AS called_numbers, count(DISTINCT x.presented_e164) AS presented_numbers, count(p.call_id) AS passcode_calls,
  min(x.started_at) AS first_at, max(x.started_at) AS last_at, count(DISTINCT x.run_from) FILTER (WHERE x.in_burst) AS bursts,
  max(x.run_rate) AS peak_rate, max(x.ordinary_rate) FILTER (WHERE x.in_burst) AS ordinary_rate,
  count(*) || ' calls that share ' || CASE any_value(x.basis) WHEN 'script' THEN 'script family ' WHEN 'institution' THEN 'institution ' WHEN 'number' THEN 'presented number ' ELSE 'presented name ' END
    || any_value(x.mark) || ' in ' || count(DISTINCT x.run_from) FILTER (WHERE x.in_burst) || ' burst(s) of up to ' || max(x.run_rate) || ' calls an hour; ordinarily '
    || max(x.ordinary_rate) FILTER (WHERE x.in_burst) || CASE WHEN count(p.call_id) > 0 THEN '; ' || count(p.call_id) || ' fit the passcode pattern' ELSE '' END AS reasons,
  $rule_version AS rule_version,
  arg_min(x.ref_source, (x.started_at, x.call_id)) AS ref_source, arg_min(x.ref_table, (x.started_at, x.call_id)) AS ref_table,
  arg_min(x.ref_row, (x.started_at, x.call_id)) AS ref_row, arg_min(x.ref_offset, (x.started_at, x.call_id)) AS ref_offset
FROM campaign_call x LEFT JOIN passcode_call p USING (call_id)
GROUP BY x.campaign_id, x.account_id
ORDER BY x.campaign_id
