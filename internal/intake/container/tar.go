package container

import (
	"archive/tar"
	"errors"
	"io"
)

// tar goes through a tar file.
func (r *Reader) tar() func() (Member, func() (io.Reader, error), error) {
	t := tar.NewReader(r.file)
	return func() (Member, func() (io.Reader, error), error) {
		h, err := t.Next()
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // names are checked by Next
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = errShort
			}
			return Member{}, nil, err
		}
		m := Member{Name: h.Name, Size: h.Size, Packed: h.Size, Modified: h.ModTime}
		switch h.Typeflag {
		case tar.TypeDir, tar.TypeXGlobalHeader:
			return m, nil, nil
		case tar.TypeReg, tar.TypeGNUSparse, '7': // 7: contiguous, a regular file
		case tar.TypeSymlink, tar.TypeLink:
			m.Refused = "is a link"
		case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
			m.Refused = "is a device or a pipe"
		default:
			m.Refused = "is neither a file nor a folder"
		}
		return m, func() (io.Reader, error) { return t, nil }, nil
	}
}

// tarHeader reports whether head begins with a tar header: its checksum holds.
func tarHeader(head []byte) bool {
	if len(head) < 512 {
		return false
	}
	want, digits := int64(0), 0
	for _, c := range head[148:156] {
		if c >= '0' && c <= '7' {
			want, digits = want*8+int64(c-'0'), digits+1
		} else if c != ' ' && c != 0 {
			return false
		}
	}
	sum, signed := int64(0), int64(0)
	for i, c := range head[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum, signed = sum+int64(c), signed+int64(int8(c))
	}
	return digits > 0 && (want == sum || want == signed) && head[0] != 0
}
