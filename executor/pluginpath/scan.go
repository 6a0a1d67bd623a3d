package pluginpath

import (
	"archive/zip"
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	// maxDepth and maxEntries bound what is looked at.
	maxDepth, maxEntries = 8, 100_000
	// maxManifest bounds one manifest, in bytes.
	maxManifest = 1 << 20
)

// services are the manifests of what a connector's config can name, with the words for each.
var services = map[string]string{
	"org.apache.kafka.connect.source.SourceConnector":          "source connector",
	"org.apache.kafka.connect.sink.SinkConnector":              "sink connector",
	"org.apache.kafka.connect.storage.Converter":               "converter",
	"org.apache.kafka.connect.storage.HeaderConverter":         "header converter",
	"org.apache.kafka.connect.transforms.Transformation":       "transform",
	"org.apache.kafka.connect.transforms.predicates.Predicate": "predicate",
}

// Plugin is a class that a manifest names.
type Plugin struct {
	Class string
	// Kind is what it is, in a person's words.
	Kind string
	// Location is the file that names it.
	Location string
}

// Scan finds the plugins of a plugin.path, each class once, by class. problems are, for people, what could not be read;
// the rest is found nevertheless, as by Kafka Connect. It ends early with ctx.
func Scan(ctx context.Context, paths []string) (found []Plugin, problems []string) {
	s := &scan{ctx: ctx, by: map[string]Plugin{}, seen: map[string]bool{}, left: maxEntries}
	for _, p := range paths {
		s.entry(p, 0, true)
	}
	if s.left <= 0 {
		s.problems = append(s.problems, fmt.Sprintf("only the first %d files were looked at", maxEntries))
	}
	for _, p := range s.by {
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b Plugin) int { return cmp.Compare(a.Class, b.Class) })
	return found, s.problems
}

type scan struct {
	ctx      context.Context
	by       map[string]Plugin
	problems []string
	seen     map[string]bool // folders, without links
	left     int
}

// entry looks at a file or folder. named says that the config names it: then it has to be there.
func (s *scan) entry(path string, depth int, named bool) {
	if s.left--; s.left <= 0 || s.ctx.Err() != nil {
		return
	}
	info, err := os.Stat(path)
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case err != nil && named:
		s.problems = append(s.problems, err.Error())
	case err != nil: // a link to nowhere
	case info.Mode().IsRegular() && (ext == ".jar" || ext == ".zip"):
		if err := s.archive(path); err != nil {
			s.problems = append(s.problems, fmt.Sprintf("%s: %v", path, err))
		}
	case info.Mode().IsRegular() && filepath.Base(filepath.Dir(path)) == "services" && services[filepath.Base(path)] != "":
		if f, err := os.Open(path); err == nil {
			s.manifest(filepath.Base(path), path, f)
			_ = f.Close() // it was read
		}
	case info.IsDir() && depth < maxDepth:
		if real, err := filepath.EvalSymlinks(path); err == nil {
			if s.seen[real] {
				return
			}
			s.seen[real] = true
		}
		list, err := os.ReadDir(path)
		if err != nil {
			s.problems = append(s.problems, err.Error())
		}
		for _, e := range list {
			s.entry(filepath.Join(path, e.Name()), depth+1, false)
		}
	}
}

func (s *scan) archive(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return s.zip(path, f, info.Size())
}

func (s *scan) zip(path string, r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return err
	}
	for _, f := range z.File {
		name, ok := strings.CutPrefix(f.Name, "META-INF/services/")
		if !ok || services[name] == "" {
			continue
		}
		m, err := f.Open()
		if err != nil {
			return err
		}
		s.manifest(name, path, m)
		_ = m.Close() // it was read
	}
	return nil
}

var className = regexp.MustCompile(`^[\pL_$][\pL\pN_$]*(\.[\pL_$][\pL\pN_$]*)*$`)

// manifest reads a class a line; what follows # is a comment.
func (s *scan) manifest(service, location string, r io.Reader) {
	lines := bufio.NewScanner(io.LimitReader(r, maxManifest))
	for lines.Scan() {
		class, _, _ := strings.Cut(lines.Text(), "#")
		if class = strings.TrimSpace(class); !className.MatchString(class) {
			continue
		}
		if _, ok := s.by[class]; !ok {
			s.by[class] = Plugin{class, services[service], location}
		}
	}
	if err := lines.Err(); err != nil {
		s.problems = append(s.problems, fmt.Sprintf("%s: META-INF/services/%s: %v", location, service, err))
	}
}

// Foreign are those whose class is not known, as `class (kind)`.
func Foreign(found []Plugin, known func(class string) bool) (out []string) {
	for _, p := range found {
		if !known(p.Class) {
			out = append(out, p.Class+" ("+p.Kind+")")
		}
	}
	return out
}

// some are the first of a list that may be long.
func some(list []string) string {
	const most = 30
	if n := len(list) - most; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), n)
	}
	return strings.Join(list, ", ")
}
