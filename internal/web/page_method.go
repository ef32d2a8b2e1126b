package web

import (
	"bytes"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/unspoof/unspoof/docs"
	"github.com/unspoof/unspoof/internal/desk"
)

// methodView is one page about the rules, beside the list of all.
type methodView struct {
	Pages []docs.Page
	Name  string
	Text  template.HTML
}

// method shows the project's own pages about its rules: the text is the program's, not a
// source's, and raw HTML in it is left out all the same.
func (s *server) method(r *http.Request, _ desk.Person) (answer, error) {
	name := r.URL.Query().Get("page")
	if name == "" {
		name = docs.Pages()[0].Name
	}
	source := docs.Text(name)
	if source == nil {
		return answer{}, desk.ErrNotFound
	}
	var b bytes.Buffer
	if err := markdown().Convert(source, &b); err != nil {
		return answer{}, err
	}
	title := "Method"
	for _, p := range docs.Pages() {
		if p.Name == name {
			title = p.Title
		}
	}
	return answer{Template: "method", Title: title, Data: methodView{docs.Pages(), name, template.HTML(b.String())}}, nil
}

// markdown turns the project's pages into HTML. Built once: it keeps no state between pages.
var markdown = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(localLinks{}, 100))))
})

// localLinks turns links between the pages of docs into links between pages of the product.
// Those to other files of the project lead nowhere from here and become plain text.
type localLinks struct{}

func (localLinks) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var elsewhere []*ast.Link
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the function returns no error
		link, ok := n.(*ast.Link)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		to := string(link.Destination)
		file, fragment, _ := strings.Cut(to, "#")
		name := strings.TrimSuffix(file, ".md")
		switch {
		case strings.HasPrefix(to, "https://"), file == "":
		case docs.Text(name) != nil:
			link.Destination = []byte("/method?page=" + name)
			if fragment != "" {
				link.Destination = append(link.Destination, "#"+fragment...)
			}
		default:
			elsewhere = append(elsewhere, link)
		}
		return ast.WalkContinue, nil
	})
	for _, link := range elsewhere {
		parent := link.Parent()
		for c := link.FirstChild(); c != nil; c = link.FirstChild() {
			parent.InsertBefore(parent, link, c)
		}
		parent.RemoveChild(parent, link)
	}
}

// rate is the measured error rate of a rule, for the place beside what it found.
type rate struct {
	What string
	docs.Rate
}

// rates reads the table of measured rates once.
var rates = sync.OnceValue(docs.Rates)

func rateOf(what ...string) *rate {
	name := strings.Join(what, "")
	if r, ok := rates()[name]; ok {
		return &rate{name, r}
	}
	return nil
}
