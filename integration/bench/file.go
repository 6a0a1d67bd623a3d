package bench

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// writeLines writes lines from one number up to another.
func writeLines(path string, from, to int, line func(i int) string) (err error) {
	f, err := os.Create(path) //nolint:gosec // the bench's own file
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := from; i < to; i++ {
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
// not count: neither side promises it. Nor does the order of lines where it is that of several tasks: inAnyOrder.
func hashFile(path string, maps, inAnyOrder bool) (string, error) {
	f, err := os.Open(path) //nolint:gosec // the bench's own file
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if !maps && !inAnyOrder {
		_, err := io.Copy(h, f)
		return hex.EncodeToString(h.Sum(nil)), err
	}
	sum := uint64(0) // of the lines' hashes: the same in any order
	for r := bufio.NewReaderSize(f, 1<<20); ; {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		if maps {
			fields := strings.Split(strings.Trim(line, "{}\n"), ", ")
			slices.Sort(fields)
			line = strings.Join(fields, ", ") + "\n"
		}
		if inAnyOrder {
			each := sha256.Sum256([]byte(line))
			sum += binary.BigEndian.Uint64(each[:])
			continue
		}
		_, _ = io.WriteString(h, line) // a hash takes everything
	}
	if inAnyOrder {
		return fmt.Sprintf("%016x", sum), nil
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
