package synth

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
)

//go:embed schema.sql
var schemaSQL string

// readSchema gives the CREATE TABLE statement of every table.
func readSchema() map[string]string {
	ddl := map[string]string{}
	for stmt := range strings.SplitSeq(schemaSQL, "\n\n") {
		name := strings.Split(stmt, "`")[1]
		ddl[name] = strings.TrimSpace(stmt)
	}
	return ddl
}

// table is what one table of the dump is made from.
type table struct {
	name string
	rows int64
	// row appends row i to the block. It is called by several goroutines at once, each with
	// its own block, and must depend on i alone.
	row func(b *block, i int64)
	// seen, where set, gets every block in order, before its rows are written.
	seen func(b *block) error
	// noAutoIncrement marks a table without a generated id.
	noAutoIncrement bool
	// trigger is SQL text that stands behind the table's rows.
	trigger string
}

const (
	blockRows = 8192
	// mariadb-dump starts a new INSERT when a statement would reach its net_buffer_length.
	netBufferLength = 1046528
)

const dumpHeader = `/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: mbilling
-- ------------------------------------------------------
-- Server version	10.11.19-MariaDB-0+deb12u1

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
`

const dumpTrailer = `/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2022-11-08 10:41:27
`

// dumper writes tables in mariadb-dump's format.
type dumper struct {
	f     *os.File
	w     *bufio.Writer
	bytes int64
	// rows is called with the number of rows just written.
	rows func(n int64)
}

func newDumper(path string, rows func(n int64)) (*dumper, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	d := &dumper{f: f, w: bufio.NewWriterSize(f, 1<<20), rows: rows}
	d.text(dumpHeader)
	return d, nil
}

func (d *dumper) text(s string) {
	n, _ := d.w.WriteString(s) // bufio keeps the first error; close reports it
	d.bytes += int64(n)
}

func (d *dumper) write(p []byte) {
	n, _ := d.w.Write(p) // as in text
	d.bytes += int64(n)
}

// close writes the trailer and reports the first error of all that was written.
func (d *dumper) close() error {
	d.text(dumpTrailer)
	if err := d.w.Flush(); err != nil {
		d.f.Close()
		return err
	}
	return d.f.Close()
}

// table writes one table: structure, rows, triggers.
func (d *dumper) table(ctx context.Context, ddl string, t table) error {
	if t.rows > 0 && !t.noAutoIncrement {
		ddl = strings.Replace(ddl, "ENGINE=InnoDB ", fmt.Sprintf("ENGINE=InnoDB AUTO_INCREMENT=%d ", t.rows+1), 1)
	}
	q := "`" + t.name + "`"
	d.text("\n--\n-- Table structure for table " + q + "\n--\n\nDROP TABLE IF EXISTS " + q + ";\n" +
		"/*!40101 SET @saved_cs_client     = @@character_set_client */;\n" +
		"/*!40101 SET character_set_client = utf8mb4 */;\n" + ddl + "\n" +
		"/*!40101 SET character_set_client = @saved_cs_client */;\n\n" +
		"--\n-- Dumping data for table " + q + "\n--\n\nLOCK TABLES " + q + " WRITE;\n" +
		"/*!40000 ALTER TABLE " + q + " DISABLE KEYS */;\n")
	if err := d.inserts(ctx, t); err != nil {
		return fmt.Errorf("table %s: %w", t.name, err)
	}
	d.text("/*!40000 ALTER TABLE " + q + " ENABLE KEYS */;\nUNLOCK TABLES;\n" + t.trigger)
	return nil
}

// inserts makes the rows in parallel and writes them in order.
func (d *dumper) inserts(ctx context.Context, t table) error {
	insert := "INSERT INTO `" + t.name + "` VALUES\n"
	length := netBufferLength // of the open statement; full, so that the first row opens one
	open := false
	err := inOrder(ctx, t.rows, t.row, func(b *block) error {
		if t.seen != nil {
			if err := t.seen(b); err != nil {
				return err
			}
		}
		begin, last := 0, int32(0)
		for k, end := range b.ends {
			n := int(end-last) + 2
			if k > 0 {
				n -= 2 // the separator behind the row before
			}
			if length+n < netBufferLength {
				if k == 0 {
					d.text(",\n")
				}
				length += n
			} else {
				if k > 0 {
					d.write(b.buf[begin:last])
					begin = int(last) + 2
				}
				if open {
					d.text(";\n")
				}
				d.text(insert)
				open = true
				length = n + len(insert) + 3
			}
			last = end
		}
		d.write(b.buf[begin:last])
		d.rows(b.hi - b.lo)
		return nil
	})
	if open {
		d.text(";\n")
	}
	return err
}

// inOrder makes rows 0..rows-1 in blocks on all processors and hands the blocks to use one
// after another, in order.
func inOrder(ctx context.Context, rows int64, row func(*block, int64), use func(*block) error) error {
	blocks := int((rows + blockRows - 1) / blockRows)
	workers := min(runtime.GOMAXPROCS(0), blocks)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	type lane struct{ free, full chan *block }
	lanes := make([]lane, workers)
	for w := range lanes {
		l := lane{make(chan *block, 2), make(chan *block, 2)}
		l.free <- &block{}
		l.free <- &block{}
		lanes[w] = l
		wg.Go(func() {
			for k := w; k < blocks; k += workers {
				var b *block
				select {
				case b = <-l.free:
				case <-ctx.Done():
					return
				}
				lo := int64(k) * blockRows
				b.reset(lo, min(lo+blockRows, rows))
				for i := b.lo; i < b.hi; i++ {
					row(b, i)
				}
				l.full <- b
			}
		})
	}
	for k := range blocks {
		l := lanes[k%workers]
		select {
		case b := <-l.full:
			if err := use(b); err != nil {
				return err
			}
			l.free <- b
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
