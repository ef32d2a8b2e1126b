package verify

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
)

// exhibit is an exhibit that was given to be checked: its folder and what its manifest says,
// as docs/formats/exhibit.md has it.
type exhibit struct {
	dir         folder
	sum         string // of manifest.json
	Format      int
	Exhibit     string
	Kind        string
	Batch       string
	Lang        string
	Case        string
	Rows        int64
	Files       []part
	Read        []tableVersion
	Tables      []tableVersion
	Sources     []struct{ SHA256, Exhibit string }
	Checkpoint  string
	VerifierKey string `json:"verifier_key"`
}

// openExhibit reads the manifest of the exhibit in folder dir.
func openExhibit(dir string) (*exhibit, error) {
	f, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	x := &exhibit{dir: f}
	text, err := f.read("manifest.json", maxManifest)
	if err == nil {
		err = json.Unmarshal(text, x)
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("manifest.json: %w", err)
	}
	x.sum = sha256Hex(text)
	return x, nil
}

// checkExhibit asks whether the exhibit is the one that left, and whether its rows follow from the
// versions of tables that it names, which need not be the published ones any more.
func (r *run) checkExhibit(c *Check) {
	x, err := r.exhibit, r.exhibitErr
	if err != nil {
		c.fail(r.opt.Exhibit, casefile.Where{}, "%v", err)
		return
	}
	no := func(format string, args ...any) { c.fail("manifest.json", casefile.Where{}, format, args...) }
	if x.Format != 1 {
		no("has format %d, this program knows 1", x.Format)
		return
	}
	switch left, known := r.acts.exports[x.Exhibit]; {
	case !known:
		no("no entry of the ledger exported %q", x.Exhibit)
	case left.detail("manifest_sha256") != x.sum:
		no("was altered: its SHA-256 is %s, entry %d exported %q", x.sum, left.Seq, left.detail("manifest_sha256"))
	}
	if r.acts.first != nil && r.acts.first.Object != "case:"+x.Case {
		no("is of case %q, this is %s", x.Case, r.acts.first.Object)
	}
	if key, err := r.dir.read("checkpoints/ledger.pub", 4096); err != nil || strings.TrimSpace(string(key)) != x.VerifierKey {
		no("names another key than the case's checkpoints/ledger.pub (%v)", err)
	}
	for _, s := range x.Sources {
		if _, sealed := r.acts.seals[s.SHA256]; !sealed {
			no("rests on source %q, which no entry sealed", s.SHA256)
		}
	}
	r.checkExhibitFiles(c, x)
	tables, whole := r.lineage(c, x)
	if !whole {
		return // what is not as it was published says nothing
	}
	switch x.Kind {
	case "suspects", "victims":
		r.recomputeList(c, x, tables)
	case "briefing":
		r.recomputeBriefing(c, x, tables)
	default:
		no("is of kind %q: it cannot be recomputed", x.Kind)
	}
}

// checkExhibitFiles holds the folder's files against the manifest.
func (r *run) checkExhibitFiles(c *Check, x *exhibit) {
	listed := map[string]bool{"manifest.json": true}
	for _, f := range x.Files {
		listed[f.Name] = true
		file, err := x.dir.open(f.Name)
		if err == nil {
			var sum string
			var size int64
			sum, size, err = hashFile(r.ctx, file)
			file.Close()
			if err == nil && (sum != f.SHA256 || size != f.Size) {
				err = fmt.Errorf("was altered: it has %d bytes and SHA-256 %s, the manifest says %d and %q", size, sum, f.Size, f.SHA256)
			}
		}
		if err != nil {
			c.fail(f.Name, casefile.Where{}, "%v", err)
		}
	}
	list, err := x.dir.list(".")
	if err != nil {
		c.fail(r.opt.Exhibit, casefile.Where{}, "%v", err)
	}
	for _, e := range list {
		if !listed[e.Name()] {
			c.fail(e.Name(), casefile.Where{}, "is not listed in the manifest")
		}
	}
}

