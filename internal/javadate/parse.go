package javadate

import (
	"fmt"
	"math"
	"strings"
)

// Readable says whether the pattern can be used to read; the error (ErrUnsupported) names the letter.
func (f *Format) Readable() error {
	for _, p := range f.parts {
		if p.letter != 0 && strings.IndexByte("YwWF", p.letter) >= 0 {
			return fmt.Errorf("reading times by %q is %w: the letter %c counts weeks; use y, M and d", f.pattern, ErrUnsupported, p.letter)
		}
	}
	return nil
}

// fields are what was read. The order in which fields were set decides between those that contradict.
type fields struct {
	set   [len(letters)]int // by slots of letters, when it was set; 0 is never
	value [len(letters)]int
	n     int
	zone  int // milliseconds, where z is set
	// ambiguous says that the year may belong to the next century.
	ambiguous bool
}

// slots are the places of letters.
var slots = func() (at ['z' + 1]uint8) {
	for i := range len(letters) {
		at[letters[i]] = uint8(i) //nolint:gosec // there are 23
	}
	return at
}()

func (v *fields) put(letter byte, n int) {
	v.n++
	i := slots[letter]
	v.set[i], v.value[i] = v.n, n
}

// since is when a letter was set, 0 for never.
func (v *fields) since(letter byte) int { return v.set[slots[letter]] }

// at is what a letter was set to.
func (v *fields) at(letter byte, otherwise int) int64 {
	if v.since(letter) == 0 {
		return int64(otherwise)
	}
	return int64(v.value[slots[letter]])
}

// Parse reads a moment, in Unix milliseconds, from the beginning of s; what follows is ignored, as Java does.
func (f *Format) Parse(s string) (int64, bool) {
	v := &fields{}
	at := 0
	for i, p := range f.parts {
		if p.letter == 0 {
			if !strings.HasPrefix(s[at:], p.text) {
				return 0, false
			}
			at += len(p.text)
			continue
		}
		// Numbers that touch are cut by their counts.
		obey := i+1 < len(f.parts) && f.parts[i+1].letter != 0
		if at = f.field(v, s, at, p, obey); at < 0 {
			return 0, false
		}
	}
	ms := v.moment()
	if v.ambiguous && ms < f.century.UnixMilli() {
		v.value[slots['y']] += 100
		ms = v.moment()
	}
	return ms, true
}

// field reads one field from s[start:] and returns where it ends, or a negative number.
func (f *Format) field(v *fields, s string, start int, p part, obey bool) int {
	at := start
	for at < len(s) && (s[at] == ' ' || s[at] == '\t') {
		at++
	}
	if at >= len(s) {
		return -1
	}
	names := func(letter byte, lists ...[]string) int {
		for _, l := range lists {
			if i, n := longest(s[start:], l); n > 0 {
				v.put(letter, i)
				return start + n
			}
		}
		return -1
	}
	switch {
	case p.letter == 'G':
		return names('G', eras)
	case (p.letter == 'M' || p.letter == 'L') && p.count > 2:
		return names('M', months, short(months))
	case p.letter == 'E':
		return names('E', weekdays, short(weekdays))
	case p.letter == 'a':
		return names('a', halves)
	case p.letter == 'z', p.letter == 'Z':
		return v.zoneName(s, start, at)
	case p.letter == 'X':
		return v.zoneISO(s, at, p.count)
	}
	text := s
	if obey {
		if start+p.count > len(s) {
			return -1
		}
		if text = s[:start+p.count]; at > len(text) {
			return -1 // its digits are all blanks
		}
	}
	n, end := integer(text, at)
	if end == at {
		return -1
	}
	switch p.letter {
	case 'y':
		if p.count <= 2 && end-at == 2 && digit(s[at]) && digit(s[at+1]) {
			first := f.century.Year()
			v.ambiguous = n == first%100
			base := first / 100 * 100
			if n < first%100 {
				base += 100
			}
			n += base
		}
		v.put('y', n)
	case 'M', 'L':
		v.put('M', n-1)
	case 'k':
		if n == 24 {
			n = 0
		}
		v.put('H', n)
	case 'h':
		if n == 12 {
			n = 0
		}
		v.put('K', n)
	case 'u':
		v.put('E', n%7)
	default:
		v.put(p.letter, n)
	}
	return end
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// integer reads a number as Java's DecimalFormat does: digits, and a minus sign before them.
func integer(s string, at int) (n, end int) {
	if strings.HasPrefix(s[at:], "NaN") { // which is a number, and as an int 0
		return 0, at + 3
	}
	i, negative := at, false
	if i < len(s) && s[i] == '-' {
		negative = true
		i++
	}
	first := i
	var v int64
	large := false
	for ; i < len(s) && digit(s[i]); i++ {
		if v > (math.MaxInt64-9)/10 {
			large = true
			continue
		}
		v = v*10 + int64(s[i]-'0')
	}
	if i == first {
		return 0, at
	}
	if exp, end := exponent(s, i); end > i {
		i = end
		for ; exp > 0 && !large; exp-- {
			if large = v > math.MaxInt64/10; !large {
				v *= 10
			}
		}
		for ; exp < 0 && v > 0; exp++ {
			v /= 10
		}
	}
	switch {
	case large && negative:
		return math.MinInt32, i
	case large:
		return math.MaxInt32, i
	case negative:
		v = -v
	}
	return int(int32(v)), i //nolint:gosec // Java's Long.intValue wraps
}

// exponent reads what a number may end with.
func exponent(s string, at int) (n, end int) {
	i, negative := at, false
	if i >= len(s) || s[i] != 'E' {
		return 0, at
	}
	if i++; i < len(s) && s[i] == '-' {
		negative = true
		i++
	}
	first := i
	for ; i < len(s) && digit(s[i]); i++ {
		n = min(n*10+int(s[i]-'0'), 1000)
	}
	if i == first {
		return 0, at
	}
	if negative {
		n = -n
	}
	return n, i
}

func short(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n[:3]
	}
	return out
}

