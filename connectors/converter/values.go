package converter

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadate"
	"github.com/sluice-project/sluice/internal/javadecimal"
)

// ParseText reads text as org.apache.kafka.connect.data.Values.parseString: null, booleans, numbers of the smallest
// type, times, arrays and maps; what is none of them is the text itself. Times are in UTC (in Java, in the zone of
// the JVM).
func ParseText(s string) (*data.Schema, data.Value) {
	if s == "" {
		return data.StringSchema, data.String("")
	}
	p := &textParser{s: s}
	v, err := p.parse(false, 0)
	if err != nil { // nested too deep: Java's stack would end too
		return data.StringSchema, data.String(s)
	}
	return v.schema, v.value
}

// parsed is a value with its schema; both are null for null.
type parsed struct {
	schema *data.Schema
	value  data.Value
}

// errText says that a text is no array or map. Whoever began one takes it as text.
var errText = errors.New("converter: no array or map")

const maxTextDepth = 200

// textParser reads tokens: each of the delimiters, and what is between them.
type textParser struct {
	s        string
	i        int
	token    string
	has      bool // token is the next one, read ahead
	previous string
}

func (p *textParser) hasNext() bool { return p.has || p.i < len(p.s) }

func (p *textParser) mark() int {
	if p.has {
		return p.i - len(p.token)
	}
	return p.i
}

func (p *textParser) rewind(to int) { p.i, p.has, p.previous = to, false, "" }

func (p *textParser) next() string {
	if p.has {
		p.previous, p.has = p.token, false
	} else {
		p.previous = p.consume()
	}
	return p.previous
}

// next4 reads four tokens; empty where there are not as many.
func (p *textParser) next4() string {
	start := p.mark()
	for range 4 {
		if !p.hasNext() {
			p.rewind(start)
			return ""
		}
		p.next()
	}
	return p.s[start:p.i]
}

func (p *textParser) consume() string {
	start, escaped := p.i, false
	for ; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '\\':
			escaped = !escaped
		case ':', ',', '{', '}', '[', ']', '"':
			if !escaped {
				if start == p.i {
					p.i++
				}
				return p.s[start:p.i]
			}
			escaped = false
		default:
			escaped = false
		}
	}
	return p.s[start:p.i]
}

func trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }

// take consumes the next token that is not blank, if it is this one.
func (p *textParser) take(want string) bool {
	if !p.has {
		if !p.hasNext() {
			return false
		}
		p.token, p.has = p.consume(), true
	}
	for trim(p.token) == "" && p.i < len(p.s) {
		p.token = p.consume()
	}
	if trim(p.token) == want {
		p.has = false
		return true
	}
	return false
}

// literal consumes a word: one that is alone, where it is not inside of something.
func (p *textParser) literal(embedded bool, want string) bool {
	start := p.mark()
	if p.take(want) && (embedded || !p.hasNext()) {
		return true
	}
	p.rewind(start)
	return false
}

func (p *textParser) parse(embedded bool, depth int) (parsed, error) {
	switch {
	case depth > maxTextDepth:
		return parsed{}, errText
	case !p.hasNext():
		return parsed{}, nil
	case embedded && p.take(`"`):
		return p.quoted(), nil
	case p.literal(embedded, "null"):
		return parsed{}, nil
	case p.literal(embedded, "true"):
		return parsed{data.BoolSchema, data.Bool(true)}, nil
	case p.literal(embedded, "false"):
		return parsed{data.BoolSchema, data.Bool(false)}, nil
	}
	start := p.mark()
	var v parsed
	err := errText
	if p.take("[") {
		v, err = p.array(depth)
	} else if p.take("{") {
		v, err = p.pairs(depth)
	}
	if err == nil {
		return v, nil
	}
	p.rewind(start)
	token := p.next()
	t := trim(token)
	if t == "" {
		return parsed{data.StringSchema, data.String(token)}, nil
	}
	if digit := t[0] >= '0' && t[0] <= '9'; digit || t[0] == '+' || t[0] == '-' {
		if digit {
			if v, ok := p.times(t); ok {
				return v, nil
			}
		}
		if v, ok := parseNumber(t); ok {
			return v, nil
		}
	}
	if embedded {
		return parsed{}, errText
	}
	return parsed{data.StringSchema, data.String(p.s)}, nil
}

func (p *textParser) quoted() parsed {
	var b strings.Builder
	for p.hasNext() && !p.take(`"`) {
		b.WriteString(p.next())
	}
	if v, ok := parseTime(b.String()); ok {
		return v
	}
	return parsed{data.StringSchema, data.String(b.String())}
}

