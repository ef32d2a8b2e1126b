// Package evidence seals files: it copies a file into the case while hashing it, in the same
// pass in which a reader reads it, and keeps the copy read-only under its SHA-256. The
// original is opened for reading only and never changed.
//
// A sealing has two halves: [Open] gives a reader over the original, which copies and hashes
// what it reads; [Sealing.Finish] drains it, checks that the original did not change
// meanwhile, and puts the copy in place. Making the seal known (the ledger entry and the
// source's record) is the caller's, in that order: see intake.Add.
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

	"github.com/unspoof/unspoof/internal/casefile"
	"github.com/unspoof/unspoof/internal/store"
)

// Sealing is a file on its way into the case.
type Sealing struct {
	c      *store.Case
	src    *os.File
	before fs.FileInfo
	copy   *os.File
	blocks chan block
	free   chan []byte
	cur    []byte
	rest   []byte
	err    error
	sum    hash.Hash
	read   atomic.Int64
	stop   context.CancelFunc
	path   string
	link   bool
}

type block struct {
	data []byte
	err  error
}

const blockSize = 1 << 20

// Open begins the sealing of a file. With link the sealed copy is a hard link to the
// original where the file system allows it: no second copy on disk, but whoever can write
// to the original can then write to the seal, which verify would show.
func Open(ctx context.Context, c *store.Case, path string, link bool) (*Sealing, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder: name the files in it", path)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	src, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &Sealing{c: c, src: src, before: info, sum: sha256.New(), path: path, link: link}
	s.copy, err = os.CreateTemp(filepath.Join(c.Dir, "sources"), ".sealing-*")
	if err != nil {
		src.Close()
		return nil, err
	}
	if link {
		os.Remove(s.copy.Name())
		if err := os.Link(path, s.copy.Name()); err != nil {
			return nil, errors.Join(fmt.Errorf("%s cannot be linked into the case (leave out the link option to copy it): %w", path, err), src.Close(), s.copy.Close())
		}
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.blocks, s.free = make(chan block, 4), make(chan []byte, 6)
	for range cap(s.free) {
		s.free <- make([]byte, blockSize)
	}
	go s.pump(ctx)
	return s, nil
}

// pump reads, hashes and copies, ahead of whoever reads from the Sealing.
func (s *Sealing) pump(ctx context.Context) {
	defer close(s.blocks)
	for {
		var buf []byte
		select {
		case buf = <-s.free:
		case <-ctx.Done():
			s.blocks <- block{err: ctx.Err()}
			return
		}
		n, err := io.ReadFull(s.src, buf[:blockSize])
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		s.sum.Write(buf[:n])
		if !s.link && n > 0 {
			if _, werr := s.copy.Write(buf[:n]); werr != nil {
				err = fmt.Errorf("copy into the case: %w", werr)
			}
		}
		s.read.Add(int64(n))
		select {
		case s.blocks <- block{buf[:n], err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// Read gives the original's bytes.
func (s *Sealing) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.cur != nil {
			s.free <- s.cur[:cap(s.cur)]
			s.cur = nil
		}
		if s.err != nil {
			return 0, s.err
		}
		b, ok := <-s.blocks
		if !ok {
			return 0, context.Canceled
		}
		s.err = b.err
		s.cur, s.rest = b.data, b.data
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Size is the original's size in bytes, Done how many have been read.
func (s *Sealing) Size() int64 { return s.before.Size() }

// Done is how many bytes have been read, hashed and copied.
func (s *Sealing) Done() int64 { return s.read.Load() }

// Finish reads what is left, and puts the sealed copy in place under its hash.
func (s *Sealing) Finish() (casefile.SourceID, int64, error) {
	size, err := io.Copy(io.Discard, struct{ io.Reader }{s})
	_ = size // counted by the pump
	if err != nil {
		return "", 0, err
	}
	n := s.read.Load()
	after, err := os.Stat(s.path)
	if err != nil {
		return "", 0, err
	}
	if n != s.before.Size() || !after.ModTime().Equal(s.before.ModTime()) || after.Size() != n {
		return "", 0, fmt.Errorf("%s changed while it was being sealed", s.path)
	}
	id := casefile.SourceID(hex.EncodeToString(s.sum.Sum(nil)))
	home := s.c.SourcePath(id)
	if err := s.copy.Sync(); err != nil {
		return "", 0, err
	}
	if _, err := os.Lstat(home); err == nil {
		return id, n, os.Remove(s.copy.Name()) // sealed before
	}
	if err := os.Chmod(s.copy.Name(), 0o400); err != nil {
		return "", 0, err
	}
	if err := os.Rename(s.copy.Name(), home); err != nil {
		return "", 0, err
	}
	return id, n, store.SyncDir(filepath.Dir(home))
}

// Close ends the sealing; what Finish has not put in place is removed.
func (s *Sealing) Close() {
	s.stop()
	s.src.Close()
	s.copy.Close()
	os.Remove(s.copy.Name())
}

// EncodeRecord is the content of a source's record file.
func EncodeRecord(s store.Source) ([]byte, error) {
	text, err := json.MarshalIndent(s, "", " ")
	return append(text, '\n'), err
}

// Hash gives the SHA-256 of a file.
func Hash(ctx context.Context, path string) (casefile.SourceID, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	buf := make([]byte, blockSize)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			return casefile.SourceID(hex.EncodeToString(h.Sum(nil))), nil
		}
		if err != nil {
			return "", err
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
