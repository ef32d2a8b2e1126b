// Package evidence seals files: it copies a file into the case while hashing it, in the same
// pass in which a reader reads it, and keeps the copy read-only under its SHA-256. The
// original is opened for reading only and never changed.
//
// A sealing has two halves: [Open] gives a reader over the original, which copies and hashes
// what it reads; [Sealing.Finish] drains it, checks that the original did not change
// meanwhile, and puts the copy in place. [OpenStream] does the same for a content that is no
// file, such as a container's member, and [Again] for content that is sealed already. Making
// the seal known (the ledger entry and the source's record) is the caller's, in that order:
// see intake.Add.
package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/intake/ahead"
	"github.com/unspoof/unspoof/internal/store"
)

// Sealing is a content on its way into the case.
type Sealing struct {
	c      *store.Case
	src    io.Reader
	file   *os.File    // the original, where it is a file
	before fs.FileInfo // of file
	again  casefile.SourceID
	copy   *os.File // nil: there is nothing to write
	temp   string   // the copy's path until Finish
	ahead  *ahead.Reader
	sum    hash.Hash
	read   atomic.Int64
}

// flushSize is how much is copied before the disk is asked to begin writing it.
const flushSize = 8 << 20

// OriginalError is the fault of an original, not of the case: it cannot be opened or read, or
// it changed meanwhile.
type OriginalError struct{ Err error }

func (e *OriginalError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *OriginalError) Unwrap() error { return e.Err }

// OpenOriginal opens a file that may be hostile: nothing but a regular file, and no link.
func OpenOriginal(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, &OriginalError{err}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, nil, &OriginalError{err}
	}
	return f, info, nil
}

// Open begins the sealing of a file. With link the sealed copy is a hard link to the
// original where the file system allows it: no second copy on disk, but whoever can write
// to the original can then write to the seal, which verify would show.
func Open(ctx context.Context, c *store.Case, path string, link bool) (*Sealing, error) {
	f, info, err := OpenOriginal(path)
	if err != nil {
		return nil, err
	}
	s := &Sealing{c: c, src: f, file: f, before: info}
	if err := s.place(); err != nil {
		f.Close()
		return nil, err
	}
	if link {
		s.copy.Close()
		s.copy = nil
		err := os.Remove(s.temp)
		if err == nil {
			err = os.Link(path, s.temp)
		}
		if err == nil {
			if linked, lerr := os.Lstat(s.temp); lerr != nil || !os.SameFile(info, linked) {
				err = errors.Join(errors.New("another file took its place"), lerr)
			}
		}
		if err != nil {
			f.Close()
			os.Remove(s.temp)
			return nil, fmt.Errorf("%s cannot be linked into the case (leave out the link option to copy it): %w", path, err)
		}
	}
	s.start(ctx)
	return s, nil
}

// OpenStream begins the sealing of what r gives.
func OpenStream(ctx context.Context, c *store.Case, r io.Reader) (*Sealing, error) {
	s := &Sealing{c: c, src: r}
	if err := s.place(); err != nil {
		return nil, err
	}
	s.start(ctx)
	return s, nil
}

// Again reads a sealed content again; Finish fails if it is not what was sealed.
func Again(ctx context.Context, c *store.Case, id casefile.SourceID) (*Sealing, error) {
	f, info, err := OpenOriginal(c.SourcePath(id))
	if err != nil {
		return nil, err
	}
	s := &Sealing{c: c, src: f, file: f, before: info, again: id}
	s.start(ctx)
	return s, nil
}

func (s *Sealing) place() (err error) {
	s.copy, err = os.CreateTemp(filepath.Join(s.c.Dir, "sources"), ".sealing-*")
	if err == nil {
		s.temp = s.copy.Name()
	}
	return err
}

