package converter

import (
	"math"
	"math/big"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-project/sluice/connectors/data"
)

// SimpleHeaderClass is the default header converter's class.
const SimpleHeaderClass = "org.apache.kafka.connect.storage.SimpleHeaderConverter"

// SimpleHeader is org.apache.kafka.connect.storage.SimpleHeaderConverter: values as text, and a guess of the type
// when they are read (org.apache.kafka.connect.data.Values).
type SimpleHeader struct{}

// Configure implements HeaderConverter.
func (*SimpleHeader) Configure(map[string]string) error { return nil }

// FromData implements HeaderConverter.
func (*SimpleHeader) FromData(dst []byte, _, _ string, _ *data.Schema, v data.Value) ([]byte, bool, error) {
	if v.IsNull() {
		return dst, true, nil
	}
	return appendSimple(dst, v, false), false, nil
}

func appendSimple(dst []byte, v data.Value, embedded bool) []byte {
	switch v.Kind() {
	case data.KindString:
		if embedded {
			s := strings.ReplaceAll(strings.ReplaceAll(v.Str(), `\`, `\\`), `"`, `\"`)
			return append(append(append(dst, '"'), s...), '"')
		}
		return append(dst, v.Raw()...)
	case data.KindArray:
		dst = append(dst, '[')
		for i, e := range v.Array() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendSimple(dst, e, true)
		}
		return append(dst, ']')
	case data.KindMap:
		dst = append(dst, '{')
		for i, e := range v.Map().Entries() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendSimple(dst, e.Key, true), ':')
			dst = appendSimple(dst, e.Value, true)
		}
		return append(dst, '}')
	case data.KindStruct:
		dst = append(dst, '{')
		for i, f := range v.Struct().Schema().Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(dst, f.Name...), ':')
			dst = appendSimple(dst, v.Struct().At(i), true)
		}
		return append(dst, '}')
	default:
		return AppendText(dst, v)
	}
}

// ToData implements HeaderConverter. It never fails: what has no other meaning is a string.
func (*SimpleHeader) ToData(_, _ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null(), nil
	}
	if !utf8.Valid(b) {
		return data.StringSchema, data.String(strings.ToValidUTF8(string(b), "\uFFFD")), nil
	}
	s := string(b)
	if s == "" {
		return data.StringSchema, data.String(""), nil
	}
	schema, v := guess(s)
	return schema, v, nil
}

// guess reads text as Values.parseString does.
func guess(s string) (*data.Schema, data.Value) {
	t := strings.TrimSpace(s)
	if strings.HasPrefix(t, "[") || strings.HasPrefix(t, "{") {
		p := simpleParser{s: t}
		if schema, v, ok := p.value(0); ok && p.rest() == "" {
			return schema, v
		}
		return data.StringSchema, data.String(s)
	}
	if len(t) >= 2 && t[0] == '"' {
		p := simpleParser{s: t}
		if schema, v, ok := p.value(0); ok && p.rest() == "" {
			return schema, v
		}
	}
	if schema, v, ok := scalar(t); ok {
		return schema, v
	}
	return data.StringSchema, data.String(s)
}

var (
	number   = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]{1,4})?$`)
	dateLike = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	timeLike = regexp.MustCompile(`^\d{2}:\d{2}:\d{2}\.\d{3}Z$`)
	bothLike = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$`)
)

func scalar(t string) (*data.Schema, data.Value, bool) {
	switch {
	case t == "null":
		return nil, data.Null(), true
	case strings.EqualFold(t, "true"):
		return data.BoolSchema, data.Bool(true), true
	case strings.EqualFold(t, "false"):
		return data.BoolSchema, data.Bool(false), true
	case number.MatchString(t):
		return simpleNumber(t)
	case dateLike.MatchString(t):
		if d, err := time.Parse("2006-01-02", t); err == nil {
			return data.DateSchema, data.Date(d), true
		}
	case timeLike.MatchString(t):
		if d, err := time.Parse("15:04:05.000Z", t); err == nil {
			return data.TimeSchema, data.Int32(int32((d.Hour()*3600+d.Minute()*60+d.Second())*1000 + d.Nanosecond()/1e6)), true
		}
	case bothLike.MatchString(t):
		if d, err := time.Parse("2006-01-02T15:04:05.000Z", t); err == nil {
			return data.TimestampSchema, data.Timestamp(d), true
		}
	}
	return nil, data.Null(), false
}

