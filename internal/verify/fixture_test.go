package verify

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	duck "github.com/duckdb/duckdb-go/v2"
)

// Act is one entry to be written into a fixture's ledger.
type Act struct {
	Action, Object string
	Details        map[string]any
}

// fixture is a small case made by hand: no code of the packages that write cases is used.
type fixture struct {
	t      testing.TB
	dir    string
	origin string
	acts   []Act
	skey   ed25519.PrivateKey
	vkey   string
	duck   *sql.DB
}

const caseID = "5a9e0c1d"

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, dir: t.TempDir(), origin: "unspoof/case/" + caseID}
	for _, d := range []string{"sources", "mappings", "policies", "tables", "checkpoints"} {
		f.ok(os.MkdirAll(filepath.Join(f.dir, d), 0o750))
	}
	f.write("case.yaml", []byte("format: 1\nid: "+caseID+"\nname: Test\nreference: R/1\ntimezone: Europe/London\n"))
	f.vkey, f.skey = newKey(f.origin)
	f.act("init", "case:"+caseID, map[string]any{"name": "sha256:" + sha256Hex([]byte("Test")), "reference": "sha256:" + sha256Hex([]byte("R/1"))})
	connector, err := duck.NewConnector("", nil)
	f.ok(err)
	f.duck = sql.OpenDB(connector)
	t.Cleanup(func() { f.duck.Close() })
	return f
}

// clone is a copy of the case in another folder, for a test to spoil.
func (f *fixture) clone(t testing.TB) *fixture {
	g := *f
	g.t, g.dir = t, t.TempDir()+"/case"
	g.acts = slices.Clone(f.acts)
	g.ok(os.CopyFS(g.dir, os.DirFS(f.dir)))
	return &g
}

func newKey(name string) (vkey string, skey ed25519.PrivateKey) {
	pub, skey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	data := append([]byte{1}, pub...)
	sum := sha256.Sum256(append([]byte(name+"\n"), data...))
	return name + "+" + hex.EncodeToString(sum[:4]) + "+" + base64.StdEncoding.EncodeToString(data), skey
}

func (f *fixture) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) path(name string) string { return filepath.Join(f.dir, name) }

func (f *fixture) write(name string, b []byte) {
	f.t.Helper()
	f.ok(os.MkdirAll(filepath.Dir(f.path(name)), 0o750))
	f.ok(os.WriteFile(f.path(name), b, 0o640))
}

func (f *fixture) act(action, object string, details map[string]any) {
	f.acts = append(f.acts, Act{action, object, details})
}

// seal adds a source and gives its id.
func (f *fixture) seal(name, format string, content []byte) string {
	id := sha256Hex(content)
	f.write("sources/"+id, content)
	record, _ := json.Marshal(map[string]any{"sha256": id, "name": name, "size": len(content), "exhibit": "AB/1",
		"format": format, "sealed_by": "alice", "sealed_at": "2026-01-02T03:04:05Z"})
	f.write("sources/"+id+".json", record)
	f.act("seal", "source:"+id, map[string]any{"size": len(content), "exhibit": "AB/1", "name": sha256Hex([]byte(name)), "record_sha256": sha256Hex(record)})
	return id
}

// publish writes a table version from one SQL query a file, and records it.
func (f *fixture) publish(m manifest, queries ...string) manifest {
	f.t.Helper()
	m.Format = 1
	if m.Step == "" {
		m.Step, m.StepVersion = "test", strings.Repeat("0", 64)
	}
	m.Version = m.version()
	home := "tables/" + m.Table + "/" + m.Version
	f.ok(os.MkdirAll(f.path(home), 0o750))
	m.Files, m.Rows, m.Columns = nil, 0, nil
	for i, q := range queries {
		name := fmt.Sprintf("part-%05d.parquet", i)
		path := f.path(home + "/" + name)
		res, err := f.duck.Exec("COPY (" + q + ") TO " + literal(path) + " (FORMAT parquet)")
		f.ok(err)
		n, _ := res.RowsAffected()
		b, err := os.ReadFile(path)
		f.ok(err)
		m.Files = append(m.Files, part{name, sha256Hex(b), int64(len(b)), n})
		m.Rows += n
		if i == 0 {
			rows, err := f.duck.Query("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(" + literal(path) + "))")
			f.ok(err)
			for rows.Next() {
				var c columnType
				f.ok(rows.Scan(&c.Name, &c.Type))
				m.Columns = append(m.Columns, c)
			}
		}
	}
	f.manifest(m)
	return m
}

