package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/s3/format"
	"github.com/sluice-project/sluice/connectors/builtin/s3/store"
	"github.com/sluice-project/sluice/connectors/data"
)

// writer is a topic's partition: its open files, and those that were cut and are not uploaded yet.
//
// Where files are cut depends on nothing but the records since the last cut: a cut puts everything back to what it was at
// first. So whoever begins at an offset that was committed, which is that of a cut, makes the same files.
type writer struct {
	tp   connectors.TopicPartition
	s    *settings
	next int64 // the offset after the last record that was taken; -1 before the first
	from int64 // the first offset of the batch that is put

	// Since the last cut.
	files     []*file // in the order in which they were begun
	records   int
	bytes     int64
	base      int64  // the first record's time
	directory string // of the last record
	schedule  time.Time

	cuts     []cut
	uploaded int64 // every record before it is uploaded; -1 where nothing was cut
}

// file is an open file.
type file struct {
	directory string
	schema    *data.Schema
	format.Writer
	up *store.Upload
}

// cut are the files up to an offset.
type cut struct {
	files []*store.Upload
	next  int64
}

func newWriter(tp connectors.TopicPartition, s *settings) *writer {
	return &writer{tp: tp, s: s, next: -1, uploaded: -1}
}

// refusal is what is wrong with one record.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// add takes a record. A refusal says that it is in no file, and that the next may be added.
func (w *writer) add(c *store.Client, r *connectors.SinkRecord, now time.Time) error {
	var at int64
	var err error
	if w.s.extract != nil {
		if at, err = w.s.extract(r, now); err != nil {
			return refusal{err}
		}
	}
	directory, err := w.s.partition(r, at)
	if err != nil {
		return refusal{err}
	}
	f := w.file(directory)
	if w.records > 0 {
		cuts, err := w.cutsBefore(r, f, directory, at)
		if err != nil {
			return refusal{err}
		}
		if cuts {
			if err := w.cut(r.Offset); err != nil {
				return err
			}
			f = nil
		}
	}
	n, err := w.write(c, f, directory, r)
	if errors.Is(err, format.ErrData) {
		return refusal{err}
	} else if err != nil {
		return err
	}
	if w.records == 0 {
		w.base = at
		if w.s.schedule > 0 {
			w.schedule = nextSchedule(now, w.s.schedule, w.s.zone)
		}
	}
	w.records, w.bytes, w.directory = w.records+1, w.bytes+int64(n), directory
	if w.s.records > 0 && w.records >= w.s.records || w.s.bytes > 0 && w.bytes >= w.s.bytes {
		return w.cut(r.Offset + 1)
	}
	return nil
}

func (w *writer) file(directory string) *file {
	i := slices.IndexFunc(w.files, func(f *file) bool { return f.directory == directory })
	if i < 0 {
		return nil
	}
	return w.files[i]
}

// cutsBefore says whether a record does not go with those before it. f is its file, nil where it has none yet.
func (w *writer) cutsBefore(r *connectors.SinkRecord, f *file, directory string, at int64) (bool, error) {
	if w.s.interval > 0 && (at-w.base >= w.s.interval.Milliseconds() || w.s.onChange && directory != w.directory) {
		return true, nil
	}
	if f != nil {
		return w.s.compatibility.cuts(r.ValueSchema, f.schema)
	}
	return w.s.maxOpen > 0 && len(w.files) >= w.s.maxOpen, nil
}

func (w *writer) write(c *store.Client, f *file, directory string, r *connectors.SinkRecord) (int, error) {
	if f != nil {
		return f.Write(w.s.compatibility.project(r, f.schema))
	}
	up := c.NewUpload(w.s.name(w.tp, directory, r.Offset))
	fw, err := w.s.format.New(up, r.ValueSchema)
	if err != nil {
		return 0, err
	}
	n, err := fw.Write(r)
	if err == nil {
		w.files = append(w.files, &file{directory, r.ValueSchema, fw, up})
	}
	return n, err
}

// cut ends all files; next is the offset of the first record that is not in them.
func (w *writer) cut(next int64) error {
	c := cut{next: next}
	for _, f := range w.files {
		if err := f.Close(); err != nil {
			return fmt.Errorf("s3: ending %s: %w", f.up.Key(), err)
		}
		c.files = append(c.files, f.up)
	}
	w.cuts = append(w.cuts, c)
	w.files, w.records, w.bytes, w.base, w.directory = nil, 0, 0, 0, ""
	return nil
}

// due says whether the wall clock cuts.
func (w *writer) due(now time.Time) bool {
	return w.records > 0 && w.s.schedule > 0 && !now.Before(w.schedule)
}

// done takes out the cuts whose files are all uploaded: those are nil.
func (w *writer) done() {
	for len(w.cuts) > 0 && !slices.ContainsFunc(w.cuts[0].files, func(u *store.Upload) bool { return u != nil }) {
		w.uploaded, w.cuts = w.cuts[0].next, w.cuts[1:]
	}
}

// committable is the offset up to which every record is in the store, or left out; -1 is none. It never goes back.
func (w *writer) committable() int64 {
	if w.records == 0 && len(w.cuts) == 0 { // as after a cut, also behind records that were left out
		w.uploaded = w.next
	}
	return w.uploaded
}

// abortWait bounds how long S3 is asked to forget parts: a lifecycle rule of the bucket does it else.
const abortWait = 5 * time.Second

// drop gives up what is not uploaded.
func (w *writer) drop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, abortWait)
	defer cancel()
	for _, f := range w.files {
		f.up.Abort(ctx)
	}
	for _, c := range w.cuts {
		for _, u := range c.files {
			if u != nil {
				u.Abort(ctx)
			}
		}
	}
	*w = *newWriter(w.tp, w.s)
}

// held is the memory of the open files, in bytes.
func (w *writer) held() (n int64) {
	for _, f := range w.files {
		n += f.Held() + f.up.Held()
	}
	for _, c := range w.cuts {
		for _, u := range c.files {
			if u != nil {
				n += u.Held()
			}
		}
	}
	return n
}
