// Package ahead reads a stream in a goroutine of its own, ahead of whoever reads it: so that
// decompressing, hashing and copying go on while rows are looked for. Sealing (evidence) and
// unpacking (container) say what is done to make a block; this package hands the blocks over.
package ahead

import (
	"context"
	"io"
)

// BlockSize is how many bytes a block has at most.
const BlockSize = 1 << 20

// Reader gives the bytes that a function makes. It is used by one goroutine.
type Reader struct {
	blocks    chan block
	free      chan []byte
	stop      context.CancelFunc
	cur, rest []byte
	err       error
}

type block struct {
	data []byte
	err  error
}

// Start begins to call fill in a goroutine, until it gives an error; the bytes before it are
// handed on, and then the error: io.EOF at the end. fill fills the block it is given and ends
// when its context does. done, which may be nil, is called in that goroutine at its end.
func Start(ctx context.Context, fill func(ctx context.Context, block []byte) (int, error), done func()) *Reader {
	ctx, stop := context.WithCancel(ctx)
	r := &Reader{blocks: make(chan block, 4), free: make(chan []byte, 6), stop: stop}
	for range cap(r.free) {
		r.free <- nil
	}
	go r.pump(ctx, fill, done)
	return r
}

func (r *Reader) pump(ctx context.Context, fill func(context.Context, []byte) (int, error), done func()) {
	defer close(r.blocks)
	if done != nil {
		defer done()
	}
	for {
		var b block
		select {
		case b.data = <-r.free:
		case <-ctx.Done():
		}
		if b.data == nil {
			b.data = make([]byte, BlockSize)
		}
		n := 0
		if b.err = ctx.Err(); b.err == nil {
			n, b.err = fill(ctx, b.data[:BlockSize])
		}
		b.data = b.data[:n]
		select {
		case r.blocks <- b:
		case <-ctx.Done():
			return
		}
		if b.err != nil {
			return
		}
	}
}

// Read gives the stream's bytes.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.cur != nil {
			select {
			case r.free <- r.cur[:cap(r.cur)]:
			default: // the one made to say that the context ended
			}
			r.cur = nil
		}
		if r.err != nil {
			return 0, r.err
		}
		b, ok := <-r.blocks
		if !ok {
			return 0, context.Canceled
		}
		r.err = b.err
		r.cur, r.rest = b.data, b.data
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Err is the error that ends the stream before its end, as far as it is known yet.
func (r *Reader) Err() error {
	if r.err == io.EOF {
		return nil
	}
	return r.err
}

// Close ends the reading, and returns when the goroutine has ended. It may be called twice.
func (r *Reader) Close() {
	r.stop()
	for range r.blocks { // until it is closed
	}
}

// Fill is io.ReadFull with io.EOF at the end, and with any other error as it is.
func Fill(r io.Reader, p []byte) (n int, err error) {
	for idle := 0; n < len(p) && err == nil; {
		var m int
		m, err = r.Read(p[n:])
		if n += m; m > 0 {
			idle = 0
		} else if idle++; idle > 1000 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}
