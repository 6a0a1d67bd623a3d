package javadate

// Recent reads and writes moments of a format, and is quick where one is like the last: within the same second, or the same text. Not safe
// for concurrent use.
type Recent struct {
	*Format
	// The text of the last second that was written, and where in it the three digits of the milliseconds are; -1 for nowhere.
	text   []byte
	second int64
	millis int
	plain  bool // a format that writes milliseconds otherwise
	// The last text that was read.
	read   []byte
	moment int64
}

// maxRead bounds the text that is remembered: what follows a moment may be long.
const maxRead = 256

// NewRecent returns a Recent that has seen nothing.
func NewRecent(f *Format) *Recent {
	r, many := &Recent{Format: f}, 0
	for _, p := range f.parts {
		if p.letter == 'S' {
			many++
			r.plain = r.plain || p.count != 3 || many > 1
		}
	}
	return r
}

// Append is Format.Append.
func (r *Recent) Append(dst []byte, ms int64) []byte {
	if r.plain {
		return r.Format.Append(dst, ms)
	}
	second, millis := floorDiv(ms, 1000)
	if second != r.second || r.text == nil {
		r.text, r.millis = r.append(r.text[:0], ms)
		r.second = second
	}
	at := len(dst) + r.millis
	dst = append(dst, r.text...)
	if r.millis >= 0 {
		dst[at], dst[at+1], dst[at+2] = '0'+byte(millis/100), '0'+byte(millis/10%10), '0'+byte(millis%10)
	}
	return dst
}

// Parse is Format.Parse.
func (r *Recent) Parse(s string) (int64, bool) {
	if r.read != nil && string(r.read) == s {
		return r.moment, true
	}
	ms, ok := r.Format.Parse(s)
	if ok && len(s) <= maxRead {
		r.read, r.moment = append(r.read[:0], s...), ms
	}
	return ms, ok
}
