package offsets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sluice-project/sluice/executor/topics"
)

// File is the store of standalone mode (offset.storage.file.filename). Every write replaces the file
// whole: written beside it, synced, renamed, and the directory synced.
type File struct {
	path string

	mu     sync.Mutex
	closed bool
	tables map[string]table
	other  map[string]string // records whose key is no offset's, kept as they are
}

// fileFormat is the file: key and value are the texts of Kafka Connect's records.
type fileFormat struct {
	Version int          `json:"sluice.offsets"`
	Records []fileRecord `json:"records"`
}

type fileRecord struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// OpenFile reads the file; one that does not exist is empty, and made by the first write. A file that
// Kafka Connect wrote is converted at once, and kept beside as <path>.java; ErrJavaFile where it cannot.
func OpenFile(path string, log *slog.Logger) (*File, error) {
	if path == "" {
		return nil, fmt.Errorf("%w: offset.storage.file.filename is empty: name a file", ErrFile)
	}
	f := &File{path: path, tables: map[string]table{}, other: map[string]string{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) == 0 {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("offset.storage.file.filename: %w", err)
	}
	if bytes.HasPrefix(b, javaMagic) {
		return f, f.convert(b, log)
	}
	var v fileFormat
	if err := json.Unmarshal(b, &v); err != nil || v.Version != 1 {
		return nil, fmt.Errorf("%w: offset.storage.file.filename: %q is neither Sluice's format (version 1) nor Java's", ErrFile, path)
	}
	for _, r := range v.Records {
		f.add(r.Key, r.Value)
	}
	return f, nil
}

func (f *File) add(key, value string) {
	connector, partition, err := topics.ParseOffsetKey([]byte(key))
	if err != nil {
		f.other[key] = value
		return
	}
	canonical, err := topics.Canonical(partition)
	if err != nil {
		f.other[key] = value
		return
	}
	if f.tables[connector] == nil {
		f.tables[connector] = table{}
	}
	f.tables[connector].apply(canonical, partition, key, []byte(value))
}

func (f *File) convert(b []byte, log *slog.Logger) error {
	pairs, err := javaMap(b)
	if err != nil {
		return fmt.Errorf("%w: offset.storage.file.filename: %q: %w: move its offsets through the REST API, or remove the file to start without", ErrJavaFile, f.path, err)
	}
	for _, p := range pairs {
		if p.value == nil {
			continue
		}
		if !utf8.Valid(p.key) || !utf8.Valid(p.value) {
			return fmt.Errorf("%w: offset.storage.file.filename: %q holds a record that is not JSON", ErrJavaFile, f.path)
		}
		f.add(string(p.key), string(p.value))
	}
	if err := replace(f.path+".java", b); err != nil {
		return err
	}
	log.Info("offset file of Kafka Connect converted", "file", f.path, "kept", f.path+".java", "records", len(pairs))
	return f.save()
}

// save writes everything. Called with mu held, or before the store is shared.
func (f *File) save() error {
	v := fileFormat{Version: 1, Records: []fileRecord{}}
	for _, connector := range sortedKeys(f.tables) {
		t := f.tables[connector]
		for _, canonical := range sortedKeys(t) {
			if c := t[canonical]; c.value != nil {
				v.Records = append(v.Records, fileRecord{c.keys[len(c.keys)-1], string(c.value)})
			}
		}
	}
	for _, k := range sortedKeys(f.other) {
		v.Records = append(v.Records, fileRecord{k, f.other[k]})
	}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("offset file %q: %w", f.path, err)
	}
	return replace(f.path, append(b, '\n'))
}

// replace writes a file so that after a crash there is the old one or the new one, whole.
func replace(path string, b []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("offset file %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("offset file %q: %w", path, err), os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(b)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, derr := os.Open(dir)
	if derr != nil {
		return fmt.Errorf("offset file %q: directory: %w", path, derr)
	}
	if derr = errors.Join(d.Sync(), d.Close()); derr != nil {
		return fmt.Errorf("offset file %q: directory: %w", path, derr)
	}
	return nil
}

// Read implements Store. The file has one writer, so the answer is always the newest.
func (f *File) Read(_ context.Context, connector string, _ time.Duration, partitions []map[string]any) ([]map[string]any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	return f.tables[connector].read(connector, partitions)
}

// List implements Store.
func (f *File) List(_ context.Context, connector string) ([]Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	return f.tables[connector].list(connector)
}

// Write implements Store.
func (f *File) Write(_ context.Context, connector string, right Right, entries []Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	if right != nil && right() <= 0 {
		return ErrRight
	}
	t := f.tables[connector]
	recs, err := t.encode(connector, entries)
	if err != nil {
		return err
	}
	if t == nil {
		t = table{}
		f.tables[connector] = t
	}
	t.applyAll(recs)
	return f.save()
}

// Alter implements Store.
func (f *File) Alter(ctx context.Context, connector string, entries []Entry) error {
	return f.Write(ctx, connector, nil, entries)
}

// Hold implements Store: everything is in memory anyway.
func (f *File) Hold(string) func() { return func() {} }

// Close implements Store.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}
