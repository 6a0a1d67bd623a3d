package secrets_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/executor/secrets"
)

// resolver has the providers file, dir and env, and the files that the paths in refs stand for.
func resolver(t testing.TB, more map[string]string) (r *secrets.Resolver, path func(string) string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"db":    "password=s3cr3t&pass\nuser=orders\nnested=${file:" + filepath.Join(dir, "db") + ":password}\na\\:b=colon\nshort=abc\nflag=true\n",
		"d/key": "-----BEGIN-----\nline-of-a-private-key\n-----END-----\n"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	worker := map[string]string{"config.providers": "file, dir,env", "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
		"config.providers.dir.class": "Directory", "config.providers.env.class": "EnvVarConfigProvider"}
	for k, v := range more {
		worker[k] = v
	}
	r, warnings, err := secrets.New(worker)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return r, func(s string) string {
		return strings.NewReplacer("DB", filepath.Join(dir, "db"), "DIR", filepath.Join(dir, "d")).Replace(s)
	}
}

func resolve(t testing.TB, r *secrets.Resolver, configs ...map[string]string) *secrets.Set {
	t.Helper()
	s, err := r.Resolve(t.Context(), configs...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReferences_AreThoseOfKafkaConnect(t *testing.T) {
	r, path := resolver(t, nil)
	t.Setenv("PW_OF_TEST", "x")
	for value, want := range map[string]string{
		"plain":                         "plain",
		"${file:DB:user}":               "orders",
		"a ${file:DB:user}, b":          "a orders, b",
		"${file:DB:user}${dir:DIR:key}": "orders-----BEGIN-----\nline-of-a-private-key\n-----END-----\n",
		"${file:DB:a:b}":                "colon",               // the second colon ends the path
		"${file:DB:nested}":             "${file:DB:password}", // not resolved again
		"${file:DB:none}":               "${file:DB:none}",     // no such key
		"${vault:DB:user}":              "${vault:DB:user}",    // no such provider
		"${vault:x} ${file:DB:user}":    "${vault:x} orders",   // beside one that there is
		"${file:user}":                  "${file:user}",        // no path
		"${file}":                       "${file}",             // no reference
		"${:DB:user}":                   "${:DB:user}",         // no provider's name
		"${file:DB:user":                "${file:DB:user",      // no end
		"$${file:DB:user}":              "$orders",             // there is no escape
		"${${file:DB:user}}":            "${${file:DB:user}}",  // the first ${ begins it: provider "${file"
		"${ file:DB:user}":              "${ file:DB:user}",    // blanks count
		"${file:DB:}":                   "${file:DB:}",         // an empty key
		"${topic}-${timestamp}":         "${topic}-${timestamp}",
		"${1:x":                         "${1:x",
	} {
		s := resolve(t, r, map[string]string{"k": path(value)})
		if d := cmp.Diff(path(want), s.Configs[0]["k"]); d != "" {
			t.Errorf("%s: %s", value, d)
		}
	}
	s := resolve(t, r, map[string]string{"a": "${vault:x}", "b": path("${file:DB:none}")}, map[string]string{"c": path("${dir:DB:x} ${env:NONE_OF_TEST}")})
	want := []string{"a: ${vault:x}: config.providers of the worker names no such provider", path("b: ${file:DB:none}: there is no such key"),
		path("c: ${dir:DB:x}: the path is not a directory"), "c: ${env:NONE_OF_TEST}: there is no such key"}
	if d := cmp.Diff(want, s.Unresolved); d != "" {
		t.Error(d)
	}
	if _, err := r.Resolve(t.Context(), map[string]string{"k": "${env:path:x}"}); !errors.Is(err, secrets.ErrResolve) || !strings.Contains(err.Error(), "env: Path is not supported") {
		t.Errorf("%v", err)
	}
}

func TestProvidersThatAreNotHere_EndTheStart(t *testing.T) {
	_, _, err := secrets.New(map[string]string{"config.providers": "vault,f", "config.providers.vault.class": "com.example.VaultConfigProvider",
		"config.providers.f.class": "File", "config.providers.f.param.allowed.paths": "relative"})
	for _, want := range []string{`config.providers.vault.class is "com.example.VaultConfigProvider", which is not here: there are org.apache`, "config.providers.f.param.*", "Path relative is not absolute"} {
		if !errors.Is(err, secrets.ErrProviders) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, warnings, err := secrets.New(map[string]string{"config.providers": "f"}); err != nil || len(warnings) != 1 {
		t.Errorf("%v, %v: Kafka Connect starts without it", warnings, err)
	}
}

func TestScrub_LeavesNothingInAnyForm(t *testing.T) {
	r, path := resolver(t, nil)
	s := resolve(t, r, map[string]string{"pw": path("${file:DB:password}"), "key": path("${dir:DIR:key}"), "short": path("${file:DB:short}"), "flag": path("${file:DB:flag}")})
	for text, want := range map[string]string{
		"pw s3cr3t&pass!":                                         "pw " + path("${file:DB:password}") + "!",
		"http://u:s3cr3t%26pass@h":                                "http://u:" + path("${file:DB:password}") + "@h",
		`{"pw":"s3cr3t\u0026pass"}`:                               `{"pw":"` + path("${file:DB:password}") + `"}`,
		"bad line line-of-a-private-key":                          "bad line " + path("${dir:DIR:key}"),
		`"-----BEGIN-----\nline-of-a-private-key\n-----END-----"`: `"` + path("${dir:DIR:key}") + `"`,
		"abc is true":                                             "abc is true", // too short, or in any text
	} {
		if got := s.Scrub(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	cause := fmt.Errorf("login with s3cr3t&pass: %w", io.ErrUnexpectedEOF)
	if err := s.Error(cause); !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("%v", err)
	}
	var none *secrets.Set
	if none.Scrub("x") != "x" || !errors.Is(none.Error(cause), cause) || none.Error(nil) != nil {
		t.Error("a nil set changes something")
	}
}

type stringer struct{ pw string }

func (s stringer) String() string { return "pw=" + s.pw }

func TestLogger_NoLineHoldsASecret(t *testing.T) {
	r, path := resolver(t, nil)
	s := resolve(t, r, map[string]string{"pw": path("${file:DB:password}")})
	const pw = "s3cr3t&pass"
	for _, make := range []func(io.Writer) slog.Handler{
		func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var out bytes.Buffer
		log := s.Logger(slog.New(make(&out)))
		log.With("with", pw).WithGroup("g").Info("message "+pw, "string", pw, "err", errors.New(pw), "bytes", []byte(pw), "map", map[string]string{"a": pw},
			slog.Group("h", "in", pw), "stringer", stringer{pw}, "struct", struct{ P string }{pw}, "pointer", &struct{ P string }{pw}, "n", 7)
		text := out.String()
		for _, bad := range []string{pw, `s3cr3t\u0026pass`, "czNjcjN0JnBhc3M"} {
			if strings.Contains(text, bad) {
				t.Errorf("%q is in %s", bad, text)
			}
		}
		if !strings.Contains(text, "7") {
			t.Errorf("%s", text)
		}
	}
}

func TestReverse_PutsReferencesBackAndRefusesWhatStillHoldsASecret(t *testing.T) {
	r, path := resolver(t, nil)
	raw := map[string]string{"pw": path("${file:DB:password}"), "url": path("jdbc://h?user=${file:DB:user}"), "literal": "orders"}
	s := resolve(t, r, raw)
	if got, err := s.Reverse(map[string]string{"pw": "s3cr3t&pass", "url": "changed by the plugin", "literal": "orders", "task": "0"}); err != nil ||
		cmp.Diff(map[string]string{"pw": raw["pw"], "url": raw["url"], "literal": "orders", "task": "0"}, got) != "" {
		t.Errorf("%v, %v", got, err)
	}
	for name, task := range map[string]map[string]string{
		"another key": {"password": "s3cr3t&pass"}, "a part": {"u": "x:s3cr3t&pass@h"}, "escaped": {"u": "http://x:s3cr3t%26pass@h"}, "a key's name": {"orders.x": "1"},
	} {
		_, err := s.Reverse(task)
		if !errors.Is(err, secrets.ErrDerived) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
		for k := range task {
			if name != "a key's name" && !strings.Contains(err.Error(), "the key "+k+" ") {
				t.Errorf("%s: %v does not name %s", name, err, k)
			}
		}
	}
	raw[secrets.AllowDerived] = "TRUE"
	if got, err := resolve(t, r, raw).Reverse(map[string]string{"password": "s3cr3t&pass"}); err != nil || got["password"] != "s3cr3t&pass" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTheWorkersSecrets_AreScrubbedAndAreNoTaskConfigs(t *testing.T) {
	r, path := resolver(t, nil)
	if _, err := r.Worker(t.Context(), map[string]string{"sasl.jaas.config": path("password=${file:DB:password}"), "host": path("${file:DB:user}")}); err != nil {
		t.Fatal(err)
	}
	s := resolve(t, r, map[string]string{"a": "b"})
	if got := s.Scrub("SASL s3cr3t&pass"); strings.Contains(got, "s3cr3t") {
		t.Error(got)
	}
	if _, err := s.Reverse(map[string]string{"table": "orders"}); err != nil {
		t.Errorf("a word of the worker's config: %v", err)
	}
}

func TestTTL_IsTheShortestOfWhatWasLookedUp(t *testing.T) {
	r, path := resolver(t, map[string]string{"config.providers.file.param.ttl.ms": "5000", "config.providers.dir.param.ttl.ms": "2000"})
	for value, want := range map[string]time.Duration{"x": 0, "${file:DB:user}": 5 * time.Second, "${file:DB:user} ${dir:DIR:key}": 2 * time.Second, "${env:HOME}": 0} {
		if s := resolve(t, r, map[string]string{"k": path(value)}); s.TTL != want {
			t.Errorf("%s: %s", value, s.TTL)
		}
	}
	a, b := resolve(t, r, map[string]string{"k": path("${file:DB:user}")}), resolve(t, r, map[string]string{"k": path("${file:DB:password}")})
	if !a.Equal(a) || a.Equal(b) {
		t.Error("changes are not seen")
	}
	if !secrets.Restarts(nil) || !secrets.Restarts(map[string]string{"config.action.reload": "Restart"}) || secrets.Restarts(map[string]string{"config.action.reload": "none"}) {
		t.Error("config.action.reload")
	}
}

// Promise: whatever the value and the text around it, Scrub leaves nothing of it, plain or as JSON.
func TestScrub_Property(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[!-~]{6,40}`).Filter(func(s string) bool { return !strings.ContainsAny(s, "$\\=:") }).Draw(t, "value")
		dir, err := os.MkdirTemp("", "secrets")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := os.WriteFile(filepath.Join(dir, "k"), []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r, _, err := secrets.New(map[string]string{"config.providers": "d", "config.providers.d.class": "Directory"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Resolve(t.Context(), map[string]string{"k": "${d:" + dir + ":k}"})
		if err != nil {
			t.Fatal(err)
		}
		around := rapid.StringMatching(`[a-z ]{0,20}`).Draw(t, "around")
		j, _ := json.Marshal(around + value)
		for _, text := range []string{around + value + around, string(j), fmt.Sprintf("%q", value)} {
			if got := s.Scrub(text); strings.Contains(got, value) {
				t.Fatalf("%q became %q", text, got)
			}
		}
	})
}

// What is no config of anybody's must not be able to hang or crash the executor.
func FuzzReferences(f *testing.F) {
	for _, s := range []string{"${a:b}", "${a:b:c:d}", "${${a:b}", "$", "${", "}${:::}", "${a\n:b}"} {
		f.Add(s)
	}
	r, _, err := secrets.New(map[string]string{"config.providers": "e", "config.providers.e.class": "EnvVar"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, v string) {
		s, err := r.Resolve(t.Context(), map[string]string{"k": v})
		if err == nil && s.Configs[0]["k"] != v && !secrets.Has(map[string]string{"k": v}) {
			t.Errorf("%q became %q", v, s.Configs[0]["k"])
		}
	})
}