// lineage checks every version that the exhibit names: published by an entry, as its manifest and
// that entry say, and computed from versions that are named too. It gives the tables that the
// exhibit was read from.
func (r *run) lineage(c *Check, x *exhibit) (read map[string]*table, whole bool) {
	before := len(c.Problems)
	named := map[tableVersion]bool{}
	for _, v := range x.Tables {
		named[v] = true
	}
	read = map[string]*table{}
	for _, v := range x.Tables {
		t := r.versionOf(c, v)
		if t == nil {
			continue
		}
		if slices.Contains(x.Read, v) {
			read[v.Name] = t
		}
		for _, in := range t.Inputs {
			if in.Version != "" && !named[in] {
				c.fail("manifest.json", casefile.Where{Table: v.Name}, "does not name version %.12s of %q, from which version %.12s was computed", in.Version, in.Name, v.Version)
			}
		}
	}
	for _, v := range x.Read {
		if !named[v] {
			c.fail("manifest.json", casefile.Where{Table: v.Name}, "does not name version %.12s, which it says was read", v.Version)
		}
	}
	return read, len(c.Problems) == before && c.Unlisted == 0
}

// versionOf is one version of a table, published now or earlier, checked; nil after a failure.
func (r *run) versionOf(c *Check, v tableVersion) *table {
	if t := r.tables[v.Name]; t != nil && t.Version == v.Version {
		return t
	}
	dir, at := "tables/"+v.Name, casefile.Where{Table: v.Name}
	what := dir + "/" + v.Version + "/manifest.json"
	a, published := r.acts.versions[v.Name+"/"+v.Version]
	if !published || !tableName.MatchString(v.Name) || !versionName.MatchString(v.Version) {
		c.fail("manifest.json", at, "names version %.12s, which no entry published", v.Version)
		return nil
	}
	text, err := r.dir.read(what, maxManifest)
	if err != nil {
		c.fail(what, at, "%v", err)
		return nil
	}
	if sum := sha256Hex(text); a.detail("manifest_sha256") != sum {
		c.fail(what, at, "was altered: its SHA-256 is %s, entry %d published %q", sum, a.Seq, a.detail("manifest_sha256"))
		return nil
	}
	t := &table{}
	if err := json.Unmarshal(text, &t.manifest); err != nil {
		c.fail(what, at, "is not a manifest: %v", err)
		return nil
	}
	if t.Version != v.Version {
		c.fail(what, at, "is of version %q", t.Version)
		return nil
	}
	if !r.checkManifest(c, t, what, at, v.Name) || !r.checkFiles(c, t, dir, at) || !r.checkParquet(c, t, dir, at) {
		return nil
	}
	return t
}

// The queries of format 1, by kind. pounds and place stand for expressions.
var exhibitSQL = map[string]string{
	"suspects": `SELECT p.policy, p.policy_version, p.latest, p.rank, s.account_id, s.username, a.email, a.phone_raw, a.display_name, s.role, s.country, s.country_basis,
 s.spend_btc_sat, pounds(s.spend_btc_gbp_minor) AS spend_btc_gbp, s.payments, s.calls, s.answered, s.long_calls, s.calls_uk, s.long_calls_uk,
 s.victims, s.victims_uk, s.institutions, s.linked_reports, pounds(s.linked_loss_minor) AS linked_loss_gbp, s.first_at, s.last_at, s.active_days,
 s.passcode_calls, s.campaigns, s.country_claimed, s.country_phone, s.country_target, s.target_share, s.ips, s.script_languages, p.reasons, p.ranked_by, place(s) AS row_reference
 FROM {policy_result} p, {suspect} s, {account} a WHERE p.passed AND s.account_id = p.account_id AND a.account_id = p.account_id
 ORDER BY p.policy, p.policy_version, p.rank`,
	"victims": `SELECT v.called_e164, v.country, v.points, v.calls, v.answered, v.long_calls, v.talk_s, v.first_at, v.last_at, v.accounts, v.institutions, v.best_grade, v."repeat",
 v.line, v.area, v.force_area, v.priority, v.batch_id, v.excluded_reason, v.passcode_calls, v.talk_band, v.linked_reports, pounds(v.linked_loss_minor) AS linked_loss_gbp, v.reasons, place(v) AS row_reference
 FROM {victim} v WHERE {batch} ORDER BY v.points DESC, v.talk_s DESC, v.called_e164`,
	"figure": `SELECT name, {title}, CAST(period_from AS VARCHAR), CAST(period_to AS VARCHAR), value, unit, {definition} FROM {figure}`,
}

