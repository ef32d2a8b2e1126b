// Package pgdump reads what pg_dump and pg_dumpall write, as evidence: it never runs a
// statement, and gives every row the address at which it stands.
//
// [Format] is plain SQL text: COPY ... FROM stdin blocks, and INSERT with one row or many,
// with or without a column list. An offset is that of a COPY row's line or of an INSERT row's
// opening parenthesis. [CustomFormat] is the archive of pg_dump -Fc (versions 1.10 to 1.16:
// PostgreSQL 8 to 18; uncompressed, zlib, lz4, zstd), read natively. Its rows have no byte
// address in the file, so a row's offset, and that of damage in a table, is the place in the
// uncompressed data of its block, behind the block's number times 2^40; other offsets are those of the file. Not read: -Fd, -Ft.
//
// Values stay as they stand. A COPY's t and f and an INSERT's true and false are the text of
// a boolean; timestamptz is text, because it carries its offset from UTC; numeric without a
// precision is text, because it has no bound; timestamp is a date and time without a zone;
// bytea is binary, whether written as \x.. or in the old escape form. Infinity, NaN and BC
// dates are misfits of their columns. DEFAULT in an INSERT (a generated column) is one too.
//
// A table is called by its name alone. Where two schemas have a table of that name it is
// schema.name, and where two databases of a pg_dumpall have, database.schema.name. Functions,
// triggers, views, sequence positions and all else that is not a row is handed on as text.
// Large objects of an archive are not kept; a remark says how many there were.
//
// The text of a row read again is its bytes in the source. Cells with escapes that package
// dump does not know stand decoded behind them.
//
// Rows behind the head of a COPY or INSERT that cannot be read are damaged: they are counted, by
// lines up to the mark \. or by parentheses, and belong to the table if its name can be read.
//
// Reading order: read.go (segments and state), statement.go, create.go (column types),
// copy.go, insert.go (rows), lost.go (rows without a head), cell.go (escapes), find.go (one row again), custom.go (archives).
package pgdump

import (
	"bytes"
	"context"
	"io"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// Format is the reader of plain-text dumps. It must be asked before mysqldump's, which takes
// any file with an INSERT.
func Format() dump.Format {
	return dump.Format{
		Name: "pgdump", Version: "2", About: "SQL dump of a PostgreSQL database",
		Match: match,
		Stream: func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
			return Read(ctx, r, sink, Options{})
		},
		Row: func(_ context.Context, src dump.Sealed, table string, _, offset int64) (dump.Found, error) {
			return findRow(src.At, src.Size, table, offset)
		},
	}
}

// CustomFormat is the reader of pg_dump -Fc archives.
func CustomFormat() dump.Format {
	return dump.Format{
		Name: "pgcustom", Version: "1", About: "custom-format archive (pg_dump -Fc) of a PostgreSQL database",
		Match: func(_ string, head []byte) bool { return bytes.HasPrefix(head, []byte(magic)) },
		Stream: func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
			return ReadCustom(ctx, r, sink, Options{})
		},
		Row: func(ctx context.Context, src dump.Sealed, table string, _, offset int64) (dump.Found, error) {
			return findCustomRow(ctx, src, table, offset)
		},
	}
}

func match(_ string, head []byte) bool {
	for _, no := range []string{"-- MySQL dump", "-- MariaDB dump", "-- phpMyAdmin", "ENGINE=InnoDB", "ENGINE=MyISAM"} {
		if bytes.Contains(head, []byte(no)) {
			return false
		}
	}
	for _, yes := range []string{"-- PostgreSQL database dump", "-- PostgreSQL database cluster dump", "SET client_encoding", "SELECT pg_catalog.set_config("} {
		if bytes.Contains(head, []byte(yes)) {
			return true
		}
	}
	for i := 0; ; { // COPY t (a, b) FROM stdin;
		j := bytes.Index(head[i:], []byte("COPY "))
		if j < 0 {
			return false
		}
		i += j
		line, _, _ := bytes.Cut(head[i:], []byte("\n"))
		if (i == 0 || head[i-1] == '\n') && bytes.HasSuffix(bytes.TrimRight(line, "\r"), []byte("FROM stdin;")) {
			return true
		}
		i += len("COPY ")
	}
}
