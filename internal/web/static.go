package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/unspoof/unspoof/internal/desk"
	"github.com/unspoof/unspoof/internal/web/ui"
)

var assetTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// asset reads one of the program's own files: its styles, or a chart script that was built.
func asset(name string) ([]byte, error) {
	if text, err := staticFiles.ReadFile("static/" + name); err == nil {
		return text, nil
	}
	return fs.ReadFile(ui.Files(), name)
}

var versions sync.Map // asset name -> digits that change with its content

// assetVersion goes into an asset's address, so that it can be cached for good.
func assetVersion(name string) string {
	if v, ok := versions.Load(name); ok {
		return v.(string)
	}
	text, err := asset(name)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	v := hex.EncodeToString(sum[:6])
	versions.Store(name, v)
	return v
}

func (s *server) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	dot := strings.LastIndexByte(name, '.')
	text, err := asset(name)
	if err != nil || dot < 0 || assetTypes[name[dot:]] == "" {
		s.problem(w, r, desk.Person{}, desk.ErrNotFound)
		return
	}
	w.Header().Set("Content-Type", assetTypes[name[dot:]])
	if r.URL.Query().Get("v") == assetVersion(name) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Write(text)
}