// manifest writes a version's manifest in both places and records it.
func (f *fixture) manifest(m manifest) {
	text, err := json.MarshalIndent(lower(m), "", " ")
	f.ok(err)
	f.write("tables/"+m.Table+"/"+m.Version+"/manifest.json", text)
	f.write("tables/"+m.Table+"/manifest.json", text)
	f.act("publish", "table:"+m.Table, map[string]any{"version": m.Version, "manifest_sha256": sha256Hex(text), "rows": m.Rows})
}

// lower gives a manifest the keys of the format.
func lower(m manifest) map[string]any {
	out := map[string]any{"format": m.Format, "table": m.Table, "version": m.Version, "kind": m.Kind, "step": m.Step,
		"step_version": m.StepVersion, "inputs": []any{}, "rows": m.Rows}
	if m.Source != "" {
		out["source"] = m.Source
	}
	if m.SourceTable != "" {
		out["source_table"] = m.SourceTable
	}
	if len(m.Params) > 0 {
		out["params"] = m.Params
	}
	var inputs, columns, files []any
	for _, in := range m.Inputs {
		inputs = append(inputs, map[string]any{"name": in.Name, "version": in.Version})
	}
	for _, c := range m.Columns {
		columns = append(columns, map[string]any{"name": c.Name, "type": c.Type})
	}
	for _, p := range m.Files {
		files = append(files, map[string]any{"name": p.Name, "sha256": p.SHA256, "size": p.Size, "rows": p.Rows})
	}
	out["inputs"], out["columns"], out["files"] = inputs, columns, files
	return out
}

func (f *fixture) body(seq int, a Act) []byte {
	tree := map[string]any{"action": a.Action, "actor": "alice", "app": "test", "at": "2026-01-02T03:04:05.000000Z",
		"object": a.Object, "outcome": "done", "seq": seq, "v": 1}
	if len(a.Details) > 0 {
		tree["details"] = a.Details
	}
	b, err := json.Marshal(tree)
	f.ok(err)
	return b
}

const ledgerSchema = `
CREATE TABLE ledger_entry      (id   INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE ledger_hash       (id   INTEGER PRIMARY KEY, h    BLOB NOT NULL) STRICT;
CREATE TABLE ledger_checkpoint (size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;`

// finish writes the ledger: every entry, and a checkpoint after every third and the last.
func (f *fixture) finish() {
	bodies := make([][]byte, len(f.acts))
	for i, a := range f.acts {
		bodies[i] = f.body(i, a)
	}
	f.ledger(bodies, f.skey)
	f.write("checkpoints/ledger.pub", []byte(f.vkey+"\n"))
}

func (f *fixture) ledger(bodies [][]byte, skey ed25519.PrivateKey) {
	os.Remove(f.path("case.db"))
	db := f.open()
	defer db.Close()
	_, err := db.Exec(ledgerSchema)
	f.ok(err)
	tx, err := db.Begin()
	f.ok(err)
	var tr tree
	id := 0
	for i, b := range bodies {
		_, err := tx.Exec(`INSERT INTO ledger_entry VALUES (?, ?)`, i, b)
		f.ok(err)
		tr.add(leafHash(b), func(h hash) {
			_, err := tx.Exec(`INSERT INTO ledger_hash VALUES (?, ?)`, id, h[:])
			f.ok(err)
			id++
		})
		if (i+1)%3 == 0 || i == len(bodies)-1 {
			_, err := tx.Exec(`INSERT INTO ledger_checkpoint VALUES (?, ?)`, i+1, f.sign(tr.size, tr.root(), skey))
			f.ok(err)
		}
	}
	f.ok(tx.Commit())
}

func (f *fixture) sign(size int64, root hash, skey ed25519.PrivateKey) []byte {
	text := fmt.Sprintf("%s\n%d\n%s\n", f.origin, size, base64.StdEncoding.EncodeToString(root[:]))
	data := append([]byte{1}, skey.Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(f.origin+"\n"), data...))
	sig := append(sum[:4:4], ed25519.Sign(skey, []byte(text))...)
	return []byte(text + "\n\u2014 " + f.origin + " " + base64.StdEncoding.EncodeToString(sig) + "\n")
}

