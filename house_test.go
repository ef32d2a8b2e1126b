package unspoof_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module       = "github.com/unspoof/unspoof"
	fileLines    = 600
	packageLines = 3000
)

// A shelf is a folder of the house and all below it. What stands on it may import its own
// shelf and the shelves it names, and nothing else of ours.
type shelf struct {
	dir string
	may []string
	why string
}

// A shelf that comes earlier in the table is lower in the house.
var shelves = []shelf{
	{"internal/casefile", nil,
		"casefile is the nouns that everybody speaks in; if it imported anything of ours, everybody would"},
	{"docs", nil,
		"the pages for people are text; they know nothing of the program that shows them"},
	{"internal/ledger", nil,
		"the ledger must be readable and provable alone: it knows acts, not what they are about"},
	{"internal/store", []string{"internal/casefile"},
		"the store keeps tables and does not know what is in them; whoever publishes passes the ledger entry in"},
	{"internal/intake", []string{"internal/store", "internal/ledger", "internal/casefile"},
		"the three wings meet in the store, so that each can be rebuilt, tested and replaced alone"},
	{"internal/analysis", []string{"internal/store", "internal/ledger", "internal/casefile"},
		"the three wings meet in the store, so that each can be rebuilt, tested and replaced alone"},
	{"internal/exhibit", []string{"internal/store", "internal/ledger", "internal/casefile"},
		"the three wings meet in the store, so that each can be rebuilt, tested and replaced alone"},
	{"internal/desk", []string{"internal/intake", "internal/analysis", "internal/exhibit", "internal/store", "internal/ledger", "internal/casefile"},
		"the desk is what a signed-in person may do; it does not know by which door the person came"},
	{"internal/web", []string{"internal/desk", "internal/casefile", "docs"},
		"a page that reads a table by itself passes by the permission check and the record: ask the desk"},
	{"internal/verify", []string{"internal/casefile"},
		"a checker that shares code with the writers repeats their mistakes and proves nothing"},
	{"internal/synth", []string{"internal/casefile"},
		"the synthetic seizure is the truth the rules are measured against; made with their code it would always agree with them"},
	{"internal/bench", []string{"internal", "cmd"}, ""}, // measures everything
	{"cmd", []string{"internal"}, ""},                   // wires everything
}

// Panics that are not one line with its reason beside it.
var panics = map[string]string{ // file and text: reason
	"internal/web/guard.go: panic(v)":                                     "net/http's own way to abort an answer, passed on",
	"internal/ledger/log.go: panic(res.panicked)":                         "an act's panic, passed on to whoever asked for the act",
	`internal/synth/numbers.go: panic("synth: number prefix " + prefix)`:  "the tables of prefixes are constant",
	`internal/synth/numbers.go: panic("synth: person outside the pool")`:  "an ordinal of the generator's own",
	`internal/synth/numbers.go: panic("synth: person outside the world")`: "an ordinal of the generator's own",
}

// nowhere are names of packages that say nothing about what is in them.
var nowhere = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "lib"}

// source is one Go file.
type source struct {
	path  string // from the root, with slashes
	dir   string
	test  bool // a test file, or a file of a package that helps tests
	lines int
	text  []byte
	file  *ast.File
}

// skipped are folders of which nothing is kept in version control.
var skipped = regexp.MustCompile(`(^|/)(\.git|node_modules|dist)$|^(bin|demo|out)$`)

// sources reads every Go file of the module.
func sources(t *testing.T) (list []source, fset *token.FileSet) {
	t.Helper()
	fset = token.NewFileSet()
	walk(t, func(p string) {
		if path.Ext(p) != ".go" || strings.Contains(p, "testdata/") {
			return
		}
		text, err := os.ReadFile(filepath.FromSlash(p))
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		dir := path.Dir(p)
		list = append(list, source{path: p, dir: dir, text: text, file: f, lines: bytes.Count(text, []byte("\n")),
			test: strings.HasSuffix(p, "_test.go") || helpsTests(dir)})
	})
	if len(list) < 50 {
		t.Fatalf("only %d Go files found: the test does not stand in the root of the repository", len(list))
	}
	return list, fset
}

