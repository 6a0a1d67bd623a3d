package configprovider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-project/sluice/internal/props"
)

// maxFile bounds a file that is read, in bytes: whoever creates connectors names the files.
const maxFile = 4 << 20

// files is what providers of files have in common.
type files struct {
	allowed []string // nil allows all
	ttl     time.Duration
}

func newFiles(params map[string]string) (f files, err error) {
	if f.ttl, err = ttl(params); err != nil {
		return f, err
	}
	text := params["allowed.paths"]
	if text == "" {
		return f, nil
	}
	for p := range strings.SplitSeq(text, ",") {
		p = filepath.Clean(strings.TrimSpace(p))
		if !filepath.IsAbs(p) {
			return f, fmt.Errorf("%w: allowed.paths is %q: Path %s is not absolute", ErrParam, text, p)
		}
		if _, err := os.Stat(p); err != nil {
			return f, fmt.Errorf("%w: allowed.paths is %q: Path %s does not exist", ErrParam, text, p)
		}
		f.allowed = append(f.allowed, p)
	}
	return f, nil
}

// path is the path to look at; why is not empty where there is none, or it is not allowed.
func (f files) path(given string) (path, why string) {
	switch {
	case given == "":
		return "", "there is no path in it"
	case f.allowed == nil:
		return given, ""
	}
	path = filepath.Clean(given)
	for _, a := range f.allowed {
		if path == a || strings.HasPrefix(path, strings.TrimSuffix(a, "/")+"/") {
			return path, ""
		}
	}
	return "", "the provider's allowed.paths does not allow the path"
}

// read reads a regular file of a bounded size: a device or a pipe would never end.
func read(path string) ([]byte, error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !s.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return b, err
}

// why is an error's reason, without the path, which the message has already.
func why(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// file is FileConfigProvider.
type file struct{ files }

func newFile(params map[string]string) (Provider, error) {
	f, err := newFiles(params)
	return file{f}, err
}

// Get implements Provider.
func (f file) Get(_ context.Context, given string, keys []string) (Data, error) {
	out := Data{Values: map[string]string{}, TTL: f.ttl}
	var path string
	if path, out.Why = f.path(given); out.Why != "" {
		return out, nil
	}
	b, err := read(path)
	if err != nil {
		return Data{}, fmt.Errorf("Could not read properties from file %s: %w", given, why(err))
	}
	all, err := props.Parse(b)
	if err != nil { // its text may hold lines of the file
		return Data{}, fmt.Errorf("Could not read properties from file %s: it is no Java properties file", given)
	}
	for _, k := range keys {
		if v, ok := all[k]; ok {
			out.Values[k] = v
		}
	}
	return out, nil
}

// directory is DirectoryConfigProvider.
type directory struct{ files }

func newDirectory(params map[string]string) (Provider, error) {
	f, err := newFiles(params)
	return directory{f}, err
}

// Get implements Provider. A value is the whole file, with the newline at its end.
func (d directory) Get(_ context.Context, given string, keys []string) (Data, error) {
	out := Data{Values: map[string]string{}, TTL: d.ttl}
	var path string
	if path, out.Why = d.path(given); out.Why != "" {
		return out, nil
	}
	if s, err := os.Stat(path); err != nil || !s.IsDir() {
		out.Why = "the path is not a directory"
		return out, nil //nolint:nilerr // Kafka Connect answers nothing then
	}
	for _, k := range keys {
		if k == "" || k == "." || k == ".." || strings.ContainsRune(k, filepath.Separator) {
			continue // no name of a file in it
		}
		name := filepath.Join(path, k)
		if s, err := os.Stat(name); err != nil || !s.Mode().IsRegular() {
			continue
		}
		b, err := read(name)
		if err != nil {
			return Data{}, fmt.Errorf("Could not read file %s for property %s: %w", name, k, why(err))
		}
		out.Values[k] = strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return out, nil
}