func (f *fixture) open() *sql.DB {
	db, err := sql.Open("sqlite", "file:"+f.path("case.db"))
	f.ok(err)
	return db
}

func (f *fixture) exec(statements ...string) {
	f.t.Helper()
	db := f.open()
	defer db.Close()
	for _, s := range statements {
		_, err := db.Exec(s)
		f.ok(err)
	}
}

func (f *fixture) run(opt Options) Report {
	f.t.Helper()
	if opt.Seed == 0 {
		opt.Seed = 7
	}
	report, err := Run(f.t.Context(), f.dir, opt)
	f.ok(err)
	return report
}

// named reports whether a failed report says something about every word.
func named(r Report, words ...string) bool {
	for _, c := range r.Checks {
		for _, p := range c.Problems {
			all := true
			for _, w := range words {
				all = all && strings.Contains(p.String(), w)
			}
			if all {
				return true
			}
		}
	}
	return false
}

// dumpRows are the rows of the fixture's dump: as the source writes them, and as SQL of what
// the source table must hold (without the reference columns), and the misfit.
var dumpRows = []struct{ text, values, misfit string }{
	{`(1,'O\'Brien said \"hi\"; back\\slash\nnew','2022-07-01 11:00:00',0.1,1.23456,'\n',0x00FF27)`,
		`1, 'O''Brien said "hi"; back\slash' || chr(10) || 'new', TIMESTAMP '2022-07-01 11:00:00', 0.1, 1.23456, 10, '\x00\xFF''', `, `NULL`},
	{`(2,'doubled '' quote (1,2),','0000-00-00 00:00:00',1e30,-1.00000,NULL,_binary 'ab')`,
		`2, 'doubled '' quote (1,2),', NULL, 1e30, -1, NULL, 'ab', `, `'{"at":"0000-00-00 00:00:00"}'`},
	{"(3,'caf\xe9\x80','2021-12-31 23:00:00.25',-0,0.00001,b'101',NULL)",
		`3, 'café€', TIMESTAMP '2021-12-31 23:00:00.25', 0, 0.00001, 5, NULL, `, `NULL`},
	{`(4,NULL,NULL,NULL,NULL,NULL,NULL)`, `4, NULL, NULL, NULL, NULL, NULL, NULL, `, `NULL`},
	{`(5,'NULL','2022-02-30 00:00:00',1,99999999999.00000,'A','')`,
		`5, 'NULL', NULL, 1, NULL, 65, '', `, `'{"at":"2022-02-30 00:00:00","cost":"99999999999.00000"}'`},
}

const dumpHead = "/*M!999999\\- enable the sandbox mode */ \n-- a dump; of 'things'\n/*!40101 SET NAMES latin1 */;\n" +
	"CREATE TABLE `call` (\n  `id` int(11) NOT NULL COMMENT 'a, (b)',\n  `who` varchar(40) DEFAULT NULL,\n  `at` datetime DEFAULT NULL,\n" +
	"  `f` float DEFAULT NULL,\n  `cost` decimal(15,5) DEFAULT NULL,\n  `b` bit(8) DEFAULT NULL,\n  `rec` blob,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB;\n" +
	"/*!40000 ALTER TABLE `call` DISABLE KEYS */;\nINSERT INTO `call` VALUES\n"

