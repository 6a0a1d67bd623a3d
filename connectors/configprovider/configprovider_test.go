package configprovider_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors/configprovider"
)

func provider(t *testing.T, alias string, params map[string]string) (configprovider.Provider, error) {
	t.Helper()
	for _, i := range configprovider.Builtin() {
		if i.Aliases[1] == alias {
			return i.New(params)
		}
	}
	t.Fatalf("no %s", alias)
	return nil, nil
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProviders_AnswerAsKafkas(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "a", "db.properties"), "password = s3cret word \\\n   on\nempty=\nuni=\\u00e4\n")
	write(t, filepath.Join(dir, "d", "password"), "with a newline\n")
	write(t, filepath.Join(dir, "d", "sub", "x"), "no")
	if err := os.Symlink(filepath.Join(dir, "d", "password"), filepath.Join(dir, "d", "link")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SECRET_OF_TEST", "from the environment")
	t.Setenv("OTHER_OF_TEST", "other")
	for name, c := range map[string]struct {
		kind   string
		params map[string]string
		path   string
		keys   []string
		want   map[string]string
		why    string
		err    string
	}{
		"keys of a file":                    {kind: "File", path: file, keys: []string{"password", "empty", "uni", "none"}, want: map[string]string{"password": "s3cret word on", "empty": "", "uni": "ä"}},
		"no path":                           {kind: "File", keys: []string{"password"}, why: "no path"},
		"a file that is not there":          {kind: "File", path: filepath.Join(dir, "none"), keys: []string{"k"}, err: "Could not read properties from file " + filepath.Join(dir, "none") + ": no such file or directory"},
		"a directory as a file":             {kind: "File", path: dir, keys: []string{"k"}, err: "no regular file"},
		"an allowed directory":              {kind: "File", params: map[string]string{"allowed.paths": filepath.Join(dir, "d") + ", " + filepath.Join(dir, "a")}, path: file, keys: []string{"empty"}, want: map[string]string{"empty": ""}},
		"an allowed file":                   {kind: "File", params: map[string]string{"allowed.paths": file}, path: file, keys: []string{"empty"}, want: map[string]string{"empty": ""}},
		"a path that is not allowed":        {kind: "File", params: map[string]string{"allowed.paths": filepath.Join(dir, "d")}, path: file, keys: []string{"empty"}, why: "allowed.paths"},
		"a name that only begins as one is": {kind: "File", params: map[string]string{"allowed.paths": filepath.Join(dir, "d")}, path: filepath.Join(dir, "d.properties"), keys: []string{"k"}, why: "allowed.paths"},
		"a way out of what is allowed":      {kind: "File", params: map[string]string{"allowed.paths": filepath.Join(dir, "d")}, path: filepath.Join(dir, "d") + "/../a/db.properties", keys: []string{"empty"}, why: "allowed.paths"},
		"files of a directory":              {kind: "Directory", path: filepath.Join(dir, "d"), keys: []string{"password", "link", "sub", "none", "../a/db.properties", "..", ""}, want: map[string]string{"password": "with a newline\n", "link": "with a newline\n"}},
		"a file as a directory":             {kind: "Directory", path: file, keys: []string{"x"}, why: "not a directory"},
		"a directory that is not allowed":   {kind: "Directory", params: map[string]string{"allowed.paths": filepath.Join(dir, "a")}, path: filepath.Join(dir, "d"), keys: []string{"password"}, why: "allowed.paths"},
		"the environment":                   {kind: "EnvVar", keys: []string{"SECRET_OF_TEST", "NONE_OF_TEST"}, want: map[string]string{"SECRET_OF_TEST": "from the environment"}},
		"a pattern matches whole names":     {kind: "EnvVar", params: map[string]string{"allowlist.pattern": "SECRET|OTHER_.*+"}, keys: []string{"SECRET_OF_TEST", "OTHER_OF_TEST"}, want: map[string]string{"OTHER_OF_TEST": "other"}},
		"a path in the environment":         {kind: "EnvVar", path: "p", keys: []string{"x"}, err: "Path is not supported for EnvVarConfigProvider, invalid value 'p'"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := provider(t, c.kind, c.params)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Get(t.Context(), c.path, c.keys)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want %q", err, c.err)
				}
				return
			}
			if c.want == nil {
				c.want = map[string]string{}
			}
			if d := cmp.Diff(c.want, got.Values); d != "" || err != nil {
				t.Error(d, err)
			}
			if (c.why == "") != (got.Why == "") || !strings.Contains(got.Why, c.why) {
				t.Errorf("why: %q, want %q", got.Why, c.why)
			}
		})
	}
}

func TestParametersThatCannotBeUsed_AreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		kind   string
		params map[string]string
		want   string
	}{
		"a path that is not absolute": {"File", map[string]string{"allowed.paths": "secrets"}, "Path secrets is not absolute"},
		"a path that is not there":    {"Directory", map[string]string{"allowed.paths": "/no/such/path"}, "Path /no/such/path does not exist"},
		"a pattern":                   {"EnvVar", map[string]string{"allowlist.pattern": "("}, "allowlist.pattern"},
		"a ttl":                       {"File", map[string]string{"ttl.ms": "0"}, "ttl.ms is \"0\""},
	} {
		if _, err := provider(t, c.kind, c.params); !errors.Is(err, configprovider.ErrParam) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	p, err := provider(t, "File", map[string]string{"ttl.ms": " 1500 "})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Get(t.Context(), write(t, filepath.Join(t.TempDir(), "f"), "k=v"), []string{"k"}); err != nil || got.TTL != 1500*time.Millisecond {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatHasNoEnd_IsNotRead(t *testing.T) {
	p, err := provider(t, "File", nil)
	if err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for _, path := range []string{"/dev/zero", pipe} {
		if _, err := p.Get(t.Context(), path, []string{"k"}); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
	big := write(t, filepath.Join(t.TempDir(), "big"), strings.Repeat("#", 5<<20))
	if _, err := p.Get(t.Context(), big, []string{"k"}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}
