package loglevel_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/loglevel"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestSet_ChangesAndNamesWhatItChanged(t *testing.T) {
	l := loglevel.New(slog.LevelInfo, clock.Real())
	for _, c := range []struct {
		name, level string
		changed     string
	}{
		{"lab.a", "DEBUG", "lab.a"},
		{"lab.b", "TRACE", "lab.b"},
		{"lab", "WARN", "lab lab.a lab.b"},
		{"lab", "WARN", ""},
		{"lab.a", "ERROR", "lab.a"},
		{"lab.", "INFO", "lab. lab.a lab.b"},
		{"new", "INFO", "new"}, // made by it
		{"lab.a", "OFF", "lab.a"},
		{"lab.a", "OFF", "lab.a"}, // it was not listed
		{"ROOT", "ERROR", "lab lab. lab.a lab.b new root"},
	} {
		got, err := l.Set(c.name, c.level)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.changed, strings.Join(got, " ")); d != "" {
			t.Errorf("%s %s: %s", c.name, c.level, d)
		}
	}
	if _, err := l.Get("nope"); errs.ReasonOf(err) != errs.LoggerNotFound {
		t.Errorf("%v", err)
	}
	if g, err := l.Get(""); err != nil || g.GetName() != "root" || g.GetLevel() != "ERROR" || g.LastModified == nil {
		t.Errorf("%v %v", g, err)
	}
	for i := range 2000 {
		if _, err := l.Set(fmt.Sprint("n", i), "INFO"); err != nil {
			return
		}
	}
	t.Error("loggers are made without a bound")
}

func TestHandler_LogsByTheLevelOfTheComponent(t *testing.T) {
	var out bytes.Buffer
	l := loglevel.New(slog.LevelInfo, clock.Real())
	log := slog.New(l.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: loglevel.Everything})))
	one := log.With(logkey.Component, "one").WithGroup("g").With("k", "v")
	two := log.With(logkey.Component, "one").With(logkey.Component, "two.x")
	try := func() string {
		out.Reset()
		log.Debug("root")
		one.Debug("one")
		two.Debug("two")
		var got []string
		for _, m := range []string{"root", "one", "two"} {
			if strings.Contains(out.String(), "msg="+m) {
				got = append(got, m)
			}
		}
		return strings.Join(got, " ")
	}
	for _, c := range []struct{ name, level, want string }{
		{"none", "INFO", ""}, {"one", "DEBUG", "one"}, {"two", "ALL", "one two"}, {"root", "DEBUG", "root one two"}, {"two", "OFF", "root one"}, {"root", "WARN", ""},
	} {
		if _, err := l.Set(c.name, c.level); err != nil {
			t.Fatal(err)
		}
		if got := try(); got != c.want {
			t.Errorf("%s %s: %q is logged, want %q", c.name, c.level, got, c.want)
		}
	}
}

func TestTake_TakesEachSettingOnceAndInOrder(t *testing.T) {
	l := loglevel.New(slog.LevelInfo, clock.Real())
	level := func(name string) string {
		g, err := l.Get(name)
		if err != nil {
			return "none"
		}
		return g.GetLevel()
	}
	set := func(n uint64, name, level string) *sluicev1.LevelSetting {
		return &sluicev1.LevelSetting{Number: n, Name: name, Level: level}
	}
	l.Take([]*sluicev1.LevelSetting{set(2, "a.b", "DEBUG"), set(1, "a", "ERROR"), set(3, "c", "NOISY")})
	if level("a") != "ERROR" || level("a.b") != "DEBUG" || level("c") != "none" {
		t.Errorf("a %s, a.b %s, c %s", level("a"), level("a.b"), level("c"))
	}
	if _, err := l.Set("a", "INFO"); err != nil { // in this process alone
		t.Fatal(err)
	}
	l.Take([]*sluicev1.LevelSetting{set(1, "a", "ERROR"), set(3, "c", "INFO"), set(4, "d", "WARN")})
	if level("a") != "INFO" || level("c") != "none" || level("d") != "WARN" {
		t.Errorf("a %s, c %s, d %s", level("a"), level("c"), level("d"))
	}
	l.Take([]*sluicev1.LevelSetting{set(2, "a", "TRACE")}) // the store was restored
	if level("a") != "TRACE" {
		t.Errorf("a %s", level("a"))
	}
}

func TestParse_TakesLog4jsNames(t *testing.T) {
	for s, want := range map[string]string{"info": "INFO", " Off\t": "OFF", "ALL": "ALL", "": "", "loud": "", "1": ""} {
		got, err := loglevel.Parse(s)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", s, got, err)
		}
	}
}
