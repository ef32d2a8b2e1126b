// Package datadir opens the raw data directory of a MariaDB or MySQL server (InnoDB, MyISAM,
// Aria): the files that lie on a seized disk. Their formats are a server's own affair, so a
// real server opens them: a private mariadbd on a copy, which mariadb-dump then dumps. The
// originals and the sealed files are never opened by it.
//
// The directory may be hostile. The server is told nothing but what stands in [options]: it
// has no network and no configuration file, loads no plugin and no function, runs no event, follows no
// link, and may read and write only in its own folder, as a user without rights where this program is run by
// root. Only files that a server needs are copied: no link file (.isl) and no merge table (.MRG), which
// name files elsewhere. Its time, memory, and the size of its files are bounded.
//
// Not opened: InnoDB tables without their system tablespace (ibdata1), directories of MySQL 8 and later,
// which have another dictionary, encrypted ones whose keys lie elsewhere, and tables of engines that
// are plugins. System databases (mysql, sys ...) are opened and not dumped; their files are sealed.
//
// Reading order: datadir.go (which files are a data directory), server.go (the private server).
package datadir

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// File is one file that may be part of a data directory.
type File struct {
	Path    string // slash-separated, from where it was found
	Size    int64
	Content string // the file that has its content
	source  string
}

// Dir is a data directory.
type Dir struct {
	Root  string // of the paths it was found among; "." is all
	Why   string // why no server that is looked for can open it; empty: one may
	Files []File // what the server needs; Path is where it lies in the data directory

	pageSize int
	ibdata   []File // the system tablespace, in order
}

// Size is how many bytes the server's copy takes.
func (d Dir) Size() (n int64) {
	for _, f := range d.Files {
		n += f.Size
	}
	return n
}

// The first bytes of files (MariaDB's source: sql/unireg.h, storage/myisam/ft_global.h and
// mi_static.c, storage/innobase/include/fil0types.h and fsp0types.h).
const (
	headSize      = 64
	pageNo        = 4  // InnoDB page: its number
	pageType      = 24 // its type
	pageSpace     = 34 // its tablespace
	spaceID       = 38 // in page 0: the tablespace, again
	spaceFlags    = 54
	typeSpacePage = 8 // the type of page 0
)

