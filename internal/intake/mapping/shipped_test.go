package mapping_test

import (
	"context"
	"slices"
	"testing"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/mapping"
	"github.com/unspoof/unspoof/internal/store"
)

// woo is a shop with the columns its mappings need.
var woo = []table{
	{"wp_users", []column{{"ID", "bigint(20)"}, {"user_login", "varchar(60)"}, {"user_pass", "varchar(255)"}, {"user_email", "varchar(100)"}, {"user_registered", "datetime"}, {"user_activation_key", "varchar(255)"}, {"display_name", "varchar(250)"}}},
	{"wp_wc_orders", []column{{"id", "bigint(20)"}, {"status", "varchar(20)"}, {"currency", "varchar(10)"}, {"type", "varchar(20)"}, {"total_amount", "decimal(26,8)"}, {"customer_id", "bigint(20)"}, {"billing_email", "varchar(320)"}, {"date_created_gmt", "datetime"}, {"payment_method", "varchar(100)"}, {"transaction_id", "varchar(100)"}, {"ip_address", "varchar(100)"}}},
}

var wooPosts = []table{woo[0],
	{"wp_posts", []column{{"ID", "bigint(20)"}, {"post_type", "varchar(20)"}, {"post_status", "varchar(20)"}, {"post_date_gmt", "datetime"}, {"post_content", "longtext"}}},
	{"wp_postmeta", []column{{"post_id", "bigint(20)"}, {"meta_key", "varchar(255)"}, {"meta_value", "longtext"}}},
	{"wp_woocommerce_order_items", []column{{"order_id", "bigint(20)"}}},
}

// TestShippedFitTheirPlatforms has every shipped mapping recognise the platform it is for, and
// no other, and fill its case tables.
func TestShippedFitTheirPlatforms(t *testing.T) {
	shipped, err := mapping.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	ws := worlds()
	for _, x := range []struct {
		platform, mapping string
		calls             int
	}{
		{"MagnusBilling 7", "magnusbilling7", 6000}, {"A2Billing", "a2billing", 3000}, {"Asterisk, table cdr", "asterisk-cdr", 3000},
		{"Asterisk, Master.csv", "asterisk-master-csv", 3000}, {"FreeSWITCH, table cdr (sql)", "freeswitch-cdr-sql", 3000}, {"FusionPBX, v_xml_cdr", "fusionpbx", 3000},
		{"WooCommerce", "woocommerce", 0}, {"WooCommerce posts", "woocommerce-posts", 0},
	} {
		t.Run(x.platform, func(t *testing.T) {
			w := world{name: x.platform}
			switch x.platform {
			case "WooCommerce":
				w.tables, w.meanings = woo, map[string]map[string]string{"wp_wc_orders": meaning("customer_id=account type==shop_order status==wc-completed currency==GBP total_amount=money ip_address=ip")}
			case "WooCommerce posts":
				w.tables, w.meanings = wooPosts, map[string]map[string]string{"wp_posts": meaning("post_type==shop_order post_status==wc-completed"), "wp_postmeta": meaning("meta_key==_order_total meta_value=money")}
			default:
				w = ws[slices.IndexFunc(ws, func(w world) bool { return w.name == x.platform })]
			}
			e, _, id, own := load(t, w)
			var fits []string
			var m *mapping.Mapping
			for _, s := range shipped {
				if s.Recognises(store.Source{ID: id}, own) {
					fits, m = append(fits, s.Name), s
				}
			}
			if !slices.Equal(fits, []string{x.mapping}) {
				t.Fatalf("recognised by %v, want %s", fits, x.mapping)
			}
			for _, model := range casefile.Model() {
				rows := int64(0)
				for _, s := range m.Tables[model.Name] {
					if _, ok := own[s.From]; !ok {
						continue // this test's dump has not all tables
					}
					sql, err := s.Select(model, id, "Europe/London", own)
					if err != nil {
						t.Fatal(err)
					}
					var n, filled int64
					when := "count(*)"
					if model.Name == "call" {
						when = "count(*) FILTER (WHERE started_at IS NOT NULL AND called_e164 IS NOT NULL)"
					}
					if model.Name == "payment" {
						when = `count(*) FILTER (WHERE "at" IS NOT NULL AND direction IS NOT NULL)`
					}
					if err := e.DB.QueryRowContext(context.Background(), "SELECT count(*), "+when+" FROM ("+sql+")").Scan(&n, &filled); err != nil {
						t.Fatalf("%s from %s: %v", model.Name, s.From, err)
					}
					if float64(filled) < 0.95*float64(n) {
						t.Errorf("%s from %s: %d of %d rows have their time and number", model.Name, s.From, filled, n)
					}
					rows += n
				}
				if model.Name == "call" && rows != int64(x.calls) {
					t.Errorf("%d calls, want %d", rows, x.calls)
				}
			}
		})
	}
}
