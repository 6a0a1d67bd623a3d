package filestream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-project/sluice/connectors/builtin/internal/pace"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/run"
)

// input is where bytes come from. read returns 0 without an error where there are none now; idle waits
// for more, at most pace.Idle, and says false when ctx ended.
type input interface {
	read(ctx context.Context, dst []byte) (int, error)
	idle(ctx context.Context) bool
	close() error
}

// shortestIdle is the first wait at the end of a file; each further one is twice as long, up to pace.Idle.
const shortestIdle = 10 * time.Millisecond

// file reads a file that may not exist yet, from a position on.
type file struct {
	path  string
	pos   int64 // where to begin
	clk   clock.Clock
	log   *slog.Logger
	f     *os.File
	plain bool
	delay time.Duration
	warn  bool // that the file is missing was logged
}

func (i *file) open() error {
	// Without O_NONBLOCK the open of a named pipe would wait for its writer, for ever.
	f, err := os.OpenFile(i.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if !i.warn {
			i.warn = true
			i.log.Warn("the file does not exist: waiting for it", "file", i.path)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("filestream: the file of key %q cannot be read: %w", fileKey, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("it is a directory: name a file")
	}
	if i.plain = err == nil && info.Mode().IsRegular(); i.plain && i.pos > 0 {
		if info.Size() < i.pos {
			i.log.Warn("the file is shorter than the position to resume from: was it replaced? waiting for it to grow",
				"file", i.path, "position", i.pos, "size", info.Size())
		}
		_, err = f.Seek(i.pos, io.SeekStart)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("filestream: the file %q of key %q cannot be read: %w", i.path, fileKey, err), f.Close())
	}
	i.f, i.warn = f, false
	return nil
}

func (i *file) read(ctx context.Context, dst []byte) (int, error) {
	if i.f == nil {
		if err := i.open(); err != nil || i.f == nil {
			return 0, err
		}
	}
	if !i.plain { // a pipe or a device: the read waits, so it must end with ctx
		f := i.f
		_ = f.SetReadDeadline(i.clk.Now().Add(pace.Idle)) // not every device has deadlines; those that have none do not wait
		stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	n, err := i.f.Read(dst)
	switch {
	case n > 0:
		i.delay = 0
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		i.delay = 0 // it has waited already
		return 0, nil
	case err == nil, errors.Is(err, io.EOF):
		return 0, nil
	default:
		return 0, fmt.Errorf("filestream: reading the file of key %q: %w", fileKey, err)
	}
}

func (i *file) idle(ctx context.Context) bool {
	if i.delay = max(2*i.delay, shortestIdle); i.delay < pace.Idle {
		return pace.Wait(ctx, i.clk, i.delay)
	}
	i.delay = pace.Idle
	return pace.Rest(ctx, i.clk)
}

func (i *file) close() error {
	if i.f == nil {
		return nil
	}
	f := i.f
	i.f = nil
	return f.Close()
}

// pump reads the standard input of the process, which nothing can interrupt: it starts with the first
// read and lives as long as the process. What it has read and no task took waits for the next task.
type pump struct {
	r      io.Reader
	start  sync.Once
	group  *run.Group
	chunks chan []byte
	err    error // why chunks was closed
}

func newPump(r io.Reader) *pump {
	return &pump{r: r, group: run.New(context.Background(), "filestream-stdin"), chunks: make(chan []byte)}
}

func (p *pump) run(ctx context.Context) error {
	defer close(p.chunks)
	for {
		chunk := make([]byte, minRead)
		n, err := p.r.Read(chunk)
		if n > 0 {
			select {
			case p.chunks <- chunk[:n]:
			case <-ctx.Done():
				p.err = ctx.Err()
				return nil
			}
		}
		if err != nil {
			p.err = err
			return nil
		}
	}
}

// stdin is the standard input as an input.
type stdin struct {
	p     *pump
	clk   clock.Clock
	ended bool
}

func (s *stdin) read(ctx context.Context, dst []byte) (int, error) {
	if s.ended || ctx.Err() != nil {
		return 0, nil
	}
	s.p.start.Do(func() { _ = s.p.group.Go(s.p.run) }) // the group is not stopped before
	t := s.clk.NewTimer(pace.Idle)
	defer t.Stop()
	select {
	case c, ok := <-s.p.chunks:
		if !ok {
			if s.ended = errors.Is(s.p.err, io.EOF); s.ended {
				return 0, nil
			}
			return 0, fmt.Errorf("filestream: reading the standard input: %w", s.p.err)
		}
		return copy(dst, c), nil // dst has minRead bytes at least, c at most
	case <-ctx.Done():
	case <-t.C():
	}
	return 0, nil
}

// idle waits at the end of the input alone: read waits by itself.
func (s *stdin) idle(ctx context.Context) bool {
	if !s.ended {
		return ctx.Err() == nil
	}
	return pace.Wait(ctx, s.clk, pace.Idle)
}

func (s *stdin) close() error { return nil }
