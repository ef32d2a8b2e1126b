package delimited

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/dumptest"
)

func TestConform(t *testing.T) {
	dumptest.Conform(t, dumptest.Case{
		Format: Format(),
		Write: func(testing.TB) []dumptest.File {
			return []dumptest.File{{Name: "calls.csv", Content: []byte("\xef\xbb\xbfid,who,\"what, then\"\r\n1,+443457404404,\"said \"\"hi\"\",\r\nleft\"\r\n2,,\"\"\r\n3,caf\xc3\xa9,x\r\n")}}
		},
		Want: []dumptest.Row{
			{Table: "calls", Ordinal: 1, Cells: []string{"1", "+443457404404", "said \"hi\",\r\nleft"}},
			{Table: "calls", Ordinal: 2, Cells: []string{"2", "", ""}},
			{Table: "calls", Ordinal: 3, Cells: []string{"3", "café", "x"}},
		},
		Segment: func(size int) dump.Format {
			f := Format()
			f.Stream = func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
				return Read(ctx, r, sink, Options{Table: "calls", Segment: size})
			}
			return f
		},
		Large: func(t testing.TB, path string) int64 {
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			w := bufio.NewWriter(f)
			const n = 1_500_000
			fmt.Fprintln(w, "id,called,started,note")
			for i := range n {
				fmt.Fprintf(w, "%d,+44%010d,2022-07-01 11:00:00,\"call, %d\"\n", i, i, i)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			return n
		},
		Unmarked: true,
	})
}
