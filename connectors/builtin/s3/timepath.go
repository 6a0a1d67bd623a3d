package s3

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-project/sluice/internal/javadate"
)

// timePath writes the directory of a time. Not safe for concurrent use.
type timePath struct {
	format   *javadate.Format
	zone     *time.Location
	duration int64 // of a directory, in milliseconds
	last     int64 // the beginning of the last one, in local milliseconds
	text     string
}

// newTimePath reads a pattern in Joda-Time's letters.
func newTimePath(pattern string, duration int64, zone *time.Location) (*timePath, error) {
	java, err := fromJoda(pattern, zone)
	if err != nil {
		return nil, err
	}
	f, err := javadate.New(java, time.UnixMilli(0))
	if err != nil {
		return nil, err
	}
	return &timePath{format: f, zone: zone, duration: duration}, nil
}

// of is the directory of a time in Unix milliseconds: that of the beginning of its duration, counted as the Java
// connector does from 1970 in local time.
func (p *timePath) of(ms int64) string {
	_, offset := time.UnixMilli(ms).In(p.zone).Zone()
	local := (ms + int64(offset)*1000) / p.duration * p.duration
	if p.text == "" || local != p.last {
		// A moment in UTC whose fields are the local ones.
		p.last, p.text = local, string(p.format.Append(nil, local))
	}
	return p.text
}

// names are Joda-Time's letters that write words.
const names = "GEa"

// fromJoda turns a pattern of Joda-Time into one of SimpleDateFormat. The letters are the same but for a few; those that
// could not be written the same are refused.
func fromJoda(pattern string, zone *time.Location) (string, error) {
	var out strings.Builder
	quoted := false
	for i := 0; i < len(pattern); {
		c := pattern[i]
		n := 1
		for i+n < len(pattern) && pattern[i+n] == c {
			n++
		}
		run := pattern[i : i+n]
		i += n
		if c == '\'' {
			quoted = quoted != (n%2 == 1)
		}
		switch {
		case quoted || c == '\'':
		case c == 'Y': // the year of the era
			run = strings.Repeat("y", n)
		case c == 'e': // the number of the day of the week
			run = strings.Repeat("u", n)
		case c == 'S' && n != 3:
			return "", fmt.Errorf("%s: fractions of a second are written as SSS", run)
		case c == 'w', c == 'x', c == 'C':
			return "", fmt.Errorf("the letter %c (weeks, centuries) is not supported", c)
		case (c == 'z' || c == 'Z') && zone != time.UTC && zone.String() != "UTC":
			return "", fmt.Errorf("the letter %c (zones) is supported with timezone=UTC only", c)
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			if !strings.ContainsRune("GyMdDEaKhHkmsSzZ", rune(c)) {
				return "", fmt.Errorf("the letter %c has no meaning", c)
			}
		}
		out.WriteString(run)
	}
	return out.String(), nil
}

// hasNames says whether a pattern writes words, which are English.
func hasNames(pattern string) bool {
	for i, part := range strings.Split(pattern, "'") {
		if i%2 == 0 && (strings.ContainsAny(part, names) || strings.Contains(part, "MMM")) {
			return true
		}
	}
	return false
}

// nextSchedule is the first multiple of every after midnight in the zone that is later than now, or the next midnight.
func nextSchedule(now time.Time, every time.Duration, zone *time.Location) time.Time {
	y, m, d := now.In(zone).Date()
	midnight, next := time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+1, 0, 0, 0, 0, zone)
	at := midnight.Add((now.Sub(midnight)/every + 1) * every)
	if at.After(next) {
		return next
	}
	return at
}