func (p *textParser) array(depth int) (parsed, error) {
	var list []parsed
	var elem merger
	for p.hasNext() {
		if p.take("]") {
			values := make([]data.Value, len(list))
			for i, e := range list {
				var err error
				if values[i], err = elem.align(e); err != nil {
					return parsed{}, err
				}
			}
			return parsed{&data.Schema{Type: data.KindArray, Elem: elem.common}, data.Array(values)}, nil
		}
		if p.take(",") {
			return parsed{}, errText
		}
		v, err := p.parse(true, depth+1)
		if err != nil {
			return parsed{}, err
		}
		elem.merge(v.schema)
		list = append(list, v)
		at := p.mark()
		if p.take("]") {
			p.rewind(at)
		} else if !p.take(",") {
			return parsed{}, errText
		}
	}
	return parsed{}, errText
}

func (p *textParser) pairs(depth int) (parsed, error) {
	var keys, values []parsed
	var key, elem merger
	for p.hasNext() {
		if p.take("}") {
			if key.common == nil {
				elem.common = nil
			}
			m := &data.Map{}
			for i := range keys {
				k, err := key.align(keys[i])
				if err != nil {
					return parsed{}, err
				}
				v, err := elem.align(values[i])
				if err != nil {
					return parsed{}, err
				}
				m.Put(k, v)
			}
			return parsed{&data.Schema{Type: data.KindMap, Key: key.common, Elem: elem.common}, data.MapOf(m)}, nil
		}
		if p.take(",") {
			return parsed{}, errText
		}
		k, err := p.parse(true, depth+1)
		if err != nil || k.value.IsNull() || !p.take(":") {
			return parsed{}, errText
		}
		v, err := p.parse(true, depth+1)
		if err != nil {
			return parsed{}, err
		}
		keys, values = append(keys, k), append(values, v)
		p.take(",")
		key.merge(k.schema)
		elem.merge(v.schema)
	}
	return parsed{}, errText
}

// times reads a time, which a colon splits into five tokens, or one in this token.
func (p *textParser) times(token string) (parsed, bool) {
	at := p.mark()
	if rest := p.next4(); rest != "" {
		if v, ok := parseTime(token + rest); ok {
			return v, true
		}
	}
	p.rewind(at)
	return parseTime(token)
}

var (
	isoDate  = isoFormat("yyyy-MM-dd")
	isoTime  = isoFormat("HH:mm:ss.SSS'Z'")
	isoStamp = isoFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
)

// isoFormat makes a format without years of two digits.
func isoFormat(pattern string) *javadate.Format {
	f, err := javadate.New(pattern, time.Unix(0, 0))
	if err != nil {
		panic(err) // a mistake of the program
	}
	return f
}

// parseTime reads a text that has the length of a date, a time or both.
func parseTime(s string) (parsed, bool) {
	s = strings.ReplaceAll(s, `\:`, ":")
	switch len(s) {
	case len("2006-01-02"):
		ms, ok := isoDate.Parse(s)
		return parsed{data.DateSchema, data.Int32(int32(ms / msPerDay))}, ok //nolint:gosec // four digits of a year
	case len("15:04:05.000Z"):
		ms, ok := isoTime.Parse(s)
		return parsed{data.TimeSchema, data.Int32(int32(ms))}, ok //nolint:gosec // two digits of an hour
	case len("2006-01-02T15:04:05.000Z"):
		ms, ok := isoStamp.Parse(s)
		return parsed{data.TimestampSchema, data.Int64(ms)}, ok
	}
	return parsed{}, false
}

// maxDigits bounds numbers: the unscaled value of a larger exponent would not end.
const maxDigits = 10_000

// parseNumber takes the smallest type that holds a number.
func parseNumber(s string) (parsed, bool) {
	d, ok := javadecimal.Parse(s)
	if !ok {
		return parsed{}, false
	}
	if v, ok := whole(d); ok {
		return v, true
	}
	if d.Scale != 0 {
		if f := d.Float(32); !math.IsInf(f, 0) {
			return parsed{data.Float32Schema, data.Float32(float32(f))}, true
		}
		if f := d.Float(64); !math.IsInf(f, 0) {
			return parsed{data.Float64Schema, data.Float64(f)}, true
		}
	}
	return parsed{data.DecimalSchema(d.Scale), data.Decimal(d.Unscaled)}, true
}

