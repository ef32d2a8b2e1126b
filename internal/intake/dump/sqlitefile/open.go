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

// open opens the database at path without changing it. done closes it and removes what was
// copied. remarks are what a reader of its rows should know.
func open(path string) (db *sql.DB, done func(), remarks []dump.Damage, err error) {
	if remarks, err = header(path); err != nil {
		return nil, nil, nil, err
	}
	mode, dir := "mode=ro&immutable=1", ""
	beside := false
	for _, ending := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + ending); err == nil && info.Size() > 0 {
			beside = true
		}
	}
	if beside {
		if dir, err = os.MkdirTemp("", "unspoof-sqlite"); err != nil {
			return nil, nil, nil, err
		}
		to := filepath.Join(dir, "db")
		for _, ending := range []string{"", "-wal", "-journal"} {
			if err := copyFile(to+ending, path+ending); err != nil && !(ending != "" && errors.Is(err, os.ErrNotExist)) {
				return nil, nil, nil, errors.Join(err, os.RemoveAll(dir))
			}
		}
		path, mode, remarks = to, "mode=rw", nil
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
