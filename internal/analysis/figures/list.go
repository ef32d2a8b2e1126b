package figures

import "fmt"

// Figure is one published number's definition.
type Figure struct {
	Name, Title, Definition, Unit string
	TitleFR, DefinitionFR         string  // the same in French, for a briefing
	From, To                      string  // period, in the case's time zone, To excluded; empty: the whole case
	SQL                           string  // its value; from_at and to_at bound the period
	By                            bool    // SQL gives rows (key, value): a figure NAME.key each, small groups in one
	Low, High                     string  // SQL of a range, where the definition has one
	Published                     float64 // what was said of the reference case; 0: nothing
	PublishedBy                   string
	Tables                        []string // it rests on
}

// The periods of the reference case.
const (
	yearFrom, yearTo       = "2021-08-01", "2022-08-01"
	twentyFrom, twentyTo   = "2020-12-01", "2022-08-01"
	sixteenFrom, sixteenTo = "2021-07-01", "2022-11-01"
	juneFrom, juneTo       = "2021-06-01", "2022-07-01"
	weekFrom, weekTo       = "2022-11-01", "2022-11-08" // the seizure
)

const (
	within = "minute >= epoch_us(from_at) // 60000000 AND minute < epoch_us(to_at) // 60000000"
	share  = "SELECT coalesce(round(100.0 * %s / nullif(%s, 0), 2), 0)"
	yearUK = "(SELECT sum(uk) FROM calls_by_minute, period WHERE " + within + ")"
	year   = "(SELECT sum(calls) FROM calls_by_minute, period WHERE " + within + ")"
	longUK = "(SELECT sum(long_uk) FROM calls_by_minute, period WHERE " + within + ")"
	people = "(SELECT count(DISTINCT called_e164) FROM long_call_of_year WHERE country = 'GB')"
	paid   = "direction = 'in' AND asset = 'BTC' AND status = 'completed' AND \"at\" >= from_at AND \"at\" < to_at"
)