// whole is the integer that a number is, if it is one of at most 64 bits and not within one of zero.
func whole(d javadecimal.Decimal) (parsed, bool) {
	n := new(big.Int).Set(d.Unscaled)
	if n.Sign() != 0 {
		if d.Scale < -20 || d.Scale > maxDigits {
			return parsed{}, false
		}
		power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.Scale, -d.Scale))), nil)
		if d.Scale < 0 {
			n.Mul(n, power)
		} else if rest := new(big.Int); d.Scale > 0 {
			if n.QuoRem(n, power, rest); rest.Sign() != 0 {
				return parsed{}, false
			}
		}
	}
	if !n.IsInt64() {
		return parsed{}, false
	}
	switch i := n.Int64(); {
	case i >= math.MinInt8 && i <= math.MaxInt8:
		return parsed{data.Int8Schema, data.Int8(int8(i))}, true
	case i >= math.MinInt16 && i <= math.MaxInt16:
		return parsed{data.Int16Schema, data.Int16(int16(i))}, true
	case i >= math.MinInt32 && i <= math.MaxInt32:
		return parsed{data.Int32Schema, data.Int32(int32(i))}, true
	default:
		return parsed{data.Int64Schema, data.Int64(i)}, true
	}
}

// merger finds the schema that elements have in common: the widest number, or the same type.
type merger struct {
	common *data.Schema
	apart  bool // there is none
}

func (m *merger) merge(s *data.Schema) {
	number := func(s *data.Schema) bool { return s.Type >= data.KindInt8 && s.Type <= data.KindFloat64 }
	switch {
	case s == nil || m.apart:
	case m.common == nil || m.common.Type == s.Type:
		m.common = s
	case number(m.common) && number(s):
		if s.Type > m.common.Type {
			m.common = s
		}
	default:
		m.common, m.apart = nil, true
	}
}

// align is an element in the common schema. Without one, times are moments.
func (m *merger) align(e parsed) (data.Value, error) {
	v := e.value
	if m.common == nil {
		return bare(e.schema, v), nil
	}
	if v.IsNull() {
		return v, errText
	}
	if e.schema != nil && e.schema.Name != m.common.Name {
		if ms, ok := momentOf(e.schema, v); ok {
			switch m.common.Name {
			case data.TimestampName:
				return data.Int64(ms), nil
			case data.DateName, data.TimeName: // a moment under either's name, which cannot be said here
				return v, errText
			case "":
				return v, errText // a java.util.Date is no number
			}
		}
	}
	if d, ok := decimalOf(e.schema, v); ok && m.common.Name == data.DecimalName { // in Java each keeps its own scale
		common, _ := decimalOf(m.common, v)
		n, ok := rescale(d, common.Scale)
		if !ok {
			return v, errText
		}
		return data.Decimal(n), nil
	}
	if v.Kind() == m.common.Type {
		return v, nil
	}
	if m.common.Name == data.TimeName && (v.Int() < 0 || v.Int() > msPerDay) {
		return v, errText
	}
	float := v.Float()
	if v.Kind() < data.KindFloat32 {
		float = float64(v.Int())
	}
	switch m.common.Type {
	case data.KindInt16:
		return data.Int16(int16(v.Int())), nil //nolint:gosec // it is narrower
	case data.KindInt32:
		return data.Int32(int32(v.Int())), nil //nolint:gosec // it is narrower
	case data.KindInt64:
		return data.Int64(v.Int()), nil
	case data.KindFloat32:
		return data.Float32(float32(float)), nil
	default:
		return data.Float64(float), nil
	}
}

// bare is a value that loses its schema: times are moments, and decimals have their scale, at any depth.
func bare(s *data.Schema, v data.Value) data.Value {
	if s == nil {
		return v
	}
	if ms, ok := momentOf(s, v); ok {
		return data.Moment(ms)
	}
	if d, ok := decimalOf(s, v); ok {
		return data.BigDecimal(d.Unscaled, int32(d.Scale)) //nolint:gosec // a scale has 32 bits
	}
	switch v.Kind() {
	case data.KindArray:
		if s.Elem != nil {
			out := make([]data.Value, len(v.Array()))
			for i, e := range v.Array() {
				out[i] = bare(s.Elem, e)
			}
			return data.Array(out)
		}
	case data.KindMap:
		if s.Key != nil || s.Elem != nil {
			m := &data.Map{}
			for _, e := range v.Map().Entries() {
				m.Put(bare(s.Key, e.Key), bare(s.Elem, e.Value))
			}
			return data.MapOf(m)
		}
	}
	return v
}