func (s *Sealing) start(ctx context.Context) {
	s.sum = sha256.New()
	unflushed := 0
	s.ahead = ahead.Start(ctx, func(ctx context.Context, block []byte) (int, error) {
		n, err := ahead.Fill(s.src, block)
		if err != nil && err != io.EOF && s.file != nil && ctx.Err() == nil {
			err = &OriginalError{err}
		}
		s.sum.Write(block[:n])
		if s.copy != nil && n > 0 {
			if _, werr := s.copy.Write(block[:n]); werr != nil {
				err = fmt.Errorf("copy into the case: %w", werr)
			}
			if unflushed += n; unflushed >= flushSize {
				// A hint to begin writing back, so that the sync at the end has little left; what
				// it fails at, that sync reports.
				unix.SyncFileRange(int(s.copy.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) //nolint:errcheck
				unflushed = 0
			}
		}
		s.read.Add(int64(n))
		return n, err
	}, nil)
}

// Read gives the content's bytes.
func (s *Sealing) Read(p []byte) (int, error) { return s.ahead.Read(p) }

// Err is the error that ended the reading before the content's end; nil: there was none yet.
func (s *Sealing) Err() error { return s.ahead.Err() }

// Done is how many bytes have been read, hashed and copied.
func (s *Sealing) Done() int64 { return s.read.Load() }

// Finish reads what is left, and puts the sealed copy in place under its hash.
func (s *Sealing) Finish() (casefile.SourceID, int64, error) {
	if _, err := io.Copy(io.Discard, struct{ io.Reader }{s}); err != nil {
		return "", 0, err
	}
	n := s.read.Load()
	if s.file != nil {
		after, err := s.file.Stat()
		if err != nil {
			return "", 0, err
		}
		if n != s.before.Size() || !after.ModTime().Equal(s.before.ModTime()) || after.Size() != n {
			return "", 0, &OriginalError{fmt.Errorf("%s changed while it was being sealed", s.file.Name())}
		}
	}
	id := casefile.SourceID(hex.EncodeToString(s.sum.Sum(nil)))
	if s.again != "" {
		if id != s.again {
			return "", 0, fmt.Errorf("the sealed content of source %s was altered: its SHA-256 is now %s", s.again, id)
		}
		return id, n, nil
	}
	home := s.c.SourcePath(id)
	if _, err := os.Lstat(home); err == nil { // sealed before, or by an interrupted command
		return id, n, nil
	}
	if s.copy != nil {
		if err := s.copy.Sync(); err != nil {
			return "", 0, err
		}
	}
	if err := os.Chmod(s.temp, 0o400); err != nil {
		return "", 0, err
	}
	if err := os.Rename(s.temp, home); err != nil {
		return "", 0, err
	}
	s.temp = ""
	return id, n, store.SyncDir(filepath.Dir(home))
}

// Close ends the sealing; what Finish has not put in place is removed.
func (s *Sealing) Close() {
	s.ahead.Close()
	if s.file != nil {
		s.file.Close()
	}
	if s.copy != nil {
		s.copy.Close()
	}
	if s.temp != "" {
		os.Remove(s.temp)
	}
}

// EncodeRecord is the content of a source's record file.
func EncodeRecord(s store.Source) ([]byte, error) {
	text, err := json.MarshalIndent(s, "", " ")
	return append(text, '\n'), err
}

// Hash gives the SHA-256 of a file, and tells how many bytes it has read.
func Hash(ctx context.Context, path string, done *atomic.Int64) (casefile.SourceID, error) {
	f, _, err := OpenOriginal(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	buf := make([]byte, ahead.BlockSize)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		done.Add(int64(n))
		if err == io.EOF {
			return casefile.SourceID(hex.EncodeToString(h.Sum(nil))), nil
		}
		if err != nil {
			return "", &OriginalError{err}
		}
	}
}

// Clean removes what interrupted sealings left behind; call it with the case locked.
func Clean(c *store.Case) error {
	left, err := filepath.Glob(filepath.Join(c.Dir, "sources", ".sealing-*"))
	if err != nil {
		return err
	}
	for _, p := range left {
		if err := os.Remove(p); err != nil {
			return err
		}
	}
	return nil
}
