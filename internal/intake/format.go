package intake

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/delimited"
	"github.com/unspoof/unspoof/internal/intake/dump/mysqldump"
	"github.com/unspoof/unspoof/internal/store"
)

// ErrUnknownFormat is wrapped when no reader knows a file.
var ErrUnknownFormat = errors.New("no reader knows this file's format")

// Formats lists the readers, in the order in which they are asked.
func Formats() []dump.Format {
	return []dump.Format{
		mysqldump.Format(),
		delimited.Format(),
	}
}

// formatOf finds the reader that read a source.
func formatOf(s store.Source) (dump.Format, error) {
	for _, f := range Formats() {
		if f.Name == s.Format {
			return f, nil
		}
	}
	return dump.Format{}, fmt.Errorf("source %s was read by %q, which this program does not have", s.ID.Short(), s.Format)
}

// sniff tells by a file's name and first bytes which reader reads it. A list is always CSV.
func sniff(path, list string) (dump.Format, error) {
	info, err := os.Stat(path)
	if err != nil {
		return dump.Format{}, err
	}
	if info.IsDir() {
		return dump.Format{}, fmt.Errorf("%s is a folder: name the files in it", path)
	}
	if !info.Mode().IsRegular() {
		return dump.Format{}, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return dump.Format{}, err
	}
	defer f.Close()
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return dump.Format{}, err
	}
	if n == 0 {
		return dump.Format{}, fmt.Errorf("%s: %w: it is empty", path, ErrUnknownFormat)
	}
	if list != "" {
		return delimited.Format(), nil
	}
	for _, format := range Formats() {
		if format.Match(filepath.Base(path), head[:n]) {
			return format, nil
		}
	}
	return dump.Format{}, fmt.Errorf("%s: %w", path, ErrUnknownFormat)
}
