package mysqldump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/segment"
)

// Format is the reader of what mysqldump, mariadb-dump, phpMyAdmin and Adminer write.
func Format() dump.Format {
	return dump.Format{
		Name: "mysqldump", Version: "2", About: "SQL dump of a MySQL or MariaDB database",
		Match: match,
		Stream: func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
			return Read(ctx, r, sink, Options{})
		},
		Row: func(_ context.Context, src dump.Sealed, _ string, _, offset int64) (dump.Found, error) {
			text, cells, err := ReadRow(src.At, offset)
			if err != nil {
				return dump.Found{}, err
			}
			columns, err := columnList(src.At, offset)
			return dump.Found{Text: text, Cells: cells, Columns: columns}, err
		},
	}
}

func match(_ string, head []byte) bool {
	upper := bytes.ToUpper(head)
	for _, sign := range []string{"-- MYSQL DUMP", "-- MARIADB DUMP", "INSERT INTO ", "INSERT IGNORE INTO ", "CREATE TABLE ", "REPLACE INTO ", "-- PHPMYADMIN SQL DUMP", "-- ADMINER "} {
		if bytes.Contains(upper, []byte(sign)) {
			return true
		}
	}
	return false
}

// ReadRow reads the one row that begins at offset: its original text and where its cells
// lie in it, in the order of the statement.
func ReadRow(r io.ReaderAt, offset int64) (text []byte, cells []dump.Field, err error) {
	for size := 64 << 10; ; size *= 8 {
		buf := make([]byte, size)
		n, err := r.ReadAt(buf, offset)
		if err != nil && err != io.EOF {
			return nil, nil, err
		}
		buf = buf[:n]
		if n == 0 {
			return nil, nil, errors.New("the offset is behind the end of the source")
		}
		cells, next, scanErr := scanRow(buf, 0, nil)
		if scanErr == nil {
			return buf[:next], cells, nil
		}
		if scanErr != segment.ErrMore || err == io.EOF || size >= dump.MaxSegment {
			return nil, nil, fmt.Errorf("no row begins at offset %d: %w", offset, scanErr)
		}
	}
}

// columnList finds the column list of the INSERT that holds the row at offset, by looking
// backwards for the line on which the statement begins; nil when it has none or none is found. A dump's
// strings hold no raw newline, so a line that begins with INSERT or REPLACE is a statement.
func columnList(r io.ReaderAt, offset int64) ([]string, error) {
	const step = 1 << 20
	const overlap = 4096 // the longest head that is looked for across two steps
	for end := offset; end > 0; {
		start := max(0, end-step)
		buf := make([]byte, min(end+overlap, offset+1)-start) // with the row's parenthesis
		if _, err := r.ReadAt(buf, start); err != nil && err != io.EOF {
			return nil, err
		}
		for i := len(buf); i > 0; {
			i = bytes.LastIndexByte(buf[:i], '\n')
			line := buf[i+1:]
			if (i >= 0 || start == 0) && (segment.HasPrefixFold(line, "INSERT ") || segment.HasPrefixFold(line, "REPLACE ")) {
				if _, cols, _, why := insertHead(line, 0); why == "" {
					return cols, nil
				}
				return nil, nil
			}
			if i < 0 {
				break
			}
		}
		end = start
	}
	return nil, nil
}