// standard is a case with a dump (one row damaged), a list and a case table.
func standard(t testing.TB) *fixture {
	f := newFixture(t)
	dump, queries := []byte(dumpHead), []string{}
	var offsets []int
	ordinal := 0
	var kept []string
	for round := range 8 { // two rounds a file
		var values []string
		for _, r := range dumpRows {
			if round == 4 && r.text[1] == '4' {
				ordinal++
				dump = append(dump, "(4,'a broken row,NULL\n,\n"...)
			}
			ordinal++
			offsets = append(offsets, len(dump))
			values = append(values, fmt.Sprintf("(%d, %d, %s%s)", ordinal, len(dump), r.values, r.misfit))
			dump = append(dump, r.text...)
			dump = append(dump, ",\n"...)
		}
		if round%2 == 0 {
			kept = values
		} else {
			queries = append(queries, sourceQuery(append(kept, values...)))
		}
	}
	dump = append(dump[:len(dump)-2], ";\nDELIMITER ;;\nCREATE TRIGGER x BEFORE INSERT ON `call` FOR EACH ROW BEGIN INSERT INTO `call` VALUES (1); END ;;\nDELIMITER ;\n-- Dump completed\n"...)
	damageAt := strings.Index(string(dump), "(4,'a broken")
	id := f.seal("calls.sql", "mysqldump", dump)
	m := f.publish(manifest{Table: "source." + id[:12] + ".call", Kind: "source", Source: id, SourceTable: "call"}, queries...)
	f.publish(manifest{Table: "source." + id[:12] + ".%damage", Kind: "source", Source: id},
		fmt.Sprintf(`SELECT 1::BIGINT AS ref_row, %d::BIGINT AS ref_offset, 24::BIGINT AS "row", 'call' AS "table", %d::BIGINT AS length, 1::BIGINT AS "rows", 'broken' AS reason, NULL::VARCHAR AS ref_misfit`,
			damageAt, len("(4,'a broken row,NULL\n,\n")))
	f.publish(manifest{Table: "source." + id[:12] + ".%statements", Kind: "source", Source: id},
		fmt.Sprintf("SELECT 1::BIGINT AS ref_row, %d::BIGINT AS ref_offset, 'CREATE TRIGGER x'::BLOB AS text, NULL::VARCHAR AS ref_misfit", strings.Index(string(dump), "CREATE TRIGGER")))
	f.act("read", "source:"+id, map[string]any{"rows_in": 41, "rows_stored": 40, "rows_damaged": 1, "tables": 1})

	list := "\xef\xbb\xbfname;note\r\nBank;\"a; \"\"b\"\"\r\nc\"\r\n\r\nOther;\r\n"
	lid := f.seal("list.csv", "csv", []byte(list))
	l := f.publish(manifest{Table: "source." + lid[:12] + ".registry", Kind: "source", Source: lid, SourceTable: "registry"},
		fmt.Sprintf(`SELECT * FROM (VALUES (1::BIGINT, %d::BIGINT, 'Bank', 'a; "b"' || chr(13) || chr(10) || 'c', NULL::VARCHAR), (2, %d, 'Other', '', NULL)) v(ref_row, ref_offset, name, note, ref_misfit)`,
			strings.Index(list, "Bank"), strings.Index(list, "Other")))
	f.act("read", "source:"+lid, map[string]any{"rows_in": 2, "rows_stored": 2, "rows_damaged": 0, "tables": 1})

	f.write("mappings/"+id[:12]+".yaml", []byte("table: call\n"))
	f.act("map", "source:"+id, map[string]any{"mapping_sha256": sha256Hex([]byte("table: call\n"))})
	f.publish(manifest{Table: "call", Kind: "case", Inputs: []tableVersion{{m.Table, m.Version}, {l.Table, l.Version}}, Params: map[string]string{"timezone": "Europe/London", "a<b": "&"}},
		fmt.Sprintf(`SELECT 'x' AS call_id, '%s' AS ref_source, 'call' AS ref_table, 1::BIGINT AS ref_row, %d::BIGINT AS ref_offset UNION ALL SELECT 'y', '%s', 'registry', 2, %d`,
			id, offsets[0], lid, strings.Index(list, "Other")))
	f.publish(manifest{Table: "report_link", Kind: "finding"},
		fmt.Sprintf(`SELECT '%s' AS ref_source, 'call' AS ref_table, 1::BIGINT AS ref_row, %d::BIGINT AS ref_offset UNION ALL SELECT NULL, NULL, NULL, NULL`, id, offsets[0]))
	f.finish()
	return f
}

func sourceQuery(values []string) string {
	return `SELECT ref_row::BIGINT AS ref_row, ref_offset::BIGINT AS ref_offset, id::BIGINT AS id, who::VARCHAR AS who, "at"::TIMESTAMP AS "at", f::DOUBLE AS f,
		cost::DECIMAL(15,5) AS cost, b::BIGINT AS b, rec::BLOB AS rec, ref_misfit::VARCHAR AS ref_misfit FROM (VALUES ` + strings.Join(values, ", ") +
		`) v(ref_row, ref_offset, id, who, "at", f, cost, b, rec, ref_misfit)`
}
