package desktest

import (
	"strings"

	"github.com/unspoof/unspoof/internal/store"
)

type table struct{ name, kind, query string }

// calls is how many calls the case has: more than two pages of a list.
const calls = "120"

// tables are the case's tables. In a query, {word} becomes a text literal: the word itself or,
// in a hostile case, the word with what is hostile behind it; REF becomes the columns of a
// row reference with the row number i.
func (k *Case) tables() []table {
	list := []table{
		{"account", store.KindCase, `SELECT CASE i WHEN 0 THEN {root} ELSE 'a' || i || {} END AS account_id, CASE i WHEN 1 THEN {mrsmith} ELSE 'user' || i || {} END AS username,
			{smith@example.com} AS email, {+44 7700 900 999} AS phone_raw, 447700900999 AS phone_e164, {Mr Smith} AS display_name, {GB} AS country_claimed,
			{United Kingdom} AS country_claimed_raw, CASE i WHEN 0 THEN 'admin' ELSE 'user' END AS role, TIMESTAMPTZ '2021-01-02 03:04:05+00' AS registered_at,
			NULL::TIMESTAMPTZ AS last_seen_at, {active} AS status, 1234::BIGINT AS balance_minor, 'GBP' AS currency, NULL::VARCHAR AS parent_account_id, REF
			FROM range(70) r(i)`},
		{"identifier", store.KindCase, `SELECT 'a' || (1 + i % 2) || {} AS account_id, {email} AS kind, {smith@example.com} AS value, {smith@example.com} AS value_norm,
			TIMESTAMPTZ '2021-01-02 03:04:05+00' AS first_seen_at, NULL::TIMESTAMPTZ AS last_seen_at, 3::BIGINT AS times, REF FROM range(4) r(i)`},
		{"session", store.KindCase, `SELECT {a1} AS account_id, NULL::TIMESTAMPTZ AS "at", {x} AS at_raw, {192.0.2.1} AS ip, {agent} AS user_agent, {login} AS event, true AS ok, REF FROM range(2) r(i)`},
		{"call", store.KindCase, `SELECT 'cdr:' || i || {} AS call_id, {a1} AS account_id, TIMESTAMPTZ '2022-03-27 00:30:00+00' + INTERVAL (i) MINUTE AS started_at,
			NULL::TIMESTAMPTZ AS answered_at, NULL::TIMESTAMPTZ AS ended_at, {0345 734 5345} AS presented_raw, 443457345345 AS presented_e164,
			{Barclays Bank} AS presented_name, NULL::VARCHAR AS received_cli_raw, {07700900001} AS called_raw, 447700900000 + i % 3 AS called_e164, {GB} AS called_country,
			'answered' AS outcome, 5::BIGINT AS ring_s, 30 * i AS talk_s, 12::BIGINT AS cost_minor, {GBP} AS currency, {trunk} AS trunk, {script} AS script_id,
			{file.wav} AS recording, 6::BIGINT AS keypress_count, {198.51.100.2} AS upstream_ip, REF FROM range(` + calls + `) r(i)`},
		{"payment", store.KindCase, `SELECT 'pay' || i || {} AS payment_id, {a1} AS account_id, TIMESTAMPTZ '2022-01-05 12:00:00+00' + INTERVAL (i) DAY AS "at", {in} AS direction,
			{btcpay} AS method, CASE i % 3 WHEN 0 THEN 'GBP' ELSE 'BTC' END AS asset, CASE i % 3 WHEN 0 THEN NULL ELSE 123456 END::BIGINT AS amount_sat, 4200::BIGINT AS amount_minor, {GBP} AS currency,
			{bc1qexample} AS address, {txid} AS txid, {completed} AS status, {ref} AS provider_ref, REF FROM range(60) r(i)`},
		{"loss_report", store.KindCase, `SELECT 'AF-' || i || {} AS report_id, {loss_reports} AS list, TIMESTAMPTZ '2022-04-01 09:00:00+00' AS reported_at,
			TIMESTAMPTZ '2022-03-26 00:00:00+00' AS incident_from, TIMESTAMPTZ '2022-03-29 00:00:00+00' AS incident_to, {Jane Doe} AS victim_name,
			{07700 900001} AS victim_phone_raw, 447700900001 AS victim_phone_e164, {SW1} AS victim_postcode, {1950-01-01} AS victim_dob, {Barclays} AS institution,
			250000::BIGINT AS amount_minor, {GBP} AS currency, {They said my account was at risk.} AS narrative, {Met} AS force_area, REF FROM range(2) r(i)`},
		{"institution", store.KindCase, `SELECT CASE i WHEN 0 THEN {barclays} ELSE 'bank' || i || {} END AS institution_id, CASE i WHEN 0 THEN {Barclays} ELSE 'Bank ' || i || {} END AS name, {bank} AS sector, {GB} AS country, {barclays} AS aliases, REF FROM range(60) r(i)`},
		{"institution_number", store.KindCase, `SELECT {barclays} AS institution_id, 443457345345 AS number_from, 443457345345 + i AS number_to, i = 0 AS inbound_only,
			NULL::DATE AS valid_from, DATE '2030-01-01' AS valid_to, {https://example.org} AS source_url, DATE '2022-01-01' AS seen_on, REF FROM range(2) r(i)`},
		{"snapshot_change", store.KindFinding, `SELECT {series} AS series, {pkg_cdr} AS source_table, 2::BIGINT AS snapshot_no, NULL::VARCHAR AS snapshot_before, {later} AS snapshot_after,
			{vanished} AS change, {id=1} AS key, {["note"]} AS columns, ref_source AS before_ref_source, ref_table AS before_ref_table, ref_row AS before_ref_row, ref_offset AS before_ref_offset,
			NULL::VARCHAR AS after_ref_source, NULL::VARCHAR AS after_ref_table, NULL::BIGINT AS after_ref_row, NULL::BIGINT AS after_ref_offset FROM (SELECT REF FROM range(1) r(i))`},
		{"call_verdict", store.KindFinding, `SELECT call_id, account_id, started_at, called_e164, called_country, outcome, talk_s, false AS staff,
			(['A*', 'A', 'B', 'C', 'X', 'W', 'U', 'D', 'E'])[1 + CAST(i AS INTEGER) % 9] AS grade, CASE WHEN i % 9 IN (0, 1, 2, 3, 7) THEN {barclays} END AS institution_id, {exact-number} AS rule,
			{equals +443457345345} AS reasons, {v1} AS rule_version, presented_e164, presented_name, {but the name says HSBC} AS contradictions, {one digit from +443457345345} AS resembles, {fraud} AS role_hint,
			'uk-cli-2023' AS would_block, 'uk-abroad-2025' AS might_block, NULL::VARCHAR AS rules_then, ref_source, ref_table, ref_row, ref_offset
			FROM (SELECT *, ref_row - 1 AS i FROM call)`},
		{"account_institution", store.KindFinding, `SELECT account_id, institution_id, CASE WHEN institution_id IS NULL THEN grade END AS other, count(*) AS calls, count(*) AS long_calls, count(DISTINCT called_e164) AS numbers,
			1::BIGINT AS a_star, 2::BIGINT AS a, 3::BIGINT AS b, 4::BIGINT AS c, 5::BIGINT AS d, 10::BIGINT AS answered_calls, 5::BIGINT AS answered_long_calls, 3::BIGINT AS answered_numbers,
			1::BIGINT AS answered_a_star, 2::BIGINT AS answered_a, 3::BIGINT AS answered_b, 4::BIGINT AS answered_c, 5::BIGINT AS answered_d FROM call_verdict GROUP BY ALL`},
		{"account_session", store.KindFinding, `SELECT account_id, count(*) AS sessions, min("at") AS first_at, max("at") AS last_at FROM session GROUP BY account_id`},
		{"account_call", store.KindFinding, `SELECT account_id, started_at, called_e164, call_id, presented_e164, ref_row, ref_offset, ref_row - 1 AS place FROM call_verdict`},
		{"number_call", store.KindFinding, `SELECT called_e164, started_at, account_id, called_country, outcome, talk_s, staff, grade, institution_id, ref_row - 1 AS place FROM call_verdict`},
		{"block_rule", store.KindFinding, `SELECT * FROM (VALUES ('uk-cli-2023', 'GB', DATE '2023-05-15', 'number', {blocks impossible numbers}, {https://example.org}),
			('uk-abroad-2025', 'GB', DATE '2025-01-29', 'from abroad', {blocks British numbers from abroad}, NULL)) v(rule_id, country, from_day, condition, text, source_url)`},
		{"payment_value", store.KindFinding, `SELECT payment_id, account_id, "at", direction, asset, status, amount_sat, CASE WHEN amount_sat IS NULL THEN NULL ELSE 3777 END::BIGINT AS gbp_minor,
			4500::BIGINT AS eur_minor, DATE '2022-01-05' AS rate_day, ref_source, ref_table, ref_row, ref_offset FROM payment`},
		{"report_link", store.KindFinding, `SELECT 'AF-' || i || {} AS report_id, {cdr:1} AS call_id, {a1} AS account_id, 447700900001 AS called_e164, {barclays} AS institution_id, i = 0 AS strict,
			i + 1 AS rank, 250000::BIGINT AS amount_minor, {GBP} AS currency, {same number} AS reasons, REF, {src} AS report_ref_source, {t} AS report_ref_table, 1::BIGINT AS report_ref_row, 0::BIGINT AS report_ref_offset
			FROM range(2) r(i)`},
		{"victim", store.KindFinding, `SELECT called_e164, {GB} AS country, count(*) AS calls, count(*) AS answered, count(*) AS long_calls, sum(talk_s) AS talk_s, min(started_at) AS first_at,
			max(started_at) AS last_at, 1::BIGINT AS accounts, {barclays} AS institutions, 'A*' AS best_grade, true AS "repeat", 1::BIGINT AS linked_reports, 250000::BIGINT AS linked_loss_minor,
			7.5::DOUBLE AS points, {three long calls} AS reasons, {over 180 s} AS talk_band, {mobile} AS line, {Leeds} AS area, {West Yorkshire Police} AS force_area, 2::BIGINT AS passcode_calls,
			2::BIGINT AS priority, CASE called_e164 % 2 WHEN 1 THEN {gb.mobile.2} END AS batch_id, CASE called_e164 % 2 WHEN 0 THEN {voicemail: presumed} END AS excluded_reason FROM call GROUP BY called_e164`},
		{"suspect", store.KindFinding, `SELECT account_id, username, role, {GB} AS country, {claimed} AS country_basis, 1234567890::BIGINT AS spend_btc_sat, 1234567::BIGINT AS spend_btc_gbp_minor,
			1400000::BIGINT AS spend_btc_eur_minor, 60::BIGINT AS payments, 120::BIGINT AS calls, 100::BIGINT AS answered, 50::BIGINT AS long_calls, 90::BIGINT AS calls_uk, 40::BIGINT AS long_calls_uk,
			3::BIGINT AS victims, 3::BIGINT AS victims_uk, 1::BIGINT AS institutions, 1::BIGINT AS linked_reports, 250000::BIGINT AS linked_loss_minor, TIMESTAMPTZ '2022-03-27 00:30:00+00' AS first_at,
			TIMESTAMPTZ '2022-03-27 02:29:00+00' AS last_at, 1::BIGINT AS active_days, {GB} AS country_claimed, {FR} AS country_phone, {GB} AS country_target, 0.75::DOUBLE AS target_share, 5::BIGINT AS passcode_calls, 1::BIGINT AS campaigns,
			4::BIGINT AS countries_called, 3::BIGINT AS ips, {en, fr} AS script_languages, ref_source, ref_table, ref_row, ref_offset FROM account WHERE role = 'user'`},
		{"policy_result", store.KindFinding, `SELECT {met-2022} AS policy, {v1} AS policy_version, true AS latest, account_id, ref_row % 2 = 0 AS passed, CASE WHEN ref_row % 2 = 0 THEN ref_row // 2 END AS rank, {spent enough} AS reasons,
			CASE WHEN ref_row % 2 = 1 THEN {spend} END AS failed_rule FROM account WHERE role = 'user'`},
		{"policy_step", store.KindFinding, `SELECT {met-2022} AS policy, {v1} AS policy_version, true AS latest, {UK users} AS title, {A. Lead} AS approved_by, {2022-11-24} AS approved_on, i + 1 AS place,
			{country = GB} AS rule, {UK user} AS why, 69 - i AS before, 1::BIGINT AS removed, 68 - i AS "left" FROM range(2) r(i)`},
		{"near_miss", store.KindFinding, `SELECT {met-2022} AS policy, {v1} AS policy_version, true AS latest, {spend} AS field, {spend >= 10000} AS rule, i + 1 AS place, {a1} AS account_id,
			9000::DOUBLE AS value, 1000::DOUBLE AS short_by, {met all others} AS reasons, REF FROM range(2) r(i)`},
		{"allocation", store.KindFinding, `SELECT {a1} AS account_id, {GB} AS country, {claimed} AS basis, i = 0 AS decides, {the account claims it} AS reasons, REF FROM range(2) r(i)`},
		{"contact_batch", store.KindFinding, `SELECT CASE i WHEN 0 THEN {gb.mobile.2} ELSE {excluded.voicemail} END AS batch_id, {GB} AS country, {mobile} AS line, {Met} AS force_area, 2::BIGINT AS priority,
			CASE i WHEN 1 THEN {voicemail} END AS excluded, 40 - 38 * i AS numbers, NULL::BIGINT AS published, 9::BIGINT AS long_calls, 1::BIGINT AS numbers_passcode, 1::BIGINT AS numbers_reported,
			TIMESTAMPTZ '2022-03-27 00:30:00+00' AS first_at, TIMESTAMPTZ '2022-03-27 02:29:00+00' AS last_at FROM range(2) r(i)`},
		{"script", store.KindCase, `SELECT {script} AS script_id, {a1} AS account_id, {tts} AS kind, NULL::VARCHAR AS language, {Hello from your bank.} AS text, {file.wav} AS file, NULL::TIMESTAMPTZ AS created_at, REF FROM range(1) r(i)`},
		{"script_family", store.KindFinding, `SELECT script_id, account_id, kind, {F1} AS family_id, {R1} AS recording_id, NULL::VARCHAR AS compared_with, NULL::DOUBLE AS containment, {the fullest text} AS reasons, {scripts-1} AS rule_version,
			ref_source, ref_table, ref_row, ref_offset FROM script`},
		{"passcode_call", store.KindFinding, `SELECT call_id, account_id, started_at, called_e164, talk_s, NULL::VARCHAR AS institution_id, {A} AS grade, script_id, 6::BIGINT AS keys, true AS recorded, true AS asks, true AS named,
			false AS repeated, false AS message_before, {6 keys pressed} AS reasons, {passcode-1} AS rule_version, ref_source, ref_table, ref_row, ref_offset FROM call WHERE ref_row < 6`},
		{"campaign_call", store.KindFinding, `SELECT {C000001} AS campaign_id, call_id, account_id, started_at, {script} AS basis, {F1} AS mark, true AS in_burst, started_at AS run_from, 60.0::DOUBLE AS run_rate,
			0.5::DOUBLE AS ordinary_rate, 99.0::DOUBLE AS surprise, ref_source, ref_table, ref_row, ref_offset FROM call`},
		{"campaign", store.KindFinding, `SELECT CASE i WHEN 0 THEN {C000001} ELSE 'C' || i || {} END AS campaign_id, {a1} AS account_id, {script} AS basis, {F1} AS mark, {F1} AS family_id, {barclays} AS institutions, 120 - i AS calls,
			100::BIGINT AS answered, 4000::BIGINT AS talk_s, 80::BIGINT AS called_numbers, 2::BIGINT AS presented_numbers, 5::BIGINT AS passcode_calls, 2::BIGINT AS bursts, TIMESTAMPTZ '2022-03-27 00:30:00+00' AS first_at,
			TIMESTAMPTZ '2022-03-27 02:29:00+00' AS last_at, 60.5::DOUBLE AS peak_rate, 0.5::DOUBLE AS ordinary_rate, {120 calls that share a script} AS reasons, {campaigns-1} AS rule_version, REF FROM range(60) r(i)`},
		{"lockstep", store.KindFinding, `SELECT {a1} AS account_a, 'a' || i || {} AS account_b, 100 - i AS shared, 200::BIGINT AS called_a, 150::BIGINT AS called_b, 0.4::DOUBLE AS jaccard, 40.0::DOUBLE AS lift, 2::BIGINT AS days,
			TIMESTAMPTZ '2022-03-27 00:30:00+00' AS first_at, TIMESTAMPTZ '2022-03-27 02:29:00+00' AS last_at, 12::BIGINT AS apart_minutes, {100 numbers called by both} AS reasons, {lockstep-1} AS rule_version, REF FROM range(60) r(i)`},
		{"institution_use", store.KindFinding, `SELECT institution_id, name, sector, country, 1000 - ref_row AS calls, 400::BIGINT AS calls_uk, 90::BIGINT AS long_calls_uk, 5::BIGINT AS accounts, 77::BIGINT AS called_numbers,
			(400 - 2 * ref_row)::BIGINT AS a_star, 300::BIGINT AS a, 200::BIGINT AS b, 100::BIGINT AS c, 50::BIGINT AS d FROM institution`},
		{"calls_by_day", store.KindFinding, `SELECT (DATE '2021-08-01' + CAST(i AS INTEGER)) AS day, CAST(30000 + 8000 * sin(i / 9.0) + 60 * i AS BIGINT) AS calls, CAST(25000 + 6000 * sin(i / 9.0) + 50 * i AS BIGINT) AS answered,
			CAST(8000 + 2000 * sin(i / 7.0) + 20 * i AS BIGINT) AS calls_uk, CAST(800 + 200 * sin(i / 5.0) AS BIGINT) AS long_calls_uk FROM range(365) r(i) WHERE i NOT BETWEEN 146 AND 149`},
		{"figure", store.KindFinding, figures},
	}
	for i := range list {
		list[i].query = k.expand(list[i].query)
	}
	return list
}

