package ledger

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed tree head: "at this size the log of this origin had this root".
type Checkpoint struct {
	Origin string
	Size   int64
	Hash   tlog.Hash
	Note   []byte // the signed note as issued; this is what to hand out, stamp and print
}

// OpenCheckpoint parses a signed note and checks that it carries a valid signature by one of the known keys.
func OpenCheckpoint(signed []byte, known note.Verifiers) (Checkpoint, error) {
	n, err := note.Open(signed, known)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w: %w", ErrCorrupt, err)
	}
	return parseCheckpoint(n.Text, signed)
}

// text is what gets signed: origin, size and base64 root, a line each. There are no extension lines.
func (c Checkpoint) text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + c.Hash.String() + "\n"
}

func parseCheckpoint(text string, signed []byte) (Checkpoint, error) {
	bad := func(what string) (Checkpoint, error) {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w: %s", ErrCorrupt, what)
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" {
		return bad("fewer than three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return bad(fmt.Sprintf("size %q", lines[1]))
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(raw) != tlog.HashSize {
		return bad(fmt.Sprintf("root %q", lines[2]))
	}
	return Checkpoint{Origin: lines[0], Size: size, Hash: tlog.Hash(raw), Note: signed}, nil
}

// unverified parses a stored note without checking any signature, and lists the signatures it claims.
func unverified(signed []byte) (Checkpoint, []note.Signature, error) {
	_, err := note.Open(signed, note.VerifierList())
	var unv *note.UnverifiedNoteError
	if !errors.As(err, &unv) {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint: %w: %v", ErrCorrupt, err)
	}
	c, err := parseCheckpoint(unv.Note.Text, signed)
	return c, unv.Note.UnverifiedSigs, err
}

// lastStored gives the newest stored checkpoint of at least the given size, its signatures unchecked.
func lastStored(ctx context.Context, q querier, origin string, least int64) (Checkpoint, []note.Signature, error) {
	var size int64
	var signed []byte
	err := q.QueryRowContext(ctx,
		`SELECT size, note FROM ledger_checkpoint WHERE size >= ? ORDER BY size DESC LIMIT 1`, least).Scan(&size, &signed)
	if errors.Is(err, sql.ErrNoRows) {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint of size %d or more: %w", least, ErrNotFound)
	}
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("read the last checkpoint: %w", err)
	}
	c, sigs, err := unverified(signed)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if c.Size != size || c.Origin != origin {
		return Checkpoint{}, nil, fmt.Errorf("%w: the checkpoint stored for %q at size %d says %q, %d",
			ErrCorrupt, origin, size, c.Origin, c.Size)
	}
	return c, sigs, nil
}

// extends fails unless the tree starts with the tree of the checkpoint. A log must never sign two trees of which
// neither starts with the other.
func extends(tree *frontier, c Checkpoint, r tlog.HashReader) error {
	if c.Size > tree.n {
		return fmt.Errorf("%w: %d entries are left of the %d that a checkpoint signed", ErrCorrupt, tree.n, c.Size)
	}
	if c.Size == 0 {
		return nil
	}
	p, err := tlog.ProveTree(tree.n, c.Size, r)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(p, tree.n, tree.root(), c.Size, c.Hash); err != nil {
		return fmt.Errorf("%w: the tree of size %d does not start with the one of size %d that a checkpoint signed", ErrCorrupt, tree.n, c.Size)
	}
	return nil
}

// checkOrigin accepts what may be both an origin and a key name in a signed note.
func checkOrigin(origin string) error {
	if origin == "" || !utf8.ValidString(origin) || strings.ContainsRune(origin, '+') ||
		strings.IndexFunc(origin, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) >= 0 {
		return fmt.Errorf("origin %q: %w: it must be a name without spaces, control characters and plus signs", origin, ErrInvalid)
	}
	return nil
}
