// Package ledger is the append-only, tamper-evident log of every act in a case: seal, map, build,
// view, judge, export. It lives in the case's SQLite database, so an act's own changes and the
// entry that records them are committed in one transaction or not at all.
//
// The entries are the leaves of an RFC 6962 Merkle tree. A checkpoint is a signed statement of the
// tree's size and root. Whoever holds one can be shown that an entry is in the tree (inclusion
// proof) and that a later tree only adds to an earlier one (consistency proof), with tools nobody
// here wrote: Export writes the C2SP tlog-tiles layout and Proof the C2SP tlog-proof form.
//
// Words: an act is what somebody does; an entry is its record, numbered from 0 by seq; the origin
// names the log, one to a case; a checkpoint is a signed tree head; a refused act is an entry too.
//
// Limits. Tampering is shown, not prevented. Entries after the last checkpoint are covered by no
// signature. A database set back as a whole to an earlier state, or written anew by someone who has
// the key, is shown only by a checkpoint held somewhere else: hand checkpoints out. The time in an
// entry is what the machine's clock said; only seq gives the order. Entries cannot be deleted, and a
// log is disclosed: keep personal data out of them, and name such values by hash or by Digest.
//
// An entry is at most MaxBody bytes. The log fails closed: what cannot be recorded does not happen.
// A read is recorded before its first byte is sent. Work outside the database (files, DuckDB)
// writes an Intent entry before and an entry that answers it after; Unfinished finds those that
// were never answered.
//
// Reading order: act.go (what an entry says), tree.go (the Merkle tree), log.go (how it is written),
// tx.go (what an act may do), reader.go, proof.go, checkpoint.go, export.go, check.go; db.go, key.go and
// statements.go at the edges. DESIGN.md gives the reasons, the threats and the byte formats.
package ledger

import "errors"

var (
	// ErrUnwritable is wrapped by every error that means the log itself could not be written: nothing
	// was kept, and whoever needs a record must not go on. A full disk and a closed Log are examples.
	ErrUnwritable = errors.New("the ledger cannot be written")
	// ErrInvalid is wrapped when an act, a name or a range cannot be accepted as given.
	ErrInvalid = errors.New("invalid for the ledger")
	// ErrCorrupt is wrapped when stored data contradict each other, a signature or a checkpoint.
	ErrCorrupt = errors.New("the ledger is damaged or was altered")
	// ErrNotFound is wrapped when no such entry or checkpoint exists.
	ErrNotFound = errors.New("not in the ledger")
)
