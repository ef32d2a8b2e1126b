package mapping_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/mapping"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/synth/mariadbtest"
)

const (
	// As kamailio-mysql-modules 5.6.3 of Debian has it.
	accTable = `CREATE TABLE acc (id INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL, method VARCHAR(16) DEFAULT '' NOT NULL, from_tag VARCHAR(128) DEFAULT '' NOT NULL,
		to_tag VARCHAR(128) DEFAULT '' NOT NULL, callid VARCHAR(255) DEFAULT '' NOT NULL, sip_code VARCHAR(3) DEFAULT '' NOT NULL, sip_reason VARCHAR(128) DEFAULT '' NOT NULL, time DATETIME NOT NULL);`
	accUsers  = `ALTER TABLE %[1]s ADD src_user VARCHAR(64) NOT NULL DEFAULT '', ADD src_domain VARCHAR(128) NOT NULL DEFAULT '', ADD src_ip VARCHAR(64) NOT NULL DEFAULT '', ADD dst_ouser VARCHAR(64) NOT NULL DEFAULT '', ADD dst_user VARCHAR(64) NOT NULL DEFAULT '', ADD dst_domain VARCHAR(128) NOT NULL DEFAULT '';`
	accCDRs   = `ALTER TABLE acc ADD duration INT(11) UNSIGNED DEFAULT 0 NOT NULL, ADD setuptime INT(11) UNSIGNED DEFAULT 0 NOT NULL, ADD created DATETIME DEFAULT NULL;`
	missed    = `CREATE TABLE missed_calls LIKE acc;`
	cdrsTable = `CREATE TABLE cdrs (cdr_id bigint(20) NOT NULL auto_increment PRIMARY KEY, src_username varchar(64) NOT NULL default '', src_domain varchar(128) NOT NULL default '', dst_username varchar(64) NOT NULL default '',
		dst_domain varchar(128) NOT NULL default '', dst_ousername varchar(64) NOT NULL default '', call_start_time datetime NOT NULL default '2000-01-01 00:00:00', duration int(10) unsigned NOT NULL default '0',
		sip_call_id varchar(128) NOT NULL default '', sip_from_tag varchar(128) NOT NULL default '', sip_to_tag varchar(128) NOT NULL default '', src_ip varchar(64) NOT NULL default '', cost integer NOT NULL default '0', rated integer NOT NULL default '0', created datetime NOT NULL);`
)

// insert writes rows of acc or missed_calls: method, from_tag, to_tag, callid, code, time, and
// more "column=value" pairs.
func insert(table string, rows ...string) string {
	var b strings.Builder
	for _, r := range rows {
		f := strings.Split(r, " ")
		fmt.Fprintf(&b, "INSERT INTO %s SET method='%s', from_tag='%s', to_tag='%s', callid='%s', sip_code='%s', sip_reason='', time='2022-07-01 %s'", table, f[0], f[1], f[2], f[3], f[4], f[5])
		for _, x := range f[6:] {
			k, v, _ := strings.Cut(x, "=")
			if strings.Contains(v, ":") && k == "created" {
				v = "2022-07-01 " + v
			}
			fmt.Fprintf(&b, ", %s='%s'", k, v)
		}
		b.WriteString(";\n")
	}
	return b.String()
}

