package bench

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
)

// writeLines writes n lines.
func writeLines(path string, n int, line func(i int) string) (err error) {
	f, err := os.Create(path) //nolint:gosec // the bench's own file
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range n {
		_, _ = w.WriteString(line(i)) // Flush has the error
		_ = w.WriteByte('\n')
	}
	return errors.Join(w.Flush(), f.Close())
}

// lineCounter counts the lines of a file that grows.
type lineCounter struct {
	path         string
	lines, bytes int64
	buf          []byte
}

// count reads on and is the number of whole lines.
func (c *lineCounter) count() (int64, error) {
	f, err := os.Open(c.path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	if c.buf == nil {
		c.buf = make([]byte, 1<<20)
	}
	for {
		n, err := f.ReadAt(c.buf, c.bytes)
		c.bytes += int64(n)
		c.lines += int64(bytes.Count(c.buf[:n], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return c.lines, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// hashFile hashes a file's lines. Where they are maps as Java writes them, {a=1, b=2}, the order of a map's fields does
// not count: neither side promises it.
func hashFile(path string, maps bool) (string, error) {
	f, err := os.Open(path) //nolint:gosec // the bench's own file
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if !maps {
		_, err := io.Copy(h, f)
		return hex.EncodeToString(h.Sum(nil)), err
	}
	for r := bufio.NewReaderSize(f, 1<<20); ; {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
		fields := strings.Split(strings.Trim(line, "{}\n"), ", ")
		slices.Sort(fields)
		_, _ = io.WriteString(h, strings.Join(fields, ", ")+"\n") // a hash takes everything
	}
}