// Figures lists every figure, in the order they are shown.
func Figures() []Figure {
	return []Figure{
		{Name: "accounts", Title: "Accounts", TitleFR: "Comptes", Definition: "accounts of users and resellers; staff and administrators do not count",
			DefinitionFR: "comptes d'utilisateurs et de revendeurs ; le personnel et les administrateurs ne comptent pas", Unit: "accounts",
			SQL: "SELECT count(*) FROM account WHERE role IN ('user', 'reseller')", Published: 59000, PublishedBy: "Met, Europol", Tables: []string{"account"}},
		{Name: "source_rows", Title: "Rows on the server", TitleFR: "Lignes du serveur", Definition: "rows of the platform's own sources, stored and damaged; lists added beside it do not count",
			DefinitionFR: "lignes des sources de la plateforme, conservées et endommagées ; les listes ajoutées à côté ne comptent pas", Unit: "rows",
			SQL: "SELECT coalesce(sum(rows), 0) FROM source_count", Published: 70e6, PublishedBy: "Met"},
		{Name: "calls_world", Title: "Calls, world", TitleFR: "Appels, monde", Definition: "answered calls of user accounts",
			DefinitionFR: "appels décrochés des comptes d'utilisateurs", Unit: "calls", From: yearFrom, To: yearTo,
			SQL: "SELECT coalesce(sum(calls), 0) FROM calls_by_minute, period WHERE " + within, Published: 10e6, PublishedBy: "Met, Europol", Tables: []string{"call_verdict"}},
		{Name: "calls_uk", Title: "Calls, UK", TitleFR: "Appels, Royaume-Uni", Definition: "answered calls of user accounts to numbers of Great Britain and Northern Ireland",
			DefinitionFR: "appels décrochés des comptes d'utilisateurs vers des numéros de Grande-Bretagne et d'Irlande du Nord", Unit: "calls", From: yearFrom, To: yearTo,
			SQL: "SELECT coalesce(sum(uk), 0) FROM calls_by_minute, period WHERE " + within, Published: 3.5e6, PublishedBy: "Met", Tables: []string{"call_verdict"}},
		{Name: "long_calls_uk", Title: "Long calls, UK", TitleFR: "Appels longs, Royaume-Uni", Definition: "of the UK calls, those with more than 60 seconds of measured talk",
			DefinitionFR: "parmi les appels vers le Royaume-Uni, ceux de plus de 60 secondes de conversation mesurée", Unit: "calls", From: yearFrom, To: yearTo,
			SQL: "SELECT coalesce(sum(long_uk), 0) FROM calls_by_minute, period WHERE " + within, Published: 350000, PublishedBy: "Met", Tables: []string{"call_verdict"}},
		{Name: "people_long_calls_uk", Title: "People in long calls, UK", TitleFR: "Personnes aux appels longs, Royaume-Uni", Definition: "distinct numbers called in the long UK calls; a number is not always one person",
			DefinitionFR: "numéros distincts des appels longs vers le Royaume-Uni ; un numéro n'est pas toujours une personne", Unit: "numbers", From: yearFrom, To: yearTo,
			SQL: "SELECT count(DISTINCT called_e164) FROM long_call_of_year WHERE country = 'GB'", Published: 200000, PublishedBy: "Met", Tables: []string{"call_verdict"}},
		{Name: "calls_per_minute_mean", Title: "Calls a minute, mean", TitleFR: "Appels par minute, moyenne", Definition: "calls, world, divided by the minutes of the period",
			DefinitionFR: "appels, monde, divisés par les minutes de la période", Unit: "calls/min", From: yearFrom, To: yearTo,
			SQL: "SELECT coalesce(round(sum(calls) / any_value(date_diff('minute', from_at, to_at)), 4), 0) FROM calls_by_minute, period WHERE " + within, Published: 20, PublishedBy: "Met", Tables: []string{"call_verdict"}},
		{Name: "institutions_impersonated", Title: "Institutions impersonated", TitleFR: "Organismes usurpés", Definition: "distinct institutions named by verdicts of grade A*, A, B or C among the calls, world",
			DefinitionFR: "organismes distincts désignés par les verdicts A*, A, B ou C parmi les appels, monde", Unit: "institutions", From: yearFrom, To: yearTo,
			SQL: "SELECT count(DISTINCT institution_id) FROM calls_of_year", Tables: []string{"call_verdict"}},
		{Name: "revenue_gbp_20_months", Title: "Service revenue, 20 months", TitleFR: "Recettes du service, 20 mois", Definition: "completed Bitcoin payments to the service, each at the rate of its UTC day, rounded half up to the penny",
			DefinitionFR: "paiements achevés en bitcoin au service, chacun au cours de son jour UTC, arrondi au penny le plus proche", Unit: "GBP", From: twentyFrom, To: twentyTo,
			SQL: "SELECT coalesce(sum(gbp_minor), 0) / 100.0 FROM payment_value, period WHERE " + paid, Published: 3.2e6, PublishedBy: "Met", Tables: []string{"payment_value"}},
		{Name: "revenue_eur_16_months", Title: "Service revenue, 16 months", TitleFR: "Recettes du service, 16 mois", Definition: "completed Bitcoin payments to the service, each at the rate of its UTC day, rounded half up to the cent",
			DefinitionFR: "paiements achevés en bitcoin au service, chacun au cours de son jour UTC, arrondi au centime le plus proche", Unit: "EUR", From: sixteenFrom, To: sixteenTo,
			SQL: "SELECT coalesce(sum(eur_minor), 0) / 100.0 FROM payment_value, period WHERE " + paid, Published: 3.7e6, PublishedBy: "Europol", Tables: []string{"payment_value"}},
		{Name: "reports", Title: "Loss reports", TitleFR: "Signalements de pertes", Definition: "reports in the loss report list",
			DefinitionFR: "signalements de la liste des pertes", Unit: "reports",
			SQL: "SELECT count(*) FROM loss_report", Published: 4785, PublishedBy: "press on the Met's statement", Tables: []string{"loss_report"}},
		{Name: "reported_loss_gbp", Title: "Reported losses, all reports", TitleFR: "Pertes signalées, tous signalements", Definition: "sum of the amounts of all loss reports in pounds; known to be under-reported",
			DefinitionFR: "somme des montants de tous les signalements en livres ; on sait que tout n'est pas signalé", Unit: "GBP",
			SQL: "SELECT coalesce(sum(amount_minor), 0) / 100.0 FROM loss_report WHERE currency = 'GBP'", Low: "linked", Published: 48e6, PublishedBy: "Met", Tables: []string{"loss_report", "report_link"}},
		{Name: "reported_loss_linked_gbp", Title: "Reported losses, linked to calls", TitleFR: "Pertes signalées, rattachées à des appels", Definition: "sum of the amounts of loss reports with at least one strictly linked call: to the reported number, within the reported time, pretending to come from the institution reported",
			DefinitionFR: "somme des montants des signalements rattachés strictement à un appel au moins : au numéro signalé, dans le temps signalé, au nom de l'organisme signalé", Unit: "GBP",
			SQL: linkedLoss, High: "SELECT coalesce(sum(amount_minor), 0) / 100.0 FROM (SELECT DISTINCT report_id, amount_minor FROM report_link WHERE currency = 'GBP')", Published: 43e6, PublishedBy: "Europol", Tables: []string{"report_link"}},
		{Name: "suspects_met_2022", Title: "Suspects under met-2022", TitleFR: "Suspects selon met-2022", Definition: "accounts that pass policy met-2022: UK users who spent at least GBP 100 of Bitcoin",
			DefinitionFR: "comptes retenus par la politique met-2022 : utilisateurs britanniques ayant dépensé au moins 100 GBP en bitcoin", Unit: "accounts",
			SQL: "SELECT count(*) FROM policy_result WHERE policy = 'met-2022' AND latest AND passed", Tables: []string{"policy_result"}},
		{Name: "numbers_to_warn_uk", Title: "Numbers to warn, UK", TitleFR: "Numéros à avertir, Royaume-Uni", Definition: "distinct UK mobile numbers in long UK calls of accounts that pass met-2022",
			DefinitionFR: "numéros mobiles britanniques distincts des appels longs vers le Royaume-Uni de comptes retenus par met-2022", Unit: "numbers", From: yearFrom, To: yearTo,
			SQL:       "SELECT count(DISTINCT called_e164) FROM long_call_of_year WHERE country = 'GB' AND called_e164 BETWEEN 447000000000 AND 447999999999 AND account_id IN (SELECT account_id FROM policy_result WHERE policy = 'met-2022' AND latest AND passed)",
			Published: 70000, PublishedBy: "Met", Tables: []string{"call_verdict", "policy_result"}},
		{Name: "calls_world_june", Title: "Calls, world, other window", TitleFR: "Appels, monde, autre fenêtre", Definition: "answered calls of user accounts; a second window that was published too",
			DefinitionFR: "appels décrochés des comptes d'utilisateurs ; une seconde fenêtre publiée aussi", Unit: "calls", From: juneFrom, To: juneTo,
			SQL: "SELECT coalesce(sum(calls), 0) FROM calls_by_minute, period WHERE " + within, Published: 10e6, PublishedBy: "press", Tables: []string{"call_verdict"}},
		{Name: "calls_share_uk", Title: "Share of calls to the UK", TitleFR: "Part des appels vers le Royaume-Uni", Definition: "calls, UK, as a share of the calls, world",
			DefinitionFR: "appels vers le Royaume-Uni, en part des appels, monde", Unit: "%", From: yearFrom, To: yearTo,
			SQL: fmt.Sprintf(share, yearUK, year), Published: 35, PublishedBy: "derived from the Met", Tables: []string{"call_verdict"}},
		{Name: "calls_share_us", Title: "Share of calls to the USA", TitleFR: "Part des appels vers les États-Unis", Definition: "calls to numbers of the USA, as a share of the calls, world",
			DefinitionFR: "appels vers des numéros des États-Unis, en part des appels, monde", Unit: "%", From: yearFrom, To: yearTo,
			SQL: fmt.Sprintf(share, "(SELECT sum(calls) FROM calls_of_year WHERE country = 'US')", year), Published: 40, PublishedBy: "press", Tables: []string{"call_verdict"}},
		{Name: "long_share_uk", Title: "Share of long calls, UK", TitleFR: "Part des appels longs, Royaume-Uni", Definition: "long calls, UK, as a share of the calls, UK",
			DefinitionFR: "appels longs vers le Royaume-Uni, en part des appels vers le Royaume-Uni", Unit: "%", From: yearFrom, To: yearTo,
			SQL: fmt.Sprintf(share, longUK, yearUK), Published: 10, PublishedBy: "derived from the Met", Tables: []string{"call_verdict"}},
		{Name: "long_calls_per_number_uk", Title: "Long calls a number, UK", TitleFR: "Appels longs par numéro, Royaume-Uni", Definition: "long calls, UK, divided by the distinct numbers called in them",
			DefinitionFR: "appels longs vers le Royaume-Uni divisés par leurs numéros distincts", Unit: "calls/number", From: yearFrom, To: yearTo,
			SQL: "SELECT coalesce(round(1.0 * " + longUK + " / nullif(" + people + ", 0), 2), 0)", Published: 1.75, PublishedBy: "derived from the Met", Tables: []string{"call_verdict"}},
		{Name: "calls_per_minute_peak", Title: "Calls a minute, peak", TitleFR: "Appels par minute, maximum", Definition: "most answered calls of user accounts that started in one minute of the clock",
			DefinitionFR: "le plus d'appels décrochés commencés dans une même minute", Unit: "calls/min", From: yearFrom, To: yearTo,
			SQL: "SELECT coalesce(max(calls), 0) FROM calls_by_minute, period WHERE " + within, Tables: []string{"call_verdict"}},
		{Name: "calls_busiest_hour", Title: "Calls in the busiest hour", TitleFR: "Appels de l'heure la plus chargée", Definition: "most answered calls of user accounts that started in one hour, UTC",
			DefinitionFR: "le plus d'appels décrochés commencés dans une même heure UTC", Unit: "calls", From: yearFrom, To: yearTo,
			SQL: "SELECT coalesce(max(n), 0) FROM (SELECT sum(calls) AS n FROM calls_by_minute, period WHERE " + within + " GROUP BY minute // 60)", Tables: []string{"call_verdict"}},
		{Name: "calls_busiest_day", Title: "Calls on the busiest day", TitleFR: "Appels du jour le plus chargé", Definition: "most answered calls of user accounts that started on one day of the case's time zone",
			DefinitionFR: "le plus d'appels décrochés commencés le même jour, au fuseau du dossier", Unit: "calls", From: yearFrom, To: yearTo,
			SQL: "SELECT coalesce(max(n), 0) FROM (SELECT sum(calls) AS n FROM calls_by_minute, period WHERE " + within + " GROUP BY CAST(timezone($zone, make_timestamptz(minute * 60000000)) AS DATE))", Tables: []string{"call_verdict"}},
		{Name: "numbers_long_world", Title: "Numbers in long calls, world", TitleFR: "Numéros aux appels longs, monde", Definition: "distinct numbers called for more than 60 seconds, in all countries",
			DefinitionFR: "numéros distincts appelés plus de 60 secondes, dans tous les pays", Unit: "numbers", From: yearFrom, To: yearTo,
			SQL: "SELECT count(DISTINCT called_e164) FROM long_call_of_year", Tables: []string{"call_verdict"}},
		{Name: "countries_called", Title: "Countries called", TitleFR: "Pays appelés", Definition: "distinct countries of the numbers called in the calls, world",
			DefinitionFR: "pays distincts des numéros appelés parmi les appels, monde", Unit: "countries", From: yearFrom, To: yearTo,
			SQL: "SELECT count(DISTINCT country) FROM calls_of_year", Tables: []string{"call_verdict"}},
		{Name: "accounts_uk", Title: "Accounts, UK", TitleFR: "Comptes, Royaume-Uni", Definition: "user accounts whose claimed country, or else whose telephone, is British",
			DefinitionFR: "comptes d'utilisateurs dont le pays déclaré, ou à défaut le téléphone, est britannique", Unit: "accounts",
			SQL: "SELECT count(*) FROM suspect WHERE country = 'GB'", Tables: []string{"suspect"}},
		{Name: "accounts_new_week", Title: "New accounts in the last week", TitleFR: "Nouveaux comptes la dernière semaine", Definition: "user accounts registered in the week before the server was seized",
			DefinitionFR: "comptes d'utilisateurs ouverts la semaine avant la saisie du serveur", Unit: "accounts", From: weekFrom, To: weekTo,
			SQL: "SELECT count(*) FROM account, period WHERE role IN ('user', 'reseller') AND registered_at >= from_at AND registered_at < to_at", Published: 700, PublishedBy: "press", Tables: []string{"account"}},
		{Name: "accounts_paying", Title: "Paying accounts", TitleFR: "Comptes payants", Definition: "user accounts with at least one completed Bitcoin payment",
			DefinitionFR: "comptes d'utilisateurs ayant au moins un paiement achevé en bitcoin", Unit: "accounts",
			SQL: "SELECT count(*) FROM suspect WHERE payments > 0", Tables: []string{"suspect"}},
		{Name: "rows_per_account", Title: "Rows an account", TitleFR: "Lignes par compte", Definition: "rows on the server divided by accounts",
			DefinitionFR: "lignes du serveur divisées par les comptes", Unit: "rows/account",
			SQL: "SELECT coalesce(round(1.0 * (SELECT sum(rows) FROM source_count) / nullif(count(*), 0), 2), 0) FROM suspect", Published: 1190, PublishedBy: "derived from the Met", Tables: []string{"suspect"}},
		{Name: "revenue_gbp_16_months", Title: "Service revenue, 16 months, in pounds", TitleFR: "Recettes du service, 16 mois, en livres", Definition: "completed Bitcoin payments to the service in the period that was published in euros, in pounds",
			DefinitionFR: "paiements achevés en bitcoin au service dans la période publiée en euros, en livres", Unit: "GBP", From: sixteenFrom, To: sixteenTo,
			SQL: "SELECT coalesce(sum(gbp_minor), 0) / 100.0 FROM payment_value, period WHERE " + paid, Tables: []string{"payment_value"}},
		{Name: "revenue_eur_20_months", Title: "Service revenue, 20 months, in euros", TitleFR: "Recettes du service, 20 mois, en euros", Definition: "completed Bitcoin payments to the service in the period that was published in pounds, in euros",
			DefinitionFR: "paiements achevés en bitcoin au service dans la période publiée en livres, en euros", Unit: "EUR", From: twentyFrom, To: twentyTo,
			SQL: "SELECT coalesce(sum(eur_minor), 0) / 100.0 FROM payment_value, period WHERE " + paid, Tables: []string{"payment_value"}},
		{Name: "mean_loss_gbp", Title: "Mean reported loss", TitleFR: "Perte signalée moyenne", Definition: "reported losses in pounds divided by the reports in pounds",
			DefinitionFR: "pertes signalées en livres divisées par les signalements en livres", Unit: "GBP/report",
			SQL: "SELECT coalesce(round(avg(amount_minor / 100.0), 2), 0) FROM loss_report WHERE currency = 'GBP'", Published: 10000, PublishedBy: "Met", Tables: []string{"loss_report"}},
		{Name: "reported_loss_all_gbp", Title: "Reported losses, all currencies", TitleFR: "Pertes signalées, toutes devises", Definition: "sum of the amounts of all loss reports, in pounds at the rate of the UTC day on which the incident began; without a rate, not counted",
			DefinitionFR: "somme des montants de tous les signalements, en livres au cours du jour UTC où les faits ont commencé ; sans cours, non comptés", Unit: "GBP",
			SQL: "SELECT coalesce(sum(amount_minor), 0) / 100.0 FROM loss_total WHERE definition = 'reported' AND currency = 'GBP' AND basis LIKE 'all%'", Tables: []string{"loss_total"}},
		{Name: "reports_per_100_numbers", Title: "Reports for 100 numbers in long calls, UK", TitleFR: "Signalements pour 100 numéros aux appels longs, Royaume-Uni", Definition: "loss reports divided by the distinct numbers of the long UK calls, times 100",
			DefinitionFR: "signalements divisés par les numéros distincts des appels longs vers le Royaume-Uni, fois 100", Unit: "%", From: yearFrom, To: yearTo,
			SQL: fmt.Sprintf(share, "(SELECT count(*) FROM loss_report)", people), Published: 2.4, PublishedBy: "derived from the Met", Tables: []string{"loss_report", "call_verdict"}},
		{Name: "calls_by_month", Title: "Calls by month", TitleFR: "Appels par mois", Definition: "answered calls of user accounts that started in the month, in the case's time zone",
			DefinitionFR: "appels décrochés des comptes d'utilisateurs commencés dans le mois, au fuseau du dossier", Unit: "calls", From: yearFrom, To: yearTo, By: true,
			SQL: "SELECT strftime(timezone($zone, make_timestamptz(minute * 60000000)), '%Y-%m') AS key, sum(calls) AS value FROM calls_by_minute, period WHERE " + within + " GROUP BY 1", Tables: []string{"call_verdict"}},
		{Name: "calls_by_country", Title: "Calls by country", TitleFR: "Appels par pays", Definition: "calls, world, by the country of the called number",
			DefinitionFR: "appels, monde, selon le pays du numéro appelé", Unit: "calls", From: yearFrom, To: yearTo, By: true,
			SQL: "SELECT coalesce(country, 'unknown') AS key, sum(calls) AS value FROM calls_of_year GROUP BY 1", Tables: []string{"call_verdict"}},
		{Name: "calls_by_institution", Title: "Calls by institution", TitleFR: "Appels par organisme", Definition: "calls, world, whose verdict of grade A*, A, B or C names the institution",
			DefinitionFR: "appels, monde, dont le verdict A*, A, B ou C désigne l'organisme", Unit: "calls", From: yearFrom, To: yearTo, By: true,
			SQL: "SELECT institution_id AS key, sum(calls) AS value FROM calls_of_year WHERE institution_id IS NOT NULL GROUP BY 1", Tables: []string{"call_verdict"}},
		{Name: "numbers_long_by_country", Title: "Numbers in long calls by country", TitleFR: "Numéros aux appels longs par pays", Definition: "distinct numbers called for more than 60 seconds, by their country",
			DefinitionFR: "numéros distincts appelés plus de 60 secondes, selon leur pays", Unit: "numbers", From: yearFrom, To: yearTo, By: true,
			SQL: "SELECT coalesce(country, 'unknown') AS key, count(DISTINCT called_e164) AS value FROM long_call_of_year GROUP BY 1", Tables: []string{"call_verdict"}},
		{Name: "accounts_by_country", Title: "Accounts by country", TitleFR: "Comptes par pays", Definition: "user accounts by claimed country, or else by the telephone's country",
			DefinitionFR: "comptes d'utilisateurs selon le pays déclaré, à défaut celui du téléphone", Unit: "accounts", By: true,
			SQL: "SELECT coalesce(country, 'unknown') AS key, count(*) AS value FROM suspect GROUP BY 1", Tables: []string{"suspect"}},
	}
}

const linkedLoss = "SELECT coalesce(sum(amount_minor), 0) / 100.0 FROM (SELECT DISTINCT report_id, amount_minor FROM report_link WHERE strict AND currency = 'GBP')"
