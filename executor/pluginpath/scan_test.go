package pluginpath

import (
	"archive/zip"
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const services1 = "META-INF/services/org.apache.kafka.connect."

// jar is an archive of files.
func jar(tb testing.TB, files ...string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func put(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// path is a plugin.path as people have them: a folder a plugin, a single jar, a folder of classes, what is no plugin.
func path(t *testing.T) string {
	dir := t.TempDir()
	put(t, dir+"/jdbc/lib/jdbc.jar", jar(t, services1+"source.SourceConnector", "# a comment\nio.acme.JdbcSource # the source\n\n", services1+"sink.SinkConnector", "io.acme.JdbcSink\r\n", "META-INF/services/java.sql.Driver", "io.acme.Driver"))
	put(t, dir+"/jdbc/lib/dependency.jar", jar(t, "a/B.class", "x"))
	put(t, dir+"/file.jar", jar(t, services1+"source.SourceConnector", "org.apache.kafka.connect.file.FileStreamSourceConnector\nnot a class\n"))
	put(t, dir+"/classes/"+services1+"transforms.Transformation", []byte("io.acme.Mask$Value\n"))
	put(t, dir+"/broken/x.jar", []byte("no zip"))
	put(t, dir+"/README", []byte("x"))
	if err := os.Symlink(dir, dir+"/jdbc/circle"); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestScan_FindsWhatManifestsName(t *testing.T) {
	dir := path(t)
	found, problems := Scan(t.Context(), []string{dir, dir + "/none"})
	var got []string
	for _, p := range found {
		got = append(got, p.Class+" "+p.Kind)
	}
	want := "io.acme.JdbcSink sink connector;io.acme.JdbcSource source connector;io.acme.Mask$Value transform;org.apache.kafka.connect.file.FileStreamSourceConnector source connector"
	if strings.Join(got, ";") != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	said := strings.Join(problems, "\n")
	if !strings.Contains(said, "x.jar: zip: not a valid zip file") || !strings.Contains(said, "stat "+dir+"/none: no such file or directory") {
		t.Errorf("%s", said)
	}
	if found, _ := Scan(t.Context(), []string{dir + "/file.jar"}); len(found) != 1 || found[0].Location != dir+"/file.jar" {
		t.Errorf("a jar itself: %v", found)
	}
}

func TestReport_NamesWhatHasNoCounterpartInALine(t *testing.T) {
	dir := path(t)
	known := func(class string) bool { return strings.HasPrefix(class, "org.apache.") }
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	Report(t.Context(), nil, known, log)
	if out.Len() > 0 {
		t.Errorf("without plugin.path: %s", out.String())
	}
	Report(t.Context(), []string{dir}, known, log)
	for _, want := range []string{"level=INFO", "plugins=4 counterparts=1", "level=WARN", `plugins="io.acme.JdbcSink (sink connector), io.acme.JdbcSource (source connector), io.acme.Mask$Value (transform)"`, "not a valid zip file"} {
		if strings.Count(out.String(), want) == 0 {
			t.Errorf("%s\nhas no %s", out.String(), want)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("%d lines: %s", n, out.String())
	}
	if got := Note(t.Context(), []string{dir}, func(string) bool { return true }); got != "" {
		t.Errorf("%q", got)
	}
}

// FuzzArchive_WhatAJarNamesIsAClass: whatever a file that ends in .jar holds.
func FuzzArchive_WhatAJarNamesIsAClass(f *testing.F) {
	f.Add(jar(f, services1+"source.SourceConnector", "a.B\n#c\n d.E$F # x\n"))
	f.Add(jar(f, services1+"sink.SinkConnector", strings.Repeat("x", 70_000), services1+"storage.Converter", "\xff\na..b\n"))
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &scan{ctx: context.Background(), by: map[string]Plugin{}}
		if err := s.zip("x.jar", bytes.NewReader(b), int64(len(b))); err != nil {
			return
		}
		for class, p := range s.by {
			if class != p.Class || class == "" || strings.ContainsAny(class, " \t\r\n#/\x00") || p.Kind == "" {
				t.Fatalf("%q: %+v", b, p)
			}
		}
	})
}
