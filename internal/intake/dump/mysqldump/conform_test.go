package mysqldump

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
	for name, body := range map[string]string{
		"lines":    "INSERT INTO `t` VALUES\n(1,'it\\'s; (1,\\n'),\n(2,NULL),\n(3,''),\n(4,'caf\xc3\xa9');\n",
		"one line": "INSERT INTO `t` VALUES (1,'it\\'s; (1,\\n'),(2,NULL),(3,''),(4,'caf\xc3\xa9');\n",
		"columns":  "INSERT INTO `t` (`s`, `id`) VALUES ('it\\'s; (1,\\n',1),(NULL,2),('',3),('caf\xc3\xa9',4);\n",
		"spaces":   "INSERT INTO `t` (`id`, `s`) VALUES\n(1, 'it\\'s; (1,\\n'),\n(2, NULL),\n(3, ''),\n( 4 , 'caf\xc3\xa9' );\n",
		"calls":    "INSERT INTO `t` (`id`, `s`) VALUES\n(1,\t'it\\'s; (1,\\n'),\n(2,\tNULL),\n(3,\tUNHEX('')),\n(4,\tUNHEX('636166C3A9'))\nON DUPLICATE KEY UPDATE `id` = VALUES(`id`);\n",
		"each":     "INSERT INTO `t` VALUES (1,'it\\'s; (1,\\n');\nINSERT INTO `t` VALUES (2,NULL);\nINSERT INTO `t` VALUES (3,'');\nINSERT INTO `t` VALUES (4,'caf\xc3\xa9');\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := dumptest.Case{
				Format: Format(),
				Write: func(testing.TB) []dumptest.File {
					return []dumptest.File{{Name: "fp.sql", Content: []byte(head + body + foot)}}
				},
				Want: []dumptest.Row{
					{Table: "t", Ordinal: 1, Cells: []string{"1", "it's; (1,\n"}},
					{Table: "t", Ordinal: 2, Cells: []string{"2", "<null>"}},
					{Table: "t", Ordinal: 3, Cells: []string{"3", ""}},
					{Table: "t", Ordinal: 4, Cells: []string{"4", "café"}},
				},
				Segment: func(size int) dump.Format {
					f := Format()
					f.Stream = func(ctx context.Context, r io.Reader, _ string, sink dump.Sink) error {
						return Read(ctx, r, sink, Options{Segment: size})
					}
					return f
				},
			}
			if name == "lines" {
				c.Large = func(t testing.TB, path string) int64 {
					f, err := os.Create(path)
					if err != nil {
						t.Fatal(err)
					}
					w := bufio.NewWriter(f)
					const n = 2_000_000
					fmt.Fprint(w, head, "INSERT INTO `t` VALUES\n")
					for i := range n {
						fmt.Fprintf(w, "(%d,'+44%010d rang and left a word')%s\n", i, i, map[bool]string{true: ";", false: ","}[i == n-1])
					}
					fmt.Fprint(w, foot)
					if err := w.Flush(); err != nil {
						t.Fatal(err)
					}
					if err := f.Close(); err != nil {
						t.Fatal(err)
					}
					return n
				}
			}
			dumptest.Conform(t, c)
		})
	}
}
