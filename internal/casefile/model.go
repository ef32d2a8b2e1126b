package casefile

// ModelTable is one case table of the common model: what every platform is mapped to.
type ModelTable struct {
	Name    string
	Columns []ModelColumn
}

// ModelColumn is one column of a case table with its SQL type.
type ModelColumn struct{ Name, Type string }

// Model is the common model, table by table; each row also carries its row reference
// ([RefColumns]). The meaning of the columns is in docs/formats/tables.md.
func Model() []ModelTable {
	const text, num, when = "VARCHAR", "BIGINT", "TIMESTAMP WITH TIME ZONE"
	return []ModelTable{
		{"account", []ModelColumn{{"account_id", text}, {"username", text}, {"email", text}, {"phone_raw", text}, {"phone_e164", num},
			{"display_name", text}, {"country_claimed", text}, {"country_claimed_raw", text}, {"role", text}, {"registered_at", when},
			{"last_seen_at", when}, {"status", text}, {"balance_minor", num}, {"currency", text}, {"parent_account_id", text}}},
		{"identifier", []ModelColumn{{"account_id", text}, {"kind", text}, {"value", text}, {"value_norm", text}, {"first_seen_at", when},
			{"last_seen_at", when}, {"times", num}}},
		{"session", []ModelColumn{{"account_id", text}, {"at", when}, {"at_raw", text}, {"ip", text}, {"user_agent", text}, {"event", text}, {"ok", "BOOLEAN"}}},
		{"call", []ModelColumn{{"call_id", text}, {"account_id", text}, {"started_at", when}, {"answered_at", when}, {"ended_at", when},
			{"presented_raw", text}, {"presented_e164", num}, {"presented_name", text}, {"received_cli_raw", text}, {"called_raw", text},
			{"called_e164", num}, {"called_country", text}, {"outcome", text}, {"ring_s", num}, {"talk_s", num}, {"cost_minor", num},
			{"currency", text}, {"trunk", text}, {"script_id", text}, {"recording", text}, {"keypress_count", num}, {"upstream_ip", text}}},
		{"keypress", []ModelColumn{{"script_id", text}, {"number_raw", text}, {"number_e164", num}, {"at", when}, {"keys", num}}},
		{"message", []ModelColumn{{"message_id", text}, {"account_id", text}, {"at", when}, {"sender_id", text}, {"recipient_raw", text},
			{"recipient_e164", num}, {"text", text}, {"outcome", text}}},
		{"script", []ModelColumn{{"script_id", text}, {"account_id", text}, {"kind", text}, {"language", text}, {"text", text}, {"file", text}, {"created_at", when}}},
		{"payment", []ModelColumn{{"payment_id", text}, {"account_id", text}, {"at", when}, {"direction", text}, {"method", text}, {"asset", text},
			{"amount_sat", num}, {"amount_minor", num}, {"currency", text}, {"address", text}, {"txid", text}, {"status", text}, {"provider_ref", text}}},
		{"wallet", []ModelColumn{{"wallet_id", text}, {"kind", text}, {"address", text}, {"xpub", text}, {"label", text}, {"owner_account_id", text}}},
		{"loss_report", []ModelColumn{{"report_id", text}, {"list", text}, {"reported_at", when}, {"incident_from", when}, {"incident_to", when},
			{"victim_name", text}, {"victim_phone_raw", text}, {"victim_phone_e164", num}, {"victim_postcode", text}, {"victim_dob", text},
			{"institution", text}, {"amount_minor", num}, {"currency", text}, {"narrative", text}, {"force_area", text}}},
		{"watch_entry", []ModelColumn{{"list", text}, {"entry_id", text}, {"owner", text}, {"kind", text}, {"value_norm", text}, {"name", text}, {"case_ref", text}}},
		{"institution", []ModelColumn{{"institution_id", text}, {"name", text}, {"sector", text}, {"country", text}, {"aliases", text}}},
		{"institution_number", []ModelColumn{{"institution_id", text}, {"number_raw", text}, {"number_from", num}, {"number_to", num}, {"inbound_only", "BOOLEAN"},
			{"valid_from", "DATE"}, {"valid_to", "DATE"}, {"source_url", text}, {"seen_on", "DATE"}, {"list", text}}},
		{"rate", []ModelColumn{{"asset", text}, {"currency", text}, {"at", "DATE"}, {"price_minor", num}, {"price_e8", num}, {"source_url", text}}},
		{"number_block", []ModelColumn{{"prefix", text}, {"status", text}, {"note", text}}},
	}
}

// RefColumns are the columns of a row reference, at the end of every case table.
func RefColumns() []ModelColumn {
	return []ModelColumn{{"ref_source", "VARCHAR"}, {"ref_table", "VARCHAR"}, {"ref_row", "BIGINT"}, {"ref_offset", "BIGINT"}}
}