var (
	poundsCall = regexp.MustCompile(`pounds\(([a-z_.]+)\)`)
	placeCall  = regexp.MustCompile(`place\(([a-z]+)\)`)
)

// query fills in a query's tables and other names.
func (r *run) query(kind string, tables map[string]*table, other map[string]string) (string, error) {
	q := poundsCall.ReplaceAllString(exhibitSQL[kind], `CASE WHEN $1 < 0 THEN '-' ELSE '' END || abs($1) // 100 || '.' || lpad(CAST(abs($1) % 100 AS VARCHAR), 2, '0')`)
	q = placeCall.ReplaceAllString(q, `$1.ref_source || ':' || $1.ref_table || ':' || $1.ref_row || '@' || $1.ref_offset`)
	for name, t := range tables {
		if len(t.Files) == 0 {
			return "", fmt.Errorf("version %.12s of %s has no files", t.Version, name)
		}
		q = strings.ReplaceAll(q, "{"+name+"}", r.engine.parquet(t, ""))
	}
	for name, text := range other {
		q = strings.ReplaceAll(q, "{"+name+"}", text)
	}
	if left := regexp.MustCompile(`\{[a-z_]+\}`).FindString(q); left != "" {
		return "", fmt.Errorf("it was not read from %s", strings.Trim(left, "{}"))
	}
	return q, nil
}

// recomputeList computes a list of suspects or victims again and compares both of its files.
func (r *run) recomputeList(c *Check, x *exhibit, tables map[string]*table) {
	batch := "true"
	if x.Batch != "" {
		batch = "v.batch_id = " + literal(x.Batch)
	}
	q, err := r.query(x.Kind, tables, map[string]string{"batch": batch})
	if err != nil {
		c.fail("manifest.json", casefile.Where{}, "cannot be recomputed: %v", err)
		return
	}
	columns, _, _ := strings.Cut(strings.TrimPrefix(exhibitSQL[x.Kind], "SELECT "), " FROM")
	names := strings.Split(columns, ",")
	for i, n := range names {
		n = strings.TrimSpace(n)
		names[i] = strings.Trim(n[strings.LastIndexAny(n, ". ")+1:], `"`)
	}
	pair, err := x.openPair(x.Kind, names)
	if err != nil {
		c.fail(x.Kind, casefile.Where{}, "%v", err)
		return
	}
	var rows int64
	err = r.engine.each(r.ctx, q, func(row []any) error {
		fields := make([]string, len(row))
		for i, v := range row {
			fields[i] = exhibitText(v)
		}
		pair.line(fields)
		if rows++; rows%100_000 == 0 {
			r.progress("exhibit", rows, x.Rows)
		}
		return nil
	})
	pair.finish(c, err)
	c.Objects += rows
	if rows != x.Rows {
		c.fail("manifest.json", casefile.Where{}, "says %d rows, the versions it names give %d", x.Rows, rows)
	}
}

// exhibitText is a value as an exhibit writes it.
func exhibitText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.999999Z")
	case float64:
		return shortest(v)
	default:
		return fmt.Sprint(v)
	}
}

