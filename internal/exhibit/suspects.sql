-- Every account that passes a policy, by policy and rank.
SELECT p.policy, p.policy_version, p.latest, p.rank, s.account_id, s.username, a.email, a.phone_raw, a.display_name, s.role, s.country, s.country_basis,
  CAST(s.spend_btc_sat AS VARCHAR) AS spend_btc_sat, CAST(CAST(CAST(s.spend_btc_gbp_minor AS DECIMAL(18,0)) / 100 AS DECIMAL(18,2)) AS VARCHAR) AS spend_btc_gbp,
  s.payments, s.calls, s.answered, s.long_calls, s.calls_uk, s.long_calls_uk, s.victims, s.victims_uk, s.institutions,
  s.linked_reports, CAST(CAST(CAST(s.linked_loss_minor AS DECIMAL(18,0)) / 100 AS DECIMAL(18,2)) AS VARCHAR) AS linked_loss_gbp, s.first_at, s.last_at, s.active_days,
  s.passcode_calls, s.campaigns, s.country_claimed, s.country_phone, s.country_target, s.target_share, s.ips, s.script_languages, p.reasons, p.ranked_by,
  s.ref_source || ':' || s.ref_table || ':' || s.ref_row || '@' || s.ref_offset AS row_reference
FROM policy_result p JOIN suspect s USING (account_id) JOIN account a USING (account_id)
WHERE p.passed
ORDER BY p.policy, p.policy_version, p.rank
