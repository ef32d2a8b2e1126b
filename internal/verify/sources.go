package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/unspoof/unspoof/internal/casefile"
)

// source is a sealed file whose content is as named.
type source struct {
	id     casefile.SourceID
	record sourceRecord
	size   int64
}

// sourceRecord is sources/<sha256>.json.
type sourceRecord struct {
	SHA256     string `json:"sha256"`
	Name       string `json:"name"`
	Size       int64  `json:"size"`
	Exhibit    string `json:"exhibit"`
	LegalBasis string `json:"legal_basis"`
	List       string `json:"list"`
	Format     string `json:"format"`
	SealedBy   string `json:"sealed_by"`
	SealedAt   string `json:"sealed_at"`
}

// checkSources hashes every sealed file and holds it against its name, its record and its
// seal entry.
func (r *run) checkSources(c *Check) {
	list, err := r.dir.list("sources")
	if err != nil {
		c.fail("sources", casefile.Where{}, "%v", err)
		return
	}
	ids, records := map[string]bool{}, map[string]bool{}
	var total, done int64
	for _, e := range list {
		name := e.Name()
		base, isRecord := strings.CutSuffix(name, ".json")
		switch _, err := casefile.ParseSourceID(base); {
		case err != nil:
			c.warn("sources/"+name, casefile.Where{}, "is neither a sealed file nor a record of one")
		case isRecord:
			records[base] = true
		default:
			ids[name] = true
			if info, err := e.Info(); err == nil {
				total += info.Size()
			}
		}
	}
	for id := range ids {
		if r.ctx.Err() != nil {
			return
		}
		c.Objects++
		r.progress("sources", done, total)
		if s := r.checkSource(c, id, records[id]); s != nil {
			done += s.size
			r.sources[s.id] = s
		}
	}
	for id := range records {
		if !ids[id] {
			c.fail("sources/"+id+".json", casefile.Where{Source: id}, "is the record of a file that is missing")
		}
	}
	for id, a := range r.acts.seals {
		if !ids[id] {
			c.fail("sources/"+id, casefile.Where{Source: id}, "is missing: entry %d sealed it", a.Seq)
		}
	}
}

// checkSource gives the source when its content is whole.
func (r *run) checkSource(c *Check, id string, hasRecord bool) *source {
	what, at := "sources/"+id, casefile.Where{Source: id}
	f, err := r.dir.open(what)
	if err != nil {
		c.fail(what, at, "%v", err)
		return nil
	}
	defer f.Close()
	sum, size, err := hashFile(r.ctx, f)
	if err != nil {
		c.fail(what, at, "cannot be read: %v", err)
		return nil
	}
	s := &source{id: casefile.SourceID(id), size: size}
	whole := sum == id
	if !whole {
		c.fail(what, at, "was altered: its content has SHA-256 %s", sum)
	}
	seal, sealed := r.acts.seals[id]
	if !sealed {
		c.fail(what, at, "no entry of the ledger sealed it")
	} else if n, ok := seal.number("size"); !ok || n != size {
		c.fail(what, at, "has %d bytes, entry %d sealed %v", size, seal.Seq, seal.Details["size"])
	}
	if !hasRecord {
		c.fail(what+".json", at, "is missing")
	} else {
		r.checkRecord(c, s, seal, sealed)
	}
	if !whole {
		return nil
	}
	return s
}

func (r *run) checkRecord(c *Check, s *source, seal act, sealed bool) {
	what, at := "sources/"+string(s.id)+".json", casefile.Where{Source: string(s.id)}
	text, err := r.dir.read(what, 1<<20)
	if err == nil {
		err = json.Unmarshal(text, &s.record)
	}
	if err != nil {
		c.fail(what, at, "%v", err)
		return
	}
	rec := s.record
	differs := func(field string, has, want any) {
		c.fail(what, at, "says %s %v, it is %v", field, has, want)
	}
	if rec.SHA256 != string(s.id) {
		differs("sha256", rec.SHA256, s.id)
	}
	if rec.Size != s.size {
		differs("size", rec.Size, s.size)
	}
	if rec.Format == "" {
		c.fail(what, at, "names no format")
	}
	if !sealed {
		return
	}
	for _, f := range []struct{ name, value string }{{"name", rec.Name}, {"exhibit", rec.Exhibit}, {"legal_basis", rec.LegalBasis}, {"list", rec.List}, {"format", rec.Format}} {
		want, said := seal.Details[f.name].(string)
		switch {
		case !said && (f.name == "name" || f.name == "format" || f.value == ""): // not every seal says it
		case isDigest(want) && digestOf(want, f.value), want == f.value, want == strconv.Quote(f.value):
		default:
			c.fail(what, at, "says a %s other than entry %d sealed", f.name, seal.Seq)
		}
	}
	if _, err := time.Parse(time.RFC3339Nano, rec.SealedAt); err != nil {
		c.fail(what, at, "says no time at which it was sealed")
	}
	if want := seal.detail("record_sha256"); want != "" && want != sha256Hex(text) {
		c.fail(what, at, "is not the record that entry %d sealed", seal.Seq)
	}
	if seal.Actor != rec.SealedBy {
		c.fail(what, at, "says that %q sealed it, entry %d says %q", rec.SealedBy, seal.Seq, seal.Actor)
	}
}

func isDigest(s string) bool {
	return strings.HasPrefix(s, "sha256:") || strings.HasPrefix(s, "hmac-sha256:") || len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// hashFile hashes a file from its beginning, and stops when the context does.
func hashFile(ctx context.Context, f *os.File) (sum string, size int64, err error) {
	h := sha256.New()
	for buf := make([]byte, 1<<20); ; {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		size += int64(n)
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), size, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return "", size, err
		}
	}
}

// recovered turns a parser's panic on hostile bytes into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("it makes its parser fail: %v", bytes.TrimSpace(fmt.Append(nil, p)))
	}
}