// shortest is a floating-point value as it is written: shortest, with an exponent below 1e-4 and from 1e21.
func shortest(v float64) string {
	if size := math.Abs(v); size != 0 && (size < 1e-4 || size >= 1e21) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// held is one CSV file of an exhibit, compared record by record with what it should say.
type held struct {
	name    string
	file    *os.File
	in      *bufio.Reader
	view    bool // a viewing copy: formulas are disarmed
	columns []string
	record  int64
	differs string // where it first does; empty while it does not
}

// pair is a table's two files.
type pair [2]*held

// openPair opens NAME.exact.csv and NAME.csv.
func (x *exhibit) openPair(name string, columns []string) (pair, error) {
	var p pair
	for i, n := range []string{name + ".exact.csv", name + ".csv"} {
		f, err := x.dir.open(n)
		if err != nil {
			return p, errors.Join(err, p.close())
		}
		p[i] = &held{name: n, file: f, in: bufio.NewReaderSize(f, 1<<16), view: i == 1, columns: columns}
	}
	p.line(columns)
	return p, nil
}

func (p pair) line(fields []string) {
	for _, h := range p {
		h.line(fields)
	}
}

func (p pair) close() (err error) {
	for _, h := range p {
		if h != nil {
			err = errors.Join(err, h.file.Close())
		}
	}
	return err
}

// finish reports where each file differs. err is why the computation did not come to its end.
func (p pair) finish(c *Check, err error) {
	for _, h := range p {
		if _, more := h.in.ReadByte(); h.differs == "" && more == nil && err == nil {
			h.differs = fmt.Sprintf("goes on after record %d, the last that the versions named give", h.record-1)
		}
		if h.differs != "" {
			c.fail(h.name, casefile.Where{}, "%s", h.differs)
		}
	}
	if err = errors.Join(err, p.close()); err != nil {
		c.fail(p[0].name, casefile.Where{}, "cannot be recomputed: %v", err)
	}
}

// line compares the next record; the header is record 0.
func (h *held) line(fields []string) {
	if h.differs != "" {
		return
	}
	for i, f := range fields {
		if h.view && f != "" && strings.IndexByte("=+-@\t\r\n\x00", f[0]) >= 0 {
			f = "'" + f
		}
		if strings.ContainsAny(f, "\",\r\n") {
			f = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
		}
		end := ","
		if i == len(fields)-1 {
			end = "\r\n"
		}
		has := make([]byte, len(f)+len(end))
		if n, err := io.ReadFull(h.in, has); err != nil && n == 0 {
			h.differs = fmt.Sprintf("ends before record %d, column %s", h.record, h.columns[i])
			return
		}
		if string(has) != f+end {
			h.differs = fmt.Sprintf("record %d, column %s: the versions named give another value", h.record, h.columns[i])
			return
		}
	}
	h.record++
}

// maxBriefing bounds a briefing's files, each of which is read whole.
const maxBriefing = 64 << 20

// figure is one row of the table figure, as a briefing gives it.
type figure struct {
	fields []string // of figures.csv
	value  float64
	few    bool // a count of fewer than five: not shown
}

// figureColumns are those of figures.csv.
var figureColumns = []string{"name", "title", "period_from", "period_to", "value", "unit", "definition"}

// recomputeBriefing computes figures.csv again, and holds every number in the page and the
// Markdown against its figure. Words and layout are held by the files' hashes alone.
func (r *run) recomputeBriefing(c *Check, x *exhibit, tables map[string]*table) {
	suffix := map[string]string{"en": "", "fr": "_fr"}
	tail, known := suffix[x.Lang]
	if !known {
		c.fail("manifest.json", casefile.Where{}, "is in language %q: it cannot be recomputed", x.Lang)
		return
	}
	figures := map[string]figure{}
	q, err := r.query("figure", tables, map[string]string{"title": "title" + tail, "definition": "definition" + tail})
	if err == nil {
		err = r.engine.each(r.ctx, q, func(row []any) error {
			var f figure
			for _, v := range row {
				f.fields = append(f.fields, exhibitText(v))
			}
			f.value, _ = row[4].(float64)
			f.few = f.value > 0 && f.value < 5 && slices.Contains([]string{"accounts", "numbers", "reports", "calls"}, f.fields[5])
			if f.few {
				f.fields[4] = ""
			}
			if figures[f.fields[0]] = f; len(figures) > maxNames {
				return errors.New("more figures than a case has")
			}
			return nil
		})
	}
	if err != nil {
		c.fail("manifest.json", casefile.Where{}, "cannot be recomputed: %v", err)
		return
	}
	r.recomputeFigures(c, x, figures)
	for _, f := range []struct {
		name  string
		shown func(string) [][2]string
	}{{"briefing." + x.Lang + ".html", numbersOfPage}, {"briefing." + x.Lang + ".md", numbersOfMarkdown}} {
		text, err := x.dir.read(f.name, maxBriefing)
		if err != nil {
			c.fail(f.name, casefile.Where{}, "%v", err)
			continue
		}
		shown := f.shown(string(text))
		if len(shown) == 0 {
			c.fail(f.name, casefile.Where{}, "shows no figure")
		}
		anchors := map[string]figure{}
		for name, fig := range figures {
			anchors[name], anchors[anchorOf(name)] = fig, fig
		}
		for _, s := range shown {
			c.Objects++
			if fig, ok := anchors[s[0]]; !ok || !fig.reads(s[1], x.Lang) {
				c.fail(f.name, casefile.Where{}, "figure %s: the versions named give another value", s[0])
			}
		}
	}
}

// recomputeFigures compares figures.csv.
func (r *run) recomputeFigures(c *Check, x *exhibit, figures map[string]figure) {
	const name = "figures.exact.csv"
	text, err := x.dir.read(name, maxBriefing)
	if err != nil {
		c.fail(name, casefile.Where{}, "%v", err)
		return
	}
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(records) == 0 {
		c.fail(name, casefile.Where{}, "is not CSV with a header (%v)", err)
		return
	}
	p, err := x.openPair("figures", figureColumns)
	if err != nil {
		c.fail(name, casefile.Where{}, "%v", err)
		return
	}
	for _, record := range records[1:] {
		f, ok := figures[record[0]]
		if !ok {
			c.fail(name, casefile.Where{}, "has a figure that the version named does not have")
			break
		}
		p.line(f.fields)
	}
	p.finish(c, nil)
	c.Objects += int64(len(records) - 1)
	if n := int64(len(records) - 1); n != x.Rows {
		c.fail("manifest.json", casefile.Where{}, "says %d figures, %s has %d", x.Rows, name, n)
	}
}

var (
	pageNumber     = regexp.MustCompile(`data-figure="([^"]*)">(?:<text[^>]*>)?([^<]*)<`)
	markdownNumber = regexp.MustCompile(`\[([^\]\n]*)\]\(#figure-([A-Za-z0-9._-]*)\)`)
)

// numbersOfPage gives the figures that a page shows: name and value.
func numbersOfPage(text string) (shown [][2]string) {
	for _, m := range pageNumber.FindAllStringSubmatch(text, -1) {
		shown = append(shown, [2]string{html.UnescapeString(m[1]), html.UnescapeString(m[2])})
	}
	return shown
}

// numbersOfMarkdown gives the figures that the Markdown shows: anchor and value.
func numbersOfMarkdown(text string) (shown [][2]string) {
	for _, m := range markdownNumber.FindAllStringSubmatch(text, -1) {
		shown = append(shown, [2]string{m[2], m[1]})
	}
	return shown
}

// anchorOf is a figure's name as it stands in a link.
func anchorOf(name string) string {
	return regexp.MustCompile(`[^A-Za-z0-9._-]`).ReplaceAllString(name, "-")
}

// reads reports whether text, in the language's way of writing numbers, is the figure's value,
// rounded to as many places as it has.
func (f figure) reads(text, lang string) bool {
	few, separators, point := "fewer than 5", ",", "."
	if lang == "fr" {
		few, separators, point = "moins de 5", "\u202f", ","
	}
	if f.few || text == few {
		return f.few && text == few
	}
	digits := strings.Trim(text, "£€%\u00a0")
	if sign := strings.Trim(strings.TrimLeft(text, "-"), "0123456789,.\u202f\u00a0"); sign != map[string]string{"GBP": "£", "GBP/report": "£", "EUR": "€", "%": "%"}[f.fields[5]] {
		return false
	}
	digits = strings.ReplaceAll(digits, separators, "")
	_, places, _ := strings.Cut(digits, point)
	return strings.Replace(digits, point, ".", 1) == strconv.FormatFloat(f.value, 'f', len(places), 64)
}