// simpleNumber takes the smallest type that holds the number.
func simpleNumber(t string) (*data.Schema, data.Value, bool) {
	r, ok := new(big.Rat).SetString(strings.TrimSuffix(t, "."))
	if !ok {
		return nil, data.Null(), false
	}
	if r.IsInt() && r.Num().IsInt64() {
		switch n := r.Num().Int64(); {
		case n >= math.MinInt8 && n <= math.MaxInt8:
			return data.Int8Schema, data.Int8(int8(n)), true
		case n >= math.MinInt16 && n <= math.MaxInt16:
			return data.Int16Schema, data.Int16(int16(n)), true
		case n >= math.MinInt32 && n <= math.MaxInt32:
			return data.Int32Schema, data.Int32(int32(n)), true
		default:
			return data.Int64Schema, data.Int64(n), true
		}
	}
	if r.IsInt() {
		return data.DecimalSchema(0), data.Decimal(r.Num()), true
	}
	if f, _ := r.Float32(); !math.IsInf(float64(f), 0) {
		return data.Float32Schema, data.Float32(f), true
	}
	f, _ := r.Float64()
	return data.Float64Schema, data.Float64(f), true
}

// simpleParser reads arrays and maps.
type simpleParser struct {
	s string
	i int
}

func (p *simpleParser) rest() string { return strings.TrimSpace(p.s[p.i:]) }

func (p *simpleParser) next(c byte) bool {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\n' || p.s[p.i] == '\t' || p.s[p.i] == '\r') {
		p.i++
	}
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *simpleParser) value(depth int) (*data.Schema, data.Value, bool) {
	switch {
	case depth > 100:
		return nil, data.Null(), false
	case p.next('"'):
		var b strings.Builder
		for ; p.i < len(p.s); p.i++ {
			switch c := p.s[p.i]; {
			case c == '"':
				p.i++
				return data.StringSchema, data.String(b.String()), true
			case c == '\\' && p.i+1 < len(p.s):
				p.i++
				b.WriteByte(p.s[p.i])
			default:
				b.WriteByte(c)
			}
		}
		return nil, data.Null(), false
	case p.next('['):
		return p.list(depth)
	case p.next('{'):
		return p.pairs(depth)
	}
	start := p.i
	for p.i < len(p.s) && !strings.ContainsRune(",]}", rune(p.s[p.i])) {
		if p.s[p.i] == ':' && !strings.Contains(p.s[start:p.i], "T") && !timePart.MatchString(p.s[start:p.i+1]) {
			break
		}
		p.i++
	}
	t := strings.TrimSpace(p.s[start:p.i])
	if t == "" {
		return nil, data.Null(), false
	}
	if schema, v, ok := scalar(t); ok {
		return schema, v, true
	}
	return data.StringSchema, data.String(t), true
}

var timePart = regexp.MustCompile(`^\d{2}:(\d{2}:)?$`)

func (p *simpleParser) list(depth int) (*data.Schema, data.Value, bool) {
	list, elem, mixed := []data.Value{}, (*data.Schema)(nil), false
	if p.next(']') {
		return &data.Schema{Type: data.KindArray}, data.Array(list), true
	}
	for {
		s, v, ok := p.value(depth + 1)
		if !ok {
			return nil, data.Null(), false
		}
		list, elem, mixed = append(list, v), common(elem, s, len(list) == 0), mixed || elem != nil && s != nil && !data.SameSchema(elem, s)
		if p.next(']') {
			break
		}
		if !p.next(',') {
			return nil, data.Null(), false
		}
	}
	if mixed {
		elem = nil
	}
	return &data.Schema{Type: data.KindArray, Elem: elem}, data.Array(list), true
}

func (p *simpleParser) pairs(depth int) (*data.Schema, data.Value, bool) {
	m := &data.Map{}
	var key, elem *data.Schema
	mixedKey, mixed := false, false
	if p.next('}') {
		return &data.Schema{Type: data.KindMap}, data.MapOf(m), true
	}
	for {
		ks, k, ok := p.value(depth + 1)
		if !ok || k.IsNull() || !p.next(':') {
			return nil, data.Null(), false
		}
		vs, v, ok := p.value(depth + 1)
		if !ok {
			return nil, data.Null(), false
		}
		mixedKey = mixedKey || key != nil && !data.SameSchema(key, ks)
		mixed = mixed || elem != nil && vs != nil && !data.SameSchema(elem, vs)
		key, elem = common(key, ks, m.Len() == 0), common(elem, vs, m.Len() == 0)
		m.Put(k, v)
		if p.next('}') {
			break
		}
		if !p.next(',') {
			return nil, data.Null(), false
		}
	}
	if mixedKey {
		key = nil
	}
	if mixed {
		elem = nil
	}
	return &data.Schema{Type: data.KindMap, Key: key, Elem: elem}, data.MapOf(m), true
}

// common is the schema of what came so far.
func common(old, s *data.Schema, first bool) *data.Schema {
	if first || old == nil {
		return s
	}
	return old
}
