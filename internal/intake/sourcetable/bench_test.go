package sourcetable_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/mysqldump"
	"github.com/unspoof/unspoof/internal/intake/sourcetable"
	"github.com/unspoof/unspoof/internal/store"
)

type discard struct{ rows int }

func (d *discard) Rows(b *dump.Batch) error         { d.rows += len(b.Rows); return nil }
func (d *discard) Damage(dump.Damage) error         { return nil }
func (d *discard) Statement(s dump.Statement) error { return nil }

// The scanner alone, and with the writing of source tables, over the dump that
// UNSPOOF_BENCH_DUMP names.
func BenchmarkRead(b *testing.B) {
	path := os.Getenv("UNSPOOF_BENCH_DUMP")
	if path == "" {
		b.Skip("UNSPOOF_BENCH_DUMP names no dump")
	}
	open := func() *os.File {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		info, _ := f.Stat()
		b.SetBytes(info.Size())
		return f
	}
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			f := open()
			var d discard
			if err := mysqldump.Read(context.Background(), f, &d, mysqldump.Options{}); err != nil {
				b.Fatal(err)
			}
			f.Close()
		}
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			c, err := store.Create(filepath.Join(b.TempDir(), "case"), store.Config{TimeZone: "UTC", Created: time.Now()})
			if err != nil {
				b.Fatal(err)
			}
			f := open()
			w := sourcetable.NewWriter(c, 0)
			if err := mysqldump.Read(context.Background(), f, w, mysqldump.Options{}); err != nil {
				b.Fatal(err)
			}
			f.Close()
			_, err = w.Publish(context.Background(), "0123456789abcdef", "mysqldump", "bench", nil)
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
