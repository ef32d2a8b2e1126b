package pgdump

import (
	"bytes"
	"context"
	"fmt"
	"testing"
)

// BenchmarkRead reads COPY data and INSERTs from memory.
func BenchmarkRead(b *testing.B) {
	for _, style := range []string{"copy", "inserts"} {
		b.Run(style, func(b *testing.B) {
			var text bytes.Buffer
			text.WriteString(head0)
			if style == "copy" {
				text.WriteString("COPY public.t FROM stdin;\n")
			}
			for i := range 400_000 {
				if style == "copy" {
					fmt.Fprintf(&text, "%d\t+44%010d rang and left a word\t\\\\x00%02x\t\\N\n", i, i, i%256)
				} else {
					fmt.Fprintf(&text, "INSERT INTO public.t VALUES (%d, '+44%010d', '\\x00%02x', NULL);\n", i, i, i%256)
				}
			}
			if style == "copy" {
				text.WriteString("\\.\n")
			}
			text.WriteString(foot0)
			b.SetBytes(int64(text.Len()))
			for b.Loop() {
				if err := Read(context.Background(), bytes.NewReader(text.Bytes()), nowhere{}, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
