package sqlitefile

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/unspoof/unspoof/internal/intake/dump"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// The endings of the names of what lies beside a database.
const (
	wal     = "-wal"
	journal = "-journal"
)

// open opens the database without changing it. done closes it and removes what was copied.
// remarks are what a reader of its rows should know.
func open(src dump.Sealed) (db *sql.DB, done func(), remarks []dump.Damage, err error) {
	path := src.Path
	if remarks, err = header(path); err != nil {
		return nil, nil, nil, err
	}
	mode, dir := "mode=ro&immutable=1", ""
	beside := map[string]string{"": path}
	for ending, from := range src.Beside {
		if ending == wal {
			remarks = nil // what the header says is older
		}
		super, err := namesSuperJournal(from)
		switch {
		case err != nil:
			return nil, nil, nil, err
		case ending == journal && super:
			remarks = append(remarks, dump.Damage{Reason: "its -journal belongs to a commit over several databases: it cannot be told whether that was finished, and the rows are as they stand in the file"})
		default:
			beside[ending] = from
		}
	}
	if len(beside) > 1 {
		if dir, err = os.MkdirTemp(src.Temp, "sqlite-*"); err != nil {
			return nil, nil, nil, err
		}
		to := filepath.Join(dir, "db")
		for ending, from := range beside {
			if err := copyFile(to+ending, from); err != nil {
				return nil, nil, nil, errors.Join(err, os.RemoveAll(dir))
			}
		}
		path, mode = to, "mode=rw"
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, nil, err
	}
	u := url.URL{Scheme: "file", Path: absolute, RawQuery: mode + "&_pragma=trusted_schema(0)&_pragma=query_only(1)&_pragma=cell_size_check(1)&_pragma=mmap_size(0)"}
	if db, err = sql.Open("sqlite", u.String()); err != nil {
		return nil, nil, nil, err
	}
	db.SetMaxOpenConns(1)
	return db, func() {
		_ = db.Close() // nothing was written
		if dir != "" {
			_ = os.RemoveAll(dir) // a temporary folder
		}
	}, remarks, nil
}

// header reads the header, and tells of a file in write-ahead mode and of one that was cut.
func header(path string) (remarks []dump.Damage, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var head [100]byte
	if n, err := io.ReadFull(f, head[:]); !bytes.HasPrefix(head[:n], []byte(magic)) {
		return nil, fmt.Errorf("no SQLite database: it does not begin with %q", magic)
	} else if err != nil {
		return []dump.Damage{{Offset: int64(n), Reason: "the file ends inside its header"}}, nil
	}
	if head[18] == 2 || head[19] == 2 {
		remarks = append(remarks, dump.Damage{Reason: "the database was in write-ahead mode and no -wal file lies beside it: changes that were not yet written back are missing"})
	}
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	if size := page * int64(binary.BigEndian.Uint32(head[28:])); size > info.Size() && bytes.Equal(head[24:28], head[92:96]) {
		remarks = append(remarks, dump.Damage{Offset: info.Size(), Reason: fmt.Sprintf("the file is cut: its header tells of %d bytes and it has %d", size, info.Size())})
	}
	return remarks, nil
}

// namesSuperJournal reports whether a file ends as a rollback journal that names a
// super-journal does: with SQLite's journal magic (sqlite.org/fileformat2.html, section 3).
func namesSuperJournal(path string) (bool, error) {
	const magic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() < int64(len(magic)) {
		return false, err
	}
	var end [len(magic)]byte
	_, err = f.ReadAt(end[:], info.Size()-int64(len(magic)))
	return string(end[:]) == magic, err
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}
