package javadate

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ErrPattern is wrapped where Java refuses a pattern with an IllegalArgumentException.
var ErrPattern = errors.New("javadate: invalid pattern")

// ErrUnsupported is wrapped where Java takes a pattern that cannot be read here.
var ErrUnsupported = errors.New("not supported")

// Format is a pattern. Safe for concurrent use.
type Format struct {
	pattern string
	parts   []part
	// century is the first year of the hundred that two digits may mean.
	century time.Time
}

// part is a run of one letter, or a literal text.
type part struct {
	letter byte // 0 for a text
	count  int
	text   string
}

const letters = "GyMdkHmsSEDFwWahKzZYuXL"

// New reads a pattern. now places years of two digits: in the 80 years before and the 20 after it.
func New(pattern string, now time.Time) (*Format, error) {
	f := &Format{pattern: pattern, century: now.UTC().AddDate(-80, 0, 0)}
	text := func(s string) {
		if n := len(f.parts); n > 0 && f.parts[n-1].letter == 0 {
			f.parts[n-1].text += s
		} else if s != "" {
			f.parts = append(f.parts, part{text: s})
		}
	}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			i++
			if i < len(pattern) && pattern[i] == '\'' {
				text("'")
				i++
				continue
			}
			var quoted []byte
			for ; i < len(pattern); i++ {
				if pattern[i] != '\'' {
					quoted = append(quoted, pattern[i])
				} else if i+1 < len(pattern) && pattern[i+1] == '\'' {
					quoted = append(quoted, '\'')
					i++
				} else {
					break
				}
			}
			if i == len(pattern) {
				return nil, fmt.Errorf("%w: Unterminated quote", ErrPattern)
			}
			i++
			text(string(quoted))
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			known := false
			for j := range len(letters) {
				known = known || letters[j] == c
			}
			if !known {
				return nil, fmt.Errorf("%w: Illegal pattern character '%c'", ErrPattern, c)
			}
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			if c == 'X' && n > 3 {
				return nil, fmt.Errorf("%w: invalid ISO 8601 format: length=%d", ErrPattern, n)
			}
			f.parts = append(f.parts, part{letter: c, count: n})
			i += n
		default:
			text(string(c))
			i++
		}
	}
	return f, nil
}

// String is the pattern.
func (f *Format) String() string { return f.pattern }

// Append appends a moment, in Unix milliseconds.
func (f *Format) Append(dst []byte, ms int64) []byte {
	dst, _ = f.append(dst, ms)
	return dst
}

// append also says how far into what it appends the milliseconds are; -1 for nowhere.
func (f *Format) append(dst []byte, ms int64) ([]byte, int) {
	d := split(ms)
	start, millis := len(dst), -1
	for i := range f.parts {
		p := &f.parts[i]
		switch p.letter {
		case 0:
			dst = append(dst, p.text...)
			continue
		case 'S':
			millis = len(dst) - start
		}
		dst = d.append(dst, p.letter, p.count)
	}
	return dst, millis
}

// date is a moment in fields.
type date struct {
	year, month, day             int // the year 0 is 1 BC; January is 1
	hour, minute, second, millis int
	days                         int64 // since 1970
}

const (
	msPerDay = 86_400_000
	// cutover is 15 October 1582, in days since 1970.
	cutover = -141427
)

func floorDiv(a, b int64) (q, r int64) {
	q, r = a/b, a%b
	if r < 0 {
		q, r = q-1, r+b
	}
	return q, r
}

func split(ms int64) date {
	days, rest := floorDiv(ms, msPerDay)
	d := date{days: days, hour: int(rest / 3_600_000), minute: int(rest / 60_000 % 60), second: int(rest / 1000 % 60), millis: int(rest % 1000)}
	d.year, d.month, d.day = civil(days)
	return d
}

// weekday has Sunday as 0.
func (d *date) weekday() int {
	_, w := floorDiv(d.days+4, 7)
	return int(w)
}

// civil is the date of a day since 1970. (The algorithms count years from March.)
func civil(days int64) (year, month, day int) {
	var era, doe, yoe, doy int64
	if days >= cutover {
		era, doe = floorDiv(days+719468, 146097)
		yoe = (doe - doe/1460 + doe/36524 - doe/146096) / 365
		doy = doe - (365*yoe + yoe/4 - yoe/100)
		yoe += era * 400
	} else {
		era, doe = floorDiv(days+719470, 1461)
		yoe = (doe - doe/1460) / 365
		doy = doe - 365*yoe
		yoe += era * 4
	}
	mp := (5*doy + 2) / 153
	day = int(doy-(153*mp+2)/5) + 1
	month = int(mp) + 3
	if month > 12 {
		month -= 12
		yoe++
	}
	return int(yoe), month, day
}

