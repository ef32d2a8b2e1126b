package mysqldump

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// nowhere is a sink that keeps nothing.
type nowhere struct{}

func (nowhere) Rows(*dump.Batch) error         { return nil }
func (nowhere) Damage(dump.Damage) error       { return nil }
func (nowhere) Statement(dump.Statement) error { return nil }

// BenchmarkRead reads rows one a line, as MariaDB writes them, and behind each other, as MySQL
// does, from memory.
func BenchmarkRead(b *testing.B) {
	for _, style := range []string{"lines", "long"} {
		b.Run(style, func(b *testing.B) {
			var text bytes.Buffer
			text.WriteString("CREATE TABLE `t` (`id` int, `who` varchar(99), `raw` varchar(9), `x` int);\n")
			for i := range 400_000 {
				switch {
				case i%4000 == 0:
					text.WriteString("INSERT INTO `t` VALUES ")
				case style == "lines":
					text.WriteString(",\n")
				default:
					text.WriteString(",")
				}
				fmt.Fprintf(&text, "(%d,'+44%010d rang and left a word','\\\\x00%02x',NULL)", i, i, i%256)
				if i%4000 == 3999 {
					text.WriteString(";\n")
				}
			}
			text.WriteString("-- Dump completed\n")
			b.SetBytes(int64(text.Len()))
			for b.Loop() {
				if err := Read(context.Background(), bytes.NewReader(text.Bytes()), nowhere{}, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