const figures = `SELECT name, title || {} AS title, 'definition of ' || title || {} AS definition, CAST(period_from AS DATE) AS period_from, CAST(period_to AS DATE) AS period_to,
	CAST(value AS DOUBLE) AS value, CAST(low AS DOUBLE) AS low, CAST(high AS DOUBLE) AS high, unit, {analysis.figures} AS step, published, CASE WHEN published IS NOT NULL THEN {Met, Europol} END AS published_by
	FROM (VALUES
	('accounts', 'User accounts', NULL, NULL, 59012, NULL, NULL, 'accounts', 'about 59,000'),
	('calls_world', 'Calls, world', '2021-08-01', '2022-08-01', 10012345, NULL, NULL, 'calls', 'about 10 million'),
	('calls_uk', 'Calls to the UK', '2021-08-01', '2022-08-01', 3512345, NULL, NULL, 'calls', 'about 3.5 million'),
	('long_calls_uk', 'Long calls to the UK', '2021-08-01', '2022-08-01', 350123, NULL, NULL, 'calls', '350,000'),
	('people_long_calls_uk', 'People in long calls, UK', '2021-08-01', '2022-08-01', 200345, 190000, 210000, 'numbers', '200,000'),
	('numbers_to_warn_uk', 'UK mobile numbers to warn', '2021-08-01', '2022-08-01', 70012, NULL, NULL, 'numbers', 'about 70,000'),
	('calls_per_minute_mean', 'Calls a minute, mean', '2021-08-01', '2022-08-01', 19.0495, NULL, NULL, 'calls/min', 'about 20'),
	('institutions_impersonated', 'Institutions impersonated', '2021-08-01', '2022-08-01', 60, NULL, NULL, 'institutions', NULL),
	('revenue_gbp_20_months', 'Revenue in pounds, 20 months', '2020-12-01', '2022-08-01', 3201234.56, NULL, NULL, 'GBP', '3.2 million'),
	('reports', 'Loss reports', NULL, NULL, 4785, NULL, NULL, 'reports', '4,785'),
	('reported_loss_gbp', 'Reported loss', NULL, NULL, 48123456.78, NULL, NULL, 'GBP', '48 million'),
	('calls_by_country.' || {GB}, 'Calls by country: ' || {GB}, '2021-08-01', '2022-08-01', 3512345, NULL, NULL, 'calls', NULL),
	('calls_by_country.' || {other}, 'Calls by country: ' || {other}, '2021-08-01', '2022-08-01', 12, NULL, NULL, 'calls', NULL),
	('suspects_met_2022', 'Suspects under policy met-2022', NULL, NULL, 21345, NULL, NULL, 'accounts', NULL)
	) v(name, title, period_from, period_to, value, low, high, unit, published)`

// expand puts the case's texts into a query.
func (k *Case) expand(query string) string {
	query = strings.ReplaceAll(query, "REF", literal(string(k.Source))+" AS ref_source, {pkg_cdr} AS ref_table, CAST(i + 1 AS BIGINT) AS ref_row, CAST(i * 100 AS BIGINT) AS ref_offset")
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(query, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		word, after, _ := strings.Cut(rest, "}")
		b.WriteString(literal(k.text(word)))
		query = after
	}
}

// literal quotes a text for SQL, which takes no NUL.
func literal(s string) string {
	return "('" + strings.ReplaceAll(strings.ReplaceAll(s, "'", "''"), "\x00", "' || chr(0) || '") + "')"
}
