package mysqldump

import (
	"errors"
	"fmt"
	"io"

	"github.com/unspoof/unspoof/internal/intake/dump"
)

// ReadRow reads the one row that begins at offset: its original text and where its cells
// lie in it, in the order of the statement.
func ReadRow(r io.ReaderAt, offset int64) (text []byte, cells []dump.Field, err error) {
	for size := 64 << 10; ; size *= 8 {
		buf := make([]byte, size)
		n, err := r.ReadAt(buf, offset)
		if err != nil && err != io.EOF {
			return nil, nil, err
		}
		buf = buf[:n]
		if n == 0 {
			return nil, nil, errors.New("the offset is behind the end of the source")
		}
		cells, next, scanErr := scanRow(buf, 0, nil)
		if scanErr == nil {
			return buf[:next], cells, nil
		}
		if scanErr != errMore || err == io.EOF || size >= dump.MaxSegment {
			return nil, nil, fmt.Errorf("no row begins at offset %d: %w", offset, scanErr)
		}
	}
}
