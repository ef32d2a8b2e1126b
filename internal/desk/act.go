package desk

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/unspoof/unspoof/internal/ledger"
)

// LedgerEntry is one recorded act.
type LedgerEntry struct {
	Seq     int64
	Act     ledger.Act
	Details string // as JSON; empty when there are none
	Hash    string // the entry's leaf hash
}

// Ledger is one page of the ledger, newest entries first, and the last signed checkpoint.
type Ledger struct {
	Page       Page
	Entries    []LedgerEntry
	Origin     string
	Checkpoint string // the signed note; empty: none yet
	Covers     int64  // entries that the checkpoint covers
}

// Ledger shows who did what. That it was looked at is its newest entry.
func (d *Desk) Ledger(ctx context.Context, p Person, number int) (Ledger, error) {
	a := Asked{Action: SeeLedger, Object: "page:ledger", Details: map[string]any{"page": number}}
	return look(ctx, d, p, a, func(ctx context.Context) (Ledger, error) {
		l := Ledger{Page: page(number), Origin: d.log.Origin()}
		var err error
		if l.Page.Total, err = d.log.Size(ctx); err != nil {
			return l, err
		}
		if l.Page.Number > l.Page.Last() {
			return l, ErrNotFound
		}
		end := l.Page.Total - l.Page.offset()
		for e, err := range d.log.Entries(ctx, max(0, end-int64(l.Page.Size)), end) {
			if err != nil {
				return l, err
			}
			act, err := e.Act()
			if err != nil {
				return l, err
			}
			hash := e.Hash()
			v := LedgerEntry{Seq: e.Seq, Act: act, Hash: hex.EncodeToString(hash[:])}
			if len(act.Details) > 0 {
				text, err := json.Marshal(act.Details)
				if err != nil {
					return l, err
				}
				v.Details = string(text)
			}
			l.Entries = append([]LedgerEntry{v}, l.Entries...)
		}
		cp, err := d.log.LastCheckpoint(ctx)
		if errors.Is(err, ledger.ErrNotFound) {
			return l, nil
		}
		l.Checkpoint, l.Covers = string(cp.Note), cp.Size
		return l, err
	})
}
