-- One row per user or reseller account: what it paid, what it did, to whom, and the countries that
-- its claim, its telephone and the numbers it called name.
WITH spend AS (
  SELECT account_id, sum(amount_sat)::BIGINT AS sat, sum(gbp_minor)::BIGINT AS gbp, sum(eur_minor)::BIGINT AS eur, count(*) AS payments
  FROM payment_value WHERE direction = 'in' AND asset = 'BTC' AND status = 'completed' GROUP BY account_id
),
named AS ( -- institutions whose name it used in answered calls
  SELECT account_id, count(*) AS institutions FROM account_institution
  WHERE institution_id IS NOT NULL AND answered_a_star + answered_a + answered_b + answered_c > 0 GROUP BY account_id
),
loss AS (
  SELECT account_id, count(*) AS reports, sum(amount_minor)::BIGINT AS minor
  FROM (SELECT DISTINCT account_id, report_id, amount_minor FROM report_link WHERE strict AND currency = 'GBP') GROUP BY account_id
),
passcode AS (SELECT account_id, count(*) AS calls FROM passcode_call GROUP BY account_id),
run AS (SELECT account_id, count(*) AS campaigns FROM campaign GROUP BY account_id),
spoken AS (SELECT account_id, string_agg(DISTINCT language, ', ' ORDER BY language) AS languages FROM script_language GROUP BY account_id),
target AS (
  SELECT account_id, count(*) AS countries, arg_max(country, {'n': answered, 'c': country}) AS country, max(answered) / sum(answered) AS share
  FROM account_country GROUP BY account_id
),
phone AS (
  SELECT a.account_id, CASE WHEN d.country = 'GB' THEN british_country(a.phone_e164) ELSE d.country END AS country
  FROM account a JOIN dial_country d ON d.prefix = dial_prefix(a.phone_e164)
)
SELECT a.account_id, a.username, a.role,
  coalesce(a.country_claimed, phone.country) AS country,
  CASE WHEN a.country_claimed IS NOT NULL THEN 'claimed' WHEN phone.country IS NOT NULL THEN 'phone' END AS country_basis,
  coalesce(spend.sat, 0) AS spend_btc_sat, coalesce(spend.gbp, 0) AS spend_btc_gbp_minor, coalesce(spend.eur, 0) AS spend_btc_eur_minor,
  coalesce(spend.payments, 0) AS payments, coalesce(act.calls, 0) AS calls, coalesce(act.answered, 0) AS answered,
  coalesce(act.long_calls, 0) AS long_calls, coalesce(act.calls_uk, 0) AS calls_uk, coalesce(act.long_calls_uk, 0) AS long_calls_uk,
  coalesce(act.victims, 0) AS victims, coalesce(act.victims_uk, 0) AS victims_uk, coalesce(named.institutions, 0) AS institutions,
  coalesce(loss.reports, 0) AS linked_reports, coalesce(loss.minor, 0) AS linked_loss_minor,
  act.first_at, act.last_at, coalesce(act.active_days, 0) AS active_days,
  coalesce(passcode.calls, 0) AS passcode_calls, coalesce(run.campaigns, 0) AS campaigns,
  a.country_claimed, phone.country AS country_phone, target.country AS country_target, round(target.share, 4) AS target_share,
  coalesce(target.countries, 0) AS countries_called, coalesce(account_session.ips, 0) AS ips, coalesce(spoken.languages, '') AS script_languages,
  a.ref_source, a.ref_table, a.ref_row, a.ref_offset
FROM account a
LEFT JOIN phone USING (account_id) LEFT JOIN spend USING (account_id) LEFT JOIN account_activity act USING (account_id) LEFT JOIN named USING (account_id) LEFT JOIN loss USING (account_id)
LEFT JOIN passcode USING (account_id) LEFT JOIN run USING (account_id) LEFT JOIN spoken USING (account_id) LEFT JOIN account_session USING (account_id) LEFT JOIN target USING (account_id)
WHERE a.role IN ('user', 'reseller')
ORDER BY a.account_id
