package segment_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/mysqldump"
)

// late is a sink that has its batches looked at by others, which release them out of order.
type late struct {
	t     *testing.T
	mu    sync.Mutex
	rows  int
	held  chan *dump.Batch
	ended sync.WaitGroup
}

func (l *late) work() {
	defer l.ended.Done()
	var kept []*dump.Batch
	look := func(b *dump.Batch) {
		for i := range b.Rows {
			id, text := b.Cells(i)[0].In(b.Text), b.Cells(i)[1].In(b.Text)
			if want := fmt.Sprintf("%s of table %s", id, b.Table.Name); string(text) != want || string(id) != fmt.Sprint(b.FirstRow+int64(i)) {
				l.t.Errorf("row %d of table %s holds %s, %q", b.FirstRow+int64(i), b.Table.Name, id, text)
			}
		}
		l.mu.Lock()
		l.rows += len(b.Rows)
		l.mu.Unlock()
		b.Release()
	}
	for b := range l.held {
		if kept = append(kept, b); len(kept) == 3 {
			look(kept[2])
			look(kept[0])
			kept = []*dump.Batch{kept[1]}
		}
	}
	for _, b := range kept {
		look(b)
	}
}

func (l *late) Rows(b *dump.Batch) error {
	if len(b.Rows) > 0 {
		l.held <- b
	}
	return nil
}
func (l *late) Damage(d dump.Damage) error     { l.t.Errorf("damage: %+v", d); return nil }
func (l *late) Statement(dump.Statement) error { return nil }

// What a batch holds stays as it is until the batch is released, whatever is read meanwhile.
func TestBatchesStayUntilReleased(t *testing.T) {
	var text strings.Builder
	const tables, rows = 3, 5000
	for i := range tables {
		fmt.Fprintf(&text, "CREATE TABLE `t%d` (`id` int, `what` varchar(99));\n", i)
	}
	for from := 0; from < rows; from += 20 {
		for i := range tables {
			fmt.Fprintf(&text, "INSERT INTO `t%d` VALUES ", i)
			for k := range 20 {
				fmt.Fprintf(&text, "%s(%d,'%d of table t%d')", strings.Repeat(",", min(k, 1)), from+k+1, from+k+1, i)
			}
			text.WriteString(";\n")
		}
	}
	text.WriteString("-- Dump completed\n")
	l := &late{t: t, held: make(chan *dump.Batch)}
	for range 4 {
		l.ended.Add(1)
		go l.work()
	}
	if err := mysqldump.Read(context.Background(), strings.NewReader(text.String()), l, mysqldump.Options{Segment: 3000}); err != nil {
		t.Fatal(err)
	}
	close(l.held)
	l.ended.Wait()
	if l.rows != tables*rows {
		t.Errorf("%d rows, want %d", l.rows, tables*rows)
	}
}
