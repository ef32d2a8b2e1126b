package intake

import (
	"fmt"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/asterisk"
	"github.com/unspoof/unspoof/internal/intake/dump/bson"
	"github.com/unspoof/unspoof/internal/intake/dump/delimited"
	"github.com/unspoof/unspoof/internal/intake/dump/etsi"
	"github.com/unspoof/unspoof/internal/intake/dump/freeswitch"
	"github.com/unspoof/unspoof/internal/intake/dump/jsonl"
	"github.com/unspoof/unspoof/internal/intake/dump/mysqldump"
	"github.com/unspoof/unspoof/internal/intake/dump/mysqltab"
	"github.com/unspoof/unspoof/internal/intake/dump/mysqlxml"
	"github.com/unspoof/unspoof/internal/intake/dump/parquetfile"
	"github.com/unspoof/unspoof/internal/intake/dump/pcap"
	"github.com/unspoof/unspoof/internal/intake/dump/pgdump"
	"github.com/unspoof/unspoof/internal/intake/dump/sqlitefile"
	"github.com/unspoof/unspoof/internal/intake/dump/xlsx"
	"github.com/unspoof/unspoof/internal/store"
)

// Formats lists the readers, in the order in which they are asked.
func Formats() []dump.Format {
	return []dump.Format{
		// by their magic bytes
		pcap.Format(), parquetfile.Format(), sqlitefile.Format(), pgdump.CustomFormat(), xlsx.Format(), bson.Format(),
		// by what stands in them, the particular before the general
		freeswitch.Format(), etsi.Format(), mysqlxml.Format(), pgdump.Format(), mysqldump.Format(), jsonl.Format(),
		asterisk.Format(), mysqltab.Format(), delimited.Format(),
	}
}

// formatOf finds the reader that read a source.
func formatOf(s store.Source) (dump.Format, error) {
	for _, f := range Formats() {
		if f.Name == s.Format {
			return f, nil
		}
	}
	return dump.Format{}, fmt.Errorf("source %s was read by %q, which this program does not have", s.ID.Short(), s.Format)
}
