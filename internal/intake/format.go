package intake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/delimited"
	"github.com/unspoof/unspoof/internal/intake/dump/mysqldump"
	"github.com/unspoof/unspoof/internal/store"
)

// Format is one kind of file that can be read.
type Format struct {
	Name    string
	Version string // of the reader: another version makes other table versions
	read    func(ctx context.Context, r io.Reader, sink dump.Sink, path string) error
	row     func(f *os.File, offset int64) (text []byte, cells []dump.Field, err error)
}

// Formats lists the readers.
func Formats() []Format {
	return []Format{
		{
			Name: "mysqldump", Version: "1",
			read: func(ctx context.Context, r io.Reader, sink dump.Sink, _ string) error {
				return mysqldump.Read(ctx, r, sink, mysqldump.Options{})
			},
			row: func(f *os.File, offset int64) ([]byte, []dump.Field, error) { return mysqldump.ReadRow(f, offset) },
		},
		{
			Name: "csv", Version: "1",
			read: func(ctx context.Context, r io.Reader, sink dump.Sink, path string) error {
				return delimited.Read(ctx, r, sink, delimited.Options{Table: csvTable(path)})
			},
			row: func(f *os.File, offset int64) ([]byte, []dump.Field, error) {
				_, sep, err := delimited.Header(f)
				if err != nil {
					return nil, nil, err
				}
				return delimited.ReadRow(f, sep, offset)
			},
		},
	}
}

func csvTable(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// formatOf finds the reader that read a source.
func formatOf(s store.Source) (Format, error) {
	for _, f := range Formats() {
		if f.Name == s.Format {
			return f, nil
		}
	}
	return Format{}, fmt.Errorf("source %s was read by %q, which this program does not have", s.ID.Short(), s.Format)
}

// Sniff tells by its first bytes which reader reads a file. A list is always CSV.
func Sniff(path, list string) (Format, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Format{}, err
	}
	if info.IsDir() {
		return Format{}, fmt.Errorf("%s is a folder: name the files in it", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Format{}, err
	}
	defer f.Close()
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return Format{}, err
	}
	head = head[:n]
	formats := Formats()
	switch {
	case n == 0:
		return Format{}, fmt.Errorf("%s: %w: it is empty", path, ErrUnknownFormat)
	case list != "":
		return formats[1], nil
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}), bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")), bytes.HasPrefix(head, []byte("PK\x03\x04")),
		bytes.HasPrefix(head, []byte("BZh")), bytes.HasPrefix(head, []byte("\xfd7zXZ")):
		return Format{}, fmt.Errorf("%s: %w: it is compressed (unpack it, and add both it and the archive's hash to the exhibit record)", path, ErrUnknownFormat)
	case looksLikeDump(head):
		return formats[0], nil
	case strings.EqualFold(filepath.Ext(path), ".csv"):
		return formats[1], nil
	}
	return Format{}, fmt.Errorf("%s: %w", path, ErrUnknownFormat)
}

func looksLikeDump(head []byte) bool {
	upper := bytes.ToUpper(head)
	for _, sign := range []string{"-- MYSQL DUMP", "-- MARIADB DUMP", "INSERT INTO ", "CREATE TABLE ", "REPLACE INTO ", "-- PHPMYADMIN SQL DUMP"} {
		if bytes.Contains(upper, []byte(sign)) {
			return true
		}
	}
	return false
}
