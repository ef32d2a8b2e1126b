package mapping_test

import (
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/mapping"
)

// A column that is not there is named with its case column, its table, and what there is.
func TestMissingColumns(t *testing.T) {
	_, id, own := loadText(t, []byte("CREATE TABLE `c` (`Id` int, `who` varchar(9));\nINSERT INTO `c` VALUES (1,'a');\nCREATE TABLE `u` (`name` varchar(9));\nINSERT INTO `u` VALUES ('a');\n-- Dump completed\n"))
	for source, want := range map[string]string{
		`columns: {call_id: {from: ID}, account_id: {sql: "upper(t.who) || 't.nothing'"}}`:                                     "",
		`columns: {call_id: {from: id}, outcome: {sql: 't."who"'}}`:                                                            "",
		`columns: {call_id: {from: id}, outcome: {sql: 't."who not"'}}`:                                                        `case table call, column outcome: source table "c" has no column "who not"; it has Id, who`,
		`columns: {call_id: {from: nr}}`:                                                                                       `case table call, column call_id: source table "c" has no column "nr"; it has Id, who`,
		`columns: {call_id: {from: id}, outcome: {sql: "CASE WHEN t.hangup = 'x' THEN 'busy' END"}}`:                           `case table call, column outcome: source table "c" has no column "hangup"; it has Id, who`,
		`where: "t.deleted = 0", columns: {call_id: {from: id}}`:                                                               `case table call, where: source table "c" has no column "deleted"; it has Id, who`,
		`join: [{table: u, as: u, on: "u.id = t.id"}], columns: {call_id: {from: id}}`:                                         `case table call, join u: source table "u" has no column "id"; it has name`,
		`join: [{table: u, as: n, select: "SELECT s.nick FROM s", on: "n.nick = t.who"}], columns: {call_id: {from: id}}`:      `case table call, select of join n: source table "u" has no column "nick"; it has name`,
		`optional: [nr], join: [{table: v, optional: [x], as: v, on: "v.x = t.nr"}], columns: {call_id: {sql: "t.nr || v.x"}}`: "",
	} {
		m, err := mapping.Parse([]byte("mapping: m\nversion: 1\ntables: {call: [{from: c, " + source + "}]}\n"))
		if err != nil {
			t.Fatal(err)
		}
		for _, model := range casefile.Model() {
			for _, s := range m.Tables[model.Name] {
				_, err := s.Select(model, id, "Europe/London", own)
				if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%s\n%v\nwant %q", source, err, want)
				}
			}
		}
	}
}