// The calls that SIP accounting rows amount to, from dumps that a real server wrote.
func TestSIPAccounting(t *testing.T) {
	server := mariadbtest.Start(t)
	for _, x := range []struct {
		name, sql string
		want      []string // ref_table:ref_row call_id account started answered ended presented called outcome ring talk ip
	}{
		{"Kamailio", accTable + fmt.Sprintf(accUsers, "acc") + missed + `CREATE TABLE subscriber (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, username VARCHAR(64), domain VARCHAR(64), password VARCHAR(64), ha1 VARCHAR(128));
			INSERT INTO subscriber (username, domain, password) VALUES ('alpha', 'a.example.com', 'x'), ('alpha', 'b.example.com', 'x');` +
			insert("acc",
				"BYE t1 f1 plain 200 11:01:30", // the callee hangs up; before its INVITE in the file
				"INVITE f1 t1 plain 200 11:00:30 src_user=02079460101 dst_user=07700900201 src_ip=192.0.2.7", // 2: 60 s of talk
				"BYE f1 t1 plain 200 11:01:31",                                                                           // a second BYE, crossing the first
				"INVITE f1 t1 plain 200 11:01:00 src_user=02079460101 dst_user=07700900201",                              // re-INVITE
				"INVITE t1 f1 plain 200 11:01:10 src_user=07700900201 dst_user=02079460101",                              // re-INVITE by the callee
				"INVITE t1 f1 plain 488 11:01:20 src_user=07700900201",                                                   // and one that is refused
				"INVITE f2 t2 plain 200 11:00:40 src_user=alpha dst_user= dst_ouser=+447700900202",                       // 7: the same Call-ID, another call; no BYE
				"INVITE f3 t3a fork 200 11:02:00 src_user=02079460101 dst_user=07700900203",                              // 8: two phones answer
				"INVITE f3 t3b fork 200 11:02:01 src_user=02079460101 dst_user=07700900204",                              // 9
				"BYE f3 t3b fork 200 11:02:02",                                                                           // the second is hung up at once
				"BYE f3 t3a fork 481 11:03:00",                                                                           //
				"INVITE f4 x4 auth 407 11:04:00 src_user=02079460101 dst_user=07700900205",                               // challenged
				"INVITE f4 y4 auth 503 11:04:01 src_user=02079460101 dst_user=07700900205",                               // a gateway that is full
				"INVITE f4 z4 auth 486 11:04:02 src_user=02079460101 dst_user=07700900205",                               // 14: busy
				"INVITE f5 x5 auth2 407 11:05:00 src_user=02079460101 dst_user=07700900206",                              // challenged
				"INVITE f5 t5 auth2 200 11:05:09 src_user=02079460101 dst_user=07700900206",                              // 16: the BYE is older: a clock was set
				"BYE f5 t5 auth2 200 11:05:01", "CANCEL f6 x6 c 200 11:06:00", "INVITE f6 x6 c 487 11:06:00 dst_user=07", // 19
				"INVITE f7 x7 late 200 02:00:00", "BYE f7 x7 late 200 02:00:07", // 20
			) + insert("missed_calls",
			"INVITE f4 q4 auth 503 11:04:01 dst_user=07700900205",                       // known to acc
			"INVITE f3 q3 fork 487 11:02:00 dst_user=07700900299",                       // a branch of an answered call
			"INVITE f8 q8 gone 503 11:08:01 src_user=02079460101 dst_user=07700900208",  // the gateway before the last
			"INVITE f8 q9 gone 408 11:08:20 src_user=02079460101 dst_user=07700900208"), // 4
			[]string{
				"acc:2 plain;f1;t1 - 10:00:30 10:00:30 10:01:30 442079460101 447700900201 answered - 60 192.0.2.7",
				"acc:7 plain;f2;t2 alpha 10:00:40 10:00:40 - - 447700900202 answered - - -",
				"acc:8 fork;f3;t3a - 10:02:00 10:02:00 10:03:00 442079460101 447700900203 answered - 60 -",
				"acc:9 fork;f3;t3b - 10:02:01 10:02:01 10:02:02 442079460101 447700900204 answered - 1 -",
				"acc:14 auth;f4;z4 - 10:04:02 - - 442079460101 447700900205 busy - - -",
				"acc:16 auth2;f5;t5 - 10:05:09 10:05:09 - 442079460101 447700900206 answered - - -",
				"acc:19 c;f6;x6 - 10:06:00 - - - - cancelled - - -",
				"acc:20 late;f7;x7 - 01:00:00 01:00:00 01:00:07 - - answered - 7 -",
				"missed_calls:4 gone;f8;q9 - 10:08:20 - - 442079460101 447700900208 no_answer - - -",
			}},
		{"Kamailio without numbers", accTable + insert("acc", "INVITE a b c 200 11:00:00", "BYE a b c 200 11:00:05", "INVITE a d e 404 11:00:00"),
			[]string{"acc:1 c;a;b - 10:00:00 10:00:00 10:00:05 - - answered - 5 -", "acc:3 e;a;d - 10:00:00 - - - - failed - - -"}},
		{"OpenSIPS", accTable + accCDRs + `ALTER TABLE acc ADD caller_id VARCHAR(64), ADD callee_id VARCHAR(64);` + missed + cdrsTable +
			insert("acc",
				"INVITE a b cdr 200 11:00:10 duration=65 setuptime=10 created=11:00:00 caller_id=sip:+442079460101@192.0.2.1 callee_id=\"x\"<sip:07700900201@192.0.2.2;user=phone>",
				"INVITE a c rows 200 11:00:10 setuptime=4 created=11:00:06", "BYE c a rows 200 11:00:20",
				"INVITE a e early 183 11:00:10") +
			`INSERT INTO cdrs SET src_username='02079460101', dst_username='07700900203', call_start_time='2022-06-01 11:00:00', duration=9, sip_call_id='old', sip_from_tag='f', sip_to_tag='t', created='2022-07-01 11:00:00';
			INSERT INTO cdrs SET call_start_time='2022-07-01 11:00:10', duration=10, sip_call_id='rows', sip_from_tag='a', sip_to_tag='c', created='2022-07-01 11:00:00'`,
			[]string{"acc:1 cdr;a;b - 10:00:00 10:00:10 10:01:15 442079460101 447700900201 answered 10 65 -",
				"acc:2 rows;a;c - 10:00:06 10:00:10 10:00:20 - - answered 4 10 -",
				"acc:4 early;a;e - 10:00:10 - - - - unknown - - -",
				"cdrs:1 old;f;t - 10:00:00 10:00:00 10:00:09 442079460101 447700900203 answered - 9 -"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			server.Exec("DROP DATABASE " + mariadbtest.Database + "; CREATE DATABASE " + mariadbtest.Database)
			load := filepath.Join(t.TempDir(), "load.sql")
			if err := os.WriteFile(load, []byte(x.sql), 0o600); err != nil {
				t.Fatal(err)
			}
			server.Load(load)
			e, id, own := loadText(t, server.Dump())
			shipped, err := mapping.Shipped()
			if err != nil {
				t.Fatal(err)
			}
			var fits []string
			var m *mapping.Mapping
			for _, s := range shipped {
				if s.Recognises(store.Source{ID: id}, own) {
					fits, m = append(fits, s.Name), s
				}
			}
			if !slices.Equal(fits, []string{"sip-acc"}) {
				t.Fatalf("recognised by %v", fits)
			}
			var selects []string
			for _, model := range casefile.Model() {
				for _, s := range m.Tables[model.Name] {
					if _, ok := own[s.From]; !ok {
						continue
					}
					sql, err := s.Select(model, id, "Europe/London", own)
					if err != nil {
						t.Fatal(err)
					}
					if model.Name == "call" {
						selects = append(selects, sql)
					} else if _, err := e.DB.ExecContext(context.Background(), sql); err != nil {
						t.Fatalf("%s: %v", model.Name, err)
					}
				}
			}
			clock := func(c string) string { return "strftime(" + c + " AT TIME ZONE 'UTC', '%H:%M:%S')" }
			rows, err := e.DB.Query("SELECT array_to_string(list_transform([ref_table || ':' || ref_row, call_id, account_id, " + clock("started_at") + ", " + clock("answered_at") + ", " + clock("ended_at") +
				", presented_e164::VARCHAR, called_e164::VARCHAR, outcome, ring_s::VARCHAR, talk_s::VARCHAR, upstream_ip], lambda x: coalesce(x, '-')), ' ') FROM (" + strings.Join(selects, "\nUNION ALL\n") + ") ORDER BY ref_table, ref_row")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var got []string
			for rows.Next() {
				var r string
				if err := rows.Scan(&r); err != nil {
					t.Fatal(err)
				}
				got = append(got, r)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			if g, w := strings.Join(got, "\n"), strings.Join(x.want, "\n"); g != w {
				t.Errorf("calls:\n%s\nwant:\n%s", g, w)
			}
		})
	}
}
