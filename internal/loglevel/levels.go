package loglevel

import (
	"cmp"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Root is the logger above all others.
const Root = "root"

// maxLoggers bounds the loggers of a process: a request can make one of any name. maxName bounds a name, in bytes.
const (
	maxLoggers = 1000
	maxName    = 1024
)

// levels are log4j's, the least that is logged first.
var levels = []struct {
	name string
	slog slog.Level
}{
	{"OFF", math.MaxInt}, {"FATAL", slog.LevelError + 4}, {"ERROR", slog.LevelError}, {"WARN", slog.LevelWarn}, {"INFO", slog.LevelInfo},
	{"DEBUG", slog.LevelDebug}, {"TRACE", slog.LevelDebug - 4}, {"ALL", math.MinInt},
}

// Parse finds a level by its name, in any case and with blanks around it, and returns the name in capitals.
func Parse(s string) (string, error) {
	for _, l := range levels {
		if strings.EqualFold(strings.TrimSpace(s), l.name) {
			return l.name, nil
		}
	}
	return "", errs.New(errs.LevelUnknown, "invalid log level '%s'.", s)
}

func toSlog(name string) slog.Level {
	for _, l := range levels {
		if l.name == name {
			return l.slog
		}
	}
	return slog.LevelInfo
}

// nameOf is the level that lets a slog level through.
func nameOf(level slog.Level) string {
	out := "ALL"
	for _, l := range slices.Backward(levels) {
		if l.slog <= level {
			out = l.name
		}
	}
	return out
}

// logger is one logger. Its level is what its lines are measured by.
type logger struct {
	level    atomic.Int64
	own      string // its own level; empty where it has that of one above it
	modified int64  // unix ms; 0 is never
}

// Levels are the loggers of a process. Safe for concurrent use.
type Levels struct {
	clock clock.Clock

	mu      sync.Mutex
	loggers map[string]*logger
	taken   uint64 // the number of the newest setting that was taken from the cluster's
}

// New returns the levels of a process whose root logs at a level.
func New(level slog.Level, c clock.Clock) *Levels {
	l := &Levels{clock: c, loggers: map[string]*logger{}}
	root := &logger{own: nameOf(level)}
	root.level.Store(int64(level))
	l.loggers[Root] = root
	return l
}

// get finds a logger, and makes it where there is none.
func (l *Levels) get(name string) *logger {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.make(name)
}

// make is get, under mu.
func (l *Levels) make(name string) *logger {
	g := l.loggers[name]
	if g == nil {
		g = &logger{}
		l.loggers[name] = g
		l.measure(name, g)
	}
	return g
}

// measure sets what a logger's lines are measured by, under mu, and returns the level's name.
func (l *Levels) measure(name string, g *logger) string {
	level := l.effective(name)
	g.level.Store(int64(toSlog(level)))
	return level
}

// effective is a logger's own level, or that of the nearest above it. Under mu.
func (l *Levels) effective(name string) string {
	for {
		if g := l.loggers[name]; g != nil && g.own != "" {
			return g.own
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return l.loggers[Root].own
		}
		name = name[:dot]
	}
}

// normal is the name by which a logger is kept: root in any case, and an empty name, is Root.
func normal(name string) string {
	if name == "" || strings.EqualFold(name, Root) {
		return Root
	}
	return name
}

// Get returns a logger. NotFound where there is none.
func (l *Levels) Get(name string) (*sluicev1.Logger, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.loggers[normal(name)]
	if g == nil {
		return nil, errs.New(errs.LoggerNotFound, "Logger %s not found.", name)
	}
	return l.show(normal(name), g), nil
}

func (l *Levels) show(name string, g *logger) *sluicev1.Logger {
	out := &sluicev1.Logger{Name: name, Level: l.effective(name)}
	if g.modified != 0 {
		at := g.modified
		out.LastModified = &at
	}
	return out
}

// List returns the loggers that are not OFF, by name.
func (l *Levels) List() []*sluicev1.Logger {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*sluicev1.Logger
	for _, name := range slices.Sorted(maps.Keys(l.loggers)) {
		if s := l.show(name, l.loggers[name]); s.GetLevel() != "OFF" {
			out = append(out, s)
		}
	}
	return out
}

// Set sets the level of a logger, which is made where there is none, and of those below it, and returns the loggers
// whose level changed, sorted. level is a name that Parse returned.
func (l *Levels) Set(name, level string) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name = normal(name)
	if len(name) > maxName {
		return nil, errs.New(errs.RequestMalformed, "The name of a logger has at most %d bytes, not %d", maxName, len(name))
	}
	if l.loggers[name] == nil && len(l.loggers) >= maxLoggers {
		return nil, errs.New(errs.RequestMalformed, "Logger %s is not made: this process has %d loggers, which is the most it takes", name, maxLoggers)
	}
	return l.set(name, level), nil
}

// set is Set without its bounds, under mu.
func (l *Levels) set(name, level string) []string {
	before := make(map[string]string, len(l.loggers))
	for n := range l.loggers {
		before[n] = l.effective(n)
	}
	l.make(name)
	for n, g := range l.loggers {
		if n == name || g.own != "" && (name == Root || strings.HasPrefix(n, name)) {
			g.own = level
		}
	}
	now := l.clock.Now().UnixMilli()
	changed := []string{}
	for n, g := range l.loggers {
		after := l.measure(n, g)
		// What was OFF was not listed, and what is new was not there: both count, whatever they are now.
		if was, known := before[n]; (!known || was == "OFF" || was != after) && (name == Root || strings.HasPrefix(n, name)) {
			g.modified = now
			changed = append(changed, n)
		}
	}
	slices.Sort(changed)
	return changed
}

// Take takes what of the cluster's settings is newer than what was taken before.
func (l *Levels) Take(settings []*sluicev1.LevelSetting) {
	settings = slices.SortedFunc(slices.Values(settings), func(a, b *sluicev1.LevelSetting) int { return cmp.Compare(a.GetNumber(), b.GetNumber()) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(settings); n > 0 && settings[n-1].GetNumber() < l.taken {
		l.taken = 0 // the store was restored from an older state: what it says now counts
	}
	for _, s := range settings {
		if s.GetNumber() <= l.taken {
			continue
		}
		l.taken = s.GetNumber()
		if level, err := Parse(s.GetLevel()); err == nil { // one that a newer version knows is left out
			l.set(normal(s.GetName()), level)
		}
	}
}
