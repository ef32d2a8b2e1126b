package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/unspoof/unspoof/internal/synth/mariadbtest"
)

// webExporter is a program with web pages, running, that exports a server's tables through a
// form: what the operators of small services make their backups with.
type webExporter struct {
	client *http.Client
	page   string // where the form stands
	field  string // a field of it
}

// phpMyAdmin and adminer are the programs as Debian has them, signed in to the test's server.
func phpMyAdmin(t *testing.T, server *mariadbtest.Server) webExporter {
	base := startPHP(t, server, "/usr/share/phpmyadmin", "index.php")
	w := webExporter{newClient(t), base + "/index.php?route=/database/export&server=1&db=" + mariadbtest.Database, "sql_insert_syntax"}
	submit(t, w.client, base+"/index.php?route=/", "pma_username", url.Values{"pma_username": {"web"}, "pma_password": {"secret"}})
	return w
}

func adminer(t *testing.T, server *mariadbtest.Server) webExporter {
	base := startPHP(t, server, "/usr/share/adminer", "adminer.php")
	w := webExporter{newClient(t), base + "/adminer.php?server=&username=web&dump=&db=" + mariadbtest.Database, "data_style"}
	submit(t, w.client, base+"/adminer.php", "auth[username]", url.Values{"auth[username]": {"web"}, "auth[password]": {"secret"}})
	return w
}

// export submits the form as it stands with these fields set otherwise.
func (w webExporter) export(t *testing.T, set url.Values) []byte {
	t.Helper()
	return submit(t, w.client, w.page, w.field, set)
}

func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &http.Client{Jar: jar, Timeout: time.Minute}
}

// startPHP serves a folder of PHP pages until the test ends; they find the database server as
// localhost, where its user web has the password secret.
func startPHP(t *testing.T, server *mariadbtest.Server, root, index string) string {
	t.Helper()
	_, err := exec.LookPath("php")
	if _, missing := os.Stat(filepath.Join(root, index)); err != nil || missing != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("php or %s is not installed, and CI=true lets no test be skipped for that", root)
		}
		t.Skipf("php or %s is not installed", root)
	}
	server.Exec("GRANT ALL ON *.* TO web@localhost IDENTIFIED BY 'secret'")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close())
	var log bytes.Buffer
	php := exec.Command("php", "-d", "mysqli.default_socket="+server.Socket, "-d", "pdo_mysql.default_socket="+server.Socket,
		"-d", "session.save_path="+t.TempDir(), "-S", address, "-t", root)
	php.Stdout, php.Stderr = &log, &log
	must(t, php.Start())
	t.Cleanup(func() {
		php.Process.Kill() // nothing of it is kept
		php.Wait()
		if t.Failed() {
			t.Logf("%s", log.Bytes())
		}
	})
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return "http://" + address
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("php does not answer")
		}
	}
}

// submit fills the form of a page that has a field and returns what the program answers.
func submit(t *testing.T, client *http.Client, page, field string, set url.Values) []byte {
	t.Helper()
	fetch := func(res *http.Response, err error) ([]byte, *url.URL) {
		t.Helper()
		must(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		must(t, err)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s answers %s: %.2000s", page, res.Status, body)
		}
		return body, res.Request.URL
	}
	body, at := fetch(client.Get(page))
	doc, err := html.Parse(bytes.NewReader(body))
	must(t, err)
	for form := range doc.Descendants() {
		if form.Data != "form" {
			continue
		}
		values := formValues(form)
		if !values.Has(field) {
			continue
		}
		for name, to := range set {
			values[name] = to
		}
		action, err := at.Parse(attr(form, "action"))
		must(t, err)
		answer, _ := fetch(client.PostForm(action.String(), values))
		return answer
	}
	t.Fatalf("%s has no form with a field %q: %.2000s", page, field, body)
	return nil
}

// formValues are the fields of a form as a browser would send them untouched.
func formValues(form *html.Node) url.Values {
	values := url.Values{}
	for n := range form.Descendants() {
		name, value := attr(n, "name"), attr(n, "value")
		switch n.Data {
		case "input":
			switch typ := attr(n, "type"); typ {
			case "submit", "button", "reset", "image", "file":
				continue
			case "checkbox", "radio":
				if !has(n, "checked") {
					continue
				}
				if !has(n, "value") {
					value = "on"
				}
			}
		case "textarea":
			value = text(n)
		case "select":
			first := true
			for o := range n.Descendants() {
				if o.Data != "option" || !first && !has(o, "selected") {
					continue
				}
				first, value = false, text(o)
				if has(o, "value") {
					value = attr(o, "value")
				}
			}
		default:
			continue
		}
		if name != "" {
			values.Add(name, value)
		}
	}
	return values
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
