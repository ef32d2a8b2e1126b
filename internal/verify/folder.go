package verify

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// folder is a case folder read with suspicion: names are confined to it, and nothing in it
// is followed as a link, whether or not the link stays inside.
type folder struct {
	path string
	root *os.Root
}

var errLink = errors.New("is a link or not an ordinary file or folder: refused")

func openFolder(dir string) (folder, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return folder{}, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil { // the user's own choice of folder may be a link
		return folder{}, err
	}
	root, err := os.OpenRoot(abs)
	return folder{abs, root}, err
}

func (f folder) close() { f.root.Close() }

// plain reports an error unless every element of the path is a folder and the last is an
// ordinary file (or, with dir, a folder).
func (f folder) plain(name string, dir bool) (fs.FileInfo, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%q leaves the case folder: refused", name)
	}
	var info fs.FileInfo
	parts := strings.Split(path.Clean(name), "/")
	for i := range parts {
		var err error
		if info, err = f.root.Lstat(path.Join(parts[:i+1]...)); err != nil {
			return nil, err
		}
		if last := i == len(parts)-1; last && !dir && !info.Mode().IsRegular() || (!last || dir) && !info.IsDir() {
			return nil, errLink
		}
	}
	return info, nil
}

// open opens an ordinary file for reading.
func (f folder) open(name string) (*os.File, error) {
	if _, err := f.plain(name, false); err != nil {
		return nil, err
	}
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, errors.Join(errLink, err)
	}
	return file, nil
}

// read gives a whole file of at most max bytes.
func (f folder) read(name string, max int64) ([]byte, error) {
	file, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, max+1))
	if err == nil && int64(len(text)) > max {
		err = fmt.Errorf("is larger than %d bytes: not read", max)
	}
	return text, err
}

// maxNames bounds a folder's listing: no case has a million sources or tables.
const maxNames = 1_000_000

// list gives a folder's entries.
func (f folder) list(name string) ([]fs.DirEntry, error) {
	if _, err := f.plain(name, true); err != nil {
		return nil, err
	}
	d, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	list, err := d.ReadDir(maxNames)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return list, err
}

// lockShared keeps commands that write tables out while the check runs, where the folder
// has a lock file. busy says that one is writing now.
func (f folder) lockShared() (unlock func(), busy bool) {
	file, err := f.open(".lock")
	if err != nil {
		return func() {}, false
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return func() { file.Close() }, errors.Is(err, syscall.EWOULDBLOCK)
}