// walk visits every file by its path from the root.
func walk(t *testing.T, visit func(p string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped.MatchString(filepath.ToSlash(p)) {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			visit(filepath.ToSlash(p))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// helpsTests tells a package like dumptest, which exists for tests: it may import what its
// tests need, and only tests may import it.
func helpsTests(dir string) bool {
	return strings.HasPrefix(dir, "internal/") && strings.HasSuffix(dir, "test")
}

func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func shelfOf(dir string) (shelf, bool) {
	for _, s := range shelves {
		if under(dir, s.dir) {
			return s, true
		}
	}
	return shelf{}, false
}

// TestImports: imports only point down. Tests may import more, because a test may put the
// floors together; the checker's own code may not.
func TestImports(t *testing.T) {
	list, fset := sources(t)
	for _, s := range list {
		if s.test || s.dir == "." {
			continue
		}
		stands, ok := shelfOf(s.dir)
		if !ok {
			t.Errorf("%s: the folder %s stands on no shelf of the house: give it a place in ARCHITECTURE.md and in shelves in house_test.go", s.path, s.dir)
			continue
		}
		for _, spec := range s.file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			at := fset.Position(spec.Pos())
			if name == "testing" {
				t.Errorf("%s imports testing: code of the program carries no test machinery (a package that helps tests is called ...test)", at)
			}
			if name != module && !strings.HasPrefix(name, module+"/") {
				continue
			}
			dir := strings.TrimPrefix(strings.TrimPrefix(name, module), "/")
			switch {
			case helpsTests(dir):
				t.Errorf("%s imports %s, which only tests may import", at, dir)
			case under(dir, stands.dir), slices.ContainsFunc(stands.may, func(m string) bool { return under(dir, m) }):
			default:
				t.Errorf("%s: %s may not import %s: %s", at, stands.dir, dir, stands.why)
			}
		}
	}
}

// TestPackagesSayWhatTheyAre: every package has a comment and a name that says something.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	list, _ := sources(t)
	said := map[string]bool{}
	for _, s := range list {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		said[s.dir] = said[s.dir] || s.file.Doc != nil && len(strings.TrimSpace(s.file.Doc.Text())) > 20
		if slices.Contains(nowhere, s.file.Name.Name) {
			t.Errorf("%s: a package named %s collects what belongs nowhere, and everybody ends up importing it: name it after what it holds", s.path, s.file.Name.Name)
		}
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("%s: no package comment: say what it is for, its limits and in which order to read it", dir)
		}
	}
}

// because finds a comment that gives the reason for a length: "... lines long because ...".
var because = regexp.MustCompile(`(?i)\b(lines?|long)\b[^.]*\bbecause\b`)

// TestLengths: a file or package that is too long to be read in one go says why.
func TestLengths(t *testing.T) {
	list, _ := sources(t)
	long, says := map[string]int{}, map[string]bool{}
	for _, s := range list {
		if s.test {
			continue
		}
		long[s.dir] += s.lines
		if s.file.Doc != nil && because.MatchString(s.file.Doc.Text()) {
			says[s.dir] = true
		}
		if s.lines > fileLines && !slices.ContainsFunc(s.file.Comments, func(c *ast.CommentGroup) bool { return because.MatchString(c.Text()) }) {
			t.Errorf("%s has %d lines, more than %d: split it, or say in a comment: ... lines long because ...", s.path, s.lines, fileLines)
		}
	}
	for dir, n := range long {
		if n > packageLines && !says[dir] {
			t.Errorf("%s has %d lines, more than %d: split it, or say in the package comment: ... lines long because ...", dir, n, packageLines)
		}
	}
	walk(t, func(p string) {
		if !slices.Contains([]string{".sql", ".ts", ".css", ".html"}, path.Ext(p)) || strings.Contains(p, "testdata/") {
			return
		}
		text, err := os.ReadFile(filepath.FromSlash(p))
		if err != nil {
			t.Fatal(err)
		}
		head := text[:min(len(text), 2000)]
		if n := bytes.Count(text, []byte("\n")); n > fileLines && !because.Match(head) {
			t.Errorf("%s has %d lines, more than %d: split it, or say at its head: ... lines long because ...", p, n, fileLines)
		}
	})
}

// TestNoSurprises: nothing runs because a package is imported, and nothing stops the program
// without having said why that cannot happen.
func TestNoSurprises(t *testing.T) {
	list, fset := sources(t)
	found := map[string]bool{}
	for _, s := range list {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		explained := map[int]bool{} // lines that end in a comment
		for _, c := range s.file.Comments {
			explained[fset.Position(c.Pos()).Line] = true
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s: func init: registration is done in one plain function that its user calls", fset.Position(n.Pos()))
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); !ok || id.Name != "panic" {
					return true
				}
				at := fset.Position(n.Pos())
				key := s.path + ": " + string(s.text[at.Offset:fset.Position(n.End()).Offset])
				if _, ok := panics[key]; ok {
					found[key] = true
				} else if !explained[at.Line] {
					t.Errorf("%s: panic: give an error with its place, or say behind it on the same line why it cannot happen", at)
				}
			}
			return true
		})
	}
	for key := range panics {
		if !found[key] {
			t.Errorf("house_test.go allows %q, which is no longer in the code: take it out", key)
		}
	}
}

// aPath finds an absolute path into somebody's home or working folder.
var aPath = regexp.MustCompile(`(^|[^A-Za-z0-9_.~-])/(home|root|work|Users)/[A-Za-z.]`)

// TestNoPathsOfAMachine: what is kept works on any machine and says nothing about whose it was
// written on.
func TestNoPathsOfAMachine(t *testing.T) {
	walk(t, func(p string) {
		switch path.Base(p) {
		case "go.sum", "package-lock.json":
			return
		}
		info, err := os.Stat(filepath.FromSlash(p))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 4<<20 {
			return // built, or data
		}
		text, err := os.ReadFile(filepath.FromSlash(p))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return // not text
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if aPath.Match(line) {
				t.Errorf("%s:%d: a path of one machine: %.120s", p, i+1, line)
			}
		}
	})
}