func head(f File) ([]byte, error) {
	in, err := os.Open(f.Content)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b := make([]byte, headSize)
	n, err := io.ReadFull(in, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return b[:n], err
}

// tablespace reports whether a file begins with the first page of an InnoDB tablespace, and
// gives the tablespace's number and flags.
func tablespace(b []byte) (id, flags uint32, ok bool) {
	if len(b) < headSize || binary.BigEndian.Uint16(b[pageType:]) != typeSpacePage || binary.BigEndian.Uint32(b[pageNo:]) != 0 {
		return 0, 0, false
	}
	id = binary.BigEndian.Uint32(b[spaceID:])
	return id, binary.BigEndian.Uint32(b[spaceFlags:]), id == binary.BigEndian.Uint32(b[pageSpace:])
}

// pageSize reads a tablespace's page size from its flags: a power of two from 4 to 64 KiB.
func pageSize(flags uint32) int {
	shift := flags >> 6 & 0xf
	if flags&0x10 != 0 { // full_crc32
		shift = flags & 0xf
	}
	if shift == 0 {
		return 16 << 10
	}
	return 512 << shift
}

func isDefinition(b []byte) bool {
	return len(b) > 2 && b[0] == 0xfe && b[1] == 0x01
}

func isMyISAM(b []byte) bool { return len(b) > 4 && string(b[:4]) == "\xfe\xfe\x07\x01" }

func isAria(b []byte) bool { return len(b) > 4 && string(b[:3]) == "\xfe\xfe\x09" }

// Find finds the data directories among files: the folder of a system tablespace, or the one
// around folders of MyISAM or Aria tables. It tells by what the files are, and looks only into files of
// the right names.
func Find(files []File) (list []Dir, err error) {
	roots := map[string]*Dir{}
	var innodb []string // folders with InnoDB tables
	byPath := map[string]File{}
	for _, f := range files {
		byPath[f.Path] = f
	}
	for _, f := range files {
		dir, base := path.Split(f.Path)
		dir = path.Clean(dir)
		switch ext := path.Ext(base); {
		case base == "ibdata1", ext == ".ibd", ext == ".MYI", ext == ".MAI":
		default:
			continue
		}
		b, err := head(f)
		if err != nil {
			return nil, err
		}
		id, flags, isSpace := tablespace(b)
		switch {
		case base == "ibdata1" && isSpace && id == 0:
			roots[dir] = &Dir{Root: dir, pageSize: pageSize(flags)}
		case base == "mysql.ibd" && isSpace && roots[dir] == nil:
			roots[dir] = &Dir{Root: dir}
		case isSpace:
			addTo(&innodb, dir)
		default:
			// The first page of a tablespace may be in the log only when the server was killed.
			if path.Ext(base) != ".ibd" && !isMyISAM(b) && !isAria(b) {
				continue
			}
			definition, ok := byPath[strings.TrimSuffix(f.Path, path.Ext(base))+".frm"]
			if !ok {
				continue
			}
			b, err := head(definition)
			if err != nil {
				return nil, err
			}
			switch up := path.Dir(dir); {
			case !isDefinition(b):
			case path.Ext(base) == ".ibd":
				addTo(&innodb, dir)
			case roots[up] == nil:
				roots[up] = &Dir{Root: up}
			}
		}
	}
	for _, dir := range innodb {
		up := path.Dir(dir)
		if roots[dir] != nil || roots[up] != nil && roots[up].pageSize > 0 {
			continue
		}
		if roots[up] == nil {
			roots[up] = &Dir{Root: up, Why: "its InnoDB tables (.ibd) are without their system tablespace: find the file ibdata1 that belongs to them, and add both in one folder"}
		}
	}
	for _, d := range roots {
		d.take(files)
		list = append(list, *d)
	}
	slices.SortFunc(list, func(a, b Dir) int { return strings.Compare(a.Root, b.Root) })
	return list, nil
}

func addTo(list *[]string, s string) {
	if !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

// extensions are those of files in a database's folder that a server needs.
var extensions = []string{".frm", ".ibd", ".MYD", ".MYI", ".MAD", ".MAI", ".opt", ".TRG", ".TRN", ".CSV", ".CSM", ".par"}

// take puts the files that a server needs into the directory.
func (d *Dir) take(files []File) {
	for _, f := range files {
		rel := f.Path
		if d.Root != "." {
			var ok bool
			if rel, ok = strings.CutPrefix(f.Path, d.Root+"/"); !ok {
				continue
			}
		}
		dir, base := path.Split(rel)
		if !filepath.IsLocal(filepath.FromSlash(rel)) || strings.ContainsAny(rel, "\\\x00") {
			continue
		}
		switch {
		case dir == "" && base == "mysql.ibd":
			d.Why = "it is of MySQL 8 or later, which MariaDB cannot open: start that MySQL on a copy of it, dump it with mysqldump, and add the dump"
		case dir == "" && strings.HasPrefix(base, "ibdata"):
			d.ibdata = append(d.ibdata, f)
		case dir == "" && (strings.HasPrefix(base, "ib_logfile") || strings.HasPrefix(base, "undo") || strings.HasPrefix(base, "aria_log") || base == "tc.log"):
		case strings.Count(dir, "/") == 1 && slices.Contains(extensions, path.Ext(base)):
		default:
			continue
		}
		f.Path, f.source = rel, f.Path
		d.Files = append(d.Files, f)
	}
	slices.SortFunc(d.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(d.ibdata, func(a, b File) int { // ibdata2 before ibdata10
		if n := len(a.Path) - len(b.Path); n != 0 {
			return n
		}
		return strings.Compare(a.Path, b.Path)
	})
}

// Found is where a file of the directory was found.
func (f File) Found() string { return f.source }

// dataFilePath is the server's option for a system tablespace of several files: all but the
// last have a fixed size.
func (d Dir) dataFilePath() string {
	var parts []string
	for i, f := range d.ibdata {
		part := fmt.Sprintf("%s:%dK", path.Base(f.Path), f.Size>>10)
		if i == len(d.ibdata)-1 {
			part = path.Base(f.Path) + ":12M:autoextend"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ";")
}
