package demo

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/sluice-project/sluice/docs"
)

// text is what is moved.
type text struct {
	path  string
	lines int
	size  int64
	sum   string
}

// writeDocuments writes this project's documents to path, over and over, until there are so many lines.
func writeDocuments(path string, lines int) (err error) {
	var all bytes.Buffer
	err = fs.WalkDir(docs.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := docs.Files.ReadFile(name)
		if err != nil {
			return err
		}
		all.Write(bytes.TrimRight(b, "\n"))
		all.WriteByte('\n')
		return nil
	})
	if err != nil {
		return fmt.Errorf("the documents: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	for lines > 0 {
		for line := range bytes.Lines(all.Bytes()) {
			if lines == 0 {
				break
			}
			lines--
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

// measure reads a text once. A text that a line-based copy cannot give back is refused.
func measure(path string) (text, error) {
	f, err := os.Open(path)
	if err != nil {
		return text{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	t := text{path: path}
	h := sha256.New()
	buf := make([]byte, 1<<20)
	last := byte('\n')
	for {
		n, err := f.Read(buf)
		b := buf[:n]
		if i := bytes.IndexByte(b, '\r'); i >= 0 {
			return text{}, fmt.Errorf("%s: there is a carriage return at byte %d: FileStreamSource ends a line there, so the copy could not be equal; give a file with newlines only", path, t.size+int64(i))
		}
		t.lines += bytes.Count(b, []byte{'\n'})
		t.size += int64(n)
		h.Write(b)
		if n > 0 {
			last = b[n-1]
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return text{}, err
		}
	}
	if t.size == 0 {
		return text{}, fmt.Errorf("%s: the file is empty: there is nothing to move", path)
	}
	if last != '\n' {
		return text{}, fmt.Errorf("%s: the last line has no newline: FileStreamSource would wait for it; add one", path)
	}
	t.sum = hex.EncodeToString(h.Sum(nil))
	return t, nil
}

// counter counts the lines of a file that grows.
type counter struct {
	path  string
	size  int64
	lines int
	buf   []byte
}

func (c *counter) update() error {
	f, err := os.Open(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	if c.buf == nil {
		c.buf = make([]byte, 1<<20)
	}
	for {
		n, err := f.ReadAt(c.buf, c.size)
		c.size += int64(n)
		c.lines += bytes.Count(c.buf[:n], []byte{'\n'})
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