// longest is the longest name that s begins with, in any case.
func longest(s string, names []string) (i, n int) {
	for j, name := range names {
		if len(name) > n && len(s) >= len(name) && strings.EqualFold(s[:len(name)], name) {
			i, n = j, len(name)
		}
	}
	return i, n
}

// zoneName reads GMT, GMT+hh:mm, +hhmm or a name.
func (v *fields) zoneName(s string, start, at int) int {
	sign := 0
	switch s[at] {
	case '+':
		sign = 1
	case '-':
		sign = -1
	}
	if sign != 0 {
		return v.offset(s, at+1, sign, 0, false)
	}
	if len(s)-start >= 3 && strings.EqualFold(s[start:start+3], "GMT") {
		at = start + 3
		if at < len(s) && (s[at] == '+' || s[at] == '-') {
			sign = 1
			if s[at] == '-' {
				sign = -1
			}
			return v.offset(s, at+1, sign, 0, true)
		}
		v.put('z', 0)
		v.zone = 0
		return at
	}
	for _, name := range []string{"Coordinated Universal Time", "Greenwich Mean Time", "UTC", "UT"} {
		if len(s)-at >= len(name) && strings.EqualFold(s[at:at+len(name)], name) {
			v.put('z', 0)
			v.zone = 0
			return at + len(name)
		}
	}
	return -1
}

// zoneISO reads Z, +hh, +hhmm or +hh:mm, as count says.
func (v *fields) zoneISO(s string, at, count int) int {
	switch s[at] {
	case 'Z':
		v.put('z', 0)
		v.zone = 0
		return at + 1
	case '+':
		return v.offset(s, at+1, 1, count, count == 3)
	case '-':
		return v.offset(s, at+1, -1, count, count == 3)
	}
	return -1
}

func (v *fields) offset(s string, at, sign, count int, colon bool) int {
	next := func() int {
		if at < len(s) && digit(s[at]) {
			at++
			return int(s[at-1] - '0')
		}
		return -1
	}
	hours := next()
	if hours < 0 {
		return -1
	}
	if at >= len(s) { // Java looks one further
		return -1
	}
	if d := next(); d >= 0 {
		hours = hours*10 + d
	} else if count > 0 || !colon {
		return -1
	}
	if hours > 23 {
		return -1
	}
	minutes := 0
	if count != 1 {
		if colon {
			if at >= len(s) || s[at] != ':' {
				return -1
			}
			at++
		}
		tens := next()
		ones := next()
		if tens < 0 || ones < 0 || tens*10+ones > 59 {
			return -1
		}
		minutes = tens*10 + ones
	}
	v.put('z', 0)
	v.zone = sign * (hours*60 + minutes) * 60_000
	return at
}

// moment puts the fields together as a lenient GregorianCalendar does.
func (v *fields) moment() int64 {
	year := v.at('y', 1970)
	if v.at('G', 1) == 0 {
		year = 1 - year
	}
	var day int64
	dom := v.since('d')
	if doy := v.since('D'); doy > dom {
		day = dayNumber(int(year), 1, 1) + v.at('D', 1) - 1
	} else {
		more, month := floorDiv(v.at('M', 0), 12)
		day = dayNumber(int(year+more), int(month)+1, int(v.at('d', 1)))
		if dom == 0 && v.since('E') != 0 { // the first of those weekdays in the month
			_, w := floorDiv(day+4, 7)
			_, ahead := floorDiv(v.at('E', 0)-w, 7)
			day += ahead
		}
	}
	hour := int64(0)
	half := 0
	if v.since('K') != 0 && v.since('a') != 0 {
		half = max(v.since('K'), v.since('a'))
	}
	switch best := max(half, v.since('H')); {
	case best != 0 && best == v.since('H'):
		hour = v.at('H', 0)
	default:
		hour = v.at('K', 0) + 12*v.at('a', 0)
	}
	return day*msPerDay + ((hour*60+v.at('m', 0))*60+v.at('s', 0))*1000 + v.at('S', 0) - int64(v.zone)
}
