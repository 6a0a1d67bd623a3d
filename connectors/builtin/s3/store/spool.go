package store

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// spool holds bytes in memory, or in a file once it was spilled.
type spool struct {
	mem  []byte
	file *os.File // nil while in memory
	size int64    // of the file
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil {
		s.mem = append(s.mem, p...)
		return len(p), nil
	}
	n, err := s.file.WriteAt(p, s.size)
	s.size += int64(n)
	return n, spooling(err)
}

func spooling(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("s3: keeping what is not uploaded yet in %s: %w", os.TempDir(), err)
}

func (s *spool) len() int64 {
	if s.file != nil {
		return s.size
	}
	return int64(len(s.mem))
}

// held is the memory that it takes, in bytes.
func (s *spool) held() int64 { return int64(cap(s.mem)) }

// spill moves it to a file that nobody else can see, and that is gone with the process.
func (s *spool) spill() error {
	if s.file != nil || len(s.mem) == 0 {
		return nil
	}
	f, err := os.CreateTemp("", "sluice-s3-*")
	if err != nil {
		return spooling(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close() // the error of the removal says enough
		return spooling(err)
	}
	if _, err := f.WriteAt(s.mem, 0); err != nil {
		_ = f.Close()
		return spooling(err)
	}
	s.file, s.size, s.mem = f, int64(len(s.mem)), nil
	return nil
}

// first reads the first n bytes; they stay.
func (s *spool) first(n int64) io.ReadSeeker {
	if s.file != nil {
		return io.NewSectionReader(s.file, 0, n)
	}
	return bytes.NewReader(s.mem[:n])
}

// drop forgets the first n bytes. What is left, less than a part, is in memory afterwards.
func (s *spool) drop(n int64) error {
	if s.file == nil {
		s.mem = s.mem[:copy(s.mem, s.mem[n:])]
		return nil
	}
	rest := make([]byte, s.size-n)
	if _, err := s.file.ReadAt(rest, n); err != nil && err != io.EOF {
		return spooling(err)
	}
	s.close()
	s.mem = rest
	return nil
}

// close gives everything back.
func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close() // it has no name: nobody misses it
	}
	*s = spool{}
}