// dayNumber is the inverse of civil; days beyond the month count on.
func dayNumber(year, month, day int) int64 {
	y := int64(year)
	if month <= 2 {
		y--
	}
	doy := int64((153*((month+9)%12)+2)/5 + day - 1)
	era, yoe := floorDiv(y, 400)
	gregorian := era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
	era, yoe = floorDiv(y, 4)
	julian := era*1461 + yoe*365 + doy - 719470
	if year > 1582 || year == 1582 && gregorian >= cutover {
		return gregorian
	}
	return julian
}

var (
	months   = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	weekdays = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	eras     = []string{"BC", "AD"}
	halves   = []string{"AM", "PM"}
)

// appendNumber appends a number that is not negative, with zeros up to a width.
func appendNumber(dst []byte, n, width int) []byte {
	switch {
	case width == 2 && n < 100:
		return append(dst, '0'+byte(n/10), '0'+byte(n%10))
	case width == 3 && n < 1000:
		return append(dst, '0'+byte(n/100), '0'+byte(n/10%10), '0'+byte(n%10))
	case width == 4 && n < 10_000:
		return append(dst, '0'+byte(n/1000), '0'+byte(n/100%10), '0'+byte(n/10%10), '0'+byte(n%10))
	}
	digits := 1
	for m := n; m >= 10; m /= 10 {
		digits++
	}
	for ; digits < width; digits++ {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

func (d *date) append(dst []byte, letter byte, count int) []byte {
	number := func(n, width int) []byte { return appendNumber(dst, n, width) }
	name := func(all []string, i int) []byte {
		if count >= 4 {
			return append(dst, all[i]...)
		}
		return append(dst, all[i][:3]...)
	}
	year := func(y int) []byte {
		if y <= 0 {
			y = 1 - y
		}
		if count == 2 {
			return number(y%100, 2)
		}
		return number(y, count)
	}
	switch letter {
	case 'G':
		if d.year <= 0 {
			return append(dst, eras[0]...)
		}
		return append(dst, eras[1]...)
	case 'y':
		return year(d.year)
	case 'Y':
		y, _ := d.week()
		return year(y)
	case 'M', 'L':
		if count >= 3 {
			return name(months, d.month-1)
		}
		return number(d.month, count)
	case 'd':
		return number(d.day, count)
	case 'k':
		return number((d.hour+23)%24+1, count)
	case 'H':
		return number(d.hour, count)
	case 'K':
		return number(d.hour%12, count)
	case 'h':
		return number((d.hour+11)%12+1, count)
	case 'm':
		return number(d.minute, count)
	case 's':
		return number(d.second, count)
	case 'S':
		return number(d.millis, count)
	case 'E':
		return name(weekdays, d.weekday())
	case 'u':
		return number((d.weekday()+6)%7+1, count)
	case 'D':
		return number(int(d.days-dayNumber(d.year, 1, 1))+1, count)
	case 'F':
		return number((d.day-1)/7+1, count)
	case 'w':
		_, w := d.week()
		return number(w, count)
	case 'W':
		return number((d.day-1+((d.weekday()-d.day+1)%7+35)%7)/7+1, count)
	case 'a':
		return append(dst, halves[d.hour/12]...)
	case 'z':
		if count >= 4 {
			return append(dst, "Coordinated Universal Time"...)
		}
		return append(dst, "UTC"...)
	case 'Z':
		return append(dst, "+0000"...)
	default: // X
		return append(dst, 'Z')
	}
}

// week is the week of the year, and the year that it belongs to: weeks begin on Sundays, the first has 1 January.
func (d *date) week() (year, week int) {
	first := func(y int) int64 { // the Sunday at or before 1 January
		n := dayNumber(y, 1, 1)
		_, w := floorDiv(n+4, 7)
		return n - w
	}
	day := dayNumber(d.year, d.month, d.day)
	year = d.year
	if day >= first(year+1) {
		return year + 1, 1
	}
	return year, int(day-first(year))/7 + 1
}
