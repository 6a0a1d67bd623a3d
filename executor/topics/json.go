package topics

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// AppendString appends s as a JSON string with the bytes that Jackson writes: no HTML escapes, characters
// outside the BMP as two escaped surrogates, upper-case hex.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\b':
				dst = append(dst, '\\', 'b')
			case '\t':
				dst = append(dst, '\\', 't')
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\f':
				dst = append(dst, '\\', 'f')
			case '\r':
				dst = append(dst, '\\', 'r')
			default:
				if c < 0x20 {
					dst = appendEscape(dst, uint16(c))
				} else {
					dst = append(dst, c)
				}
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r > 0xFFFF {
			hi, lo := utf16.EncodeRune(r)
			dst = appendEscape(appendEscape(dst, uint16(hi)), uint16(lo))
			continue
		}
		dst = utf8.AppendRune(dst, r)
	}
	return append(dst, '"')
}

func appendEscape(dst []byte, u uint16) []byte {
	return append(dst, '\\', 'u', hexDigits[u>>12], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}

// appendPrimitive appends one value of a partition or offset map.
func appendPrimitive(dst []byte, key string, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return AppendString(dst, v), nil
	case []byte:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v)
		return append(dst, '"'), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int8:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int16:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint8:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint16:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case float32:
		return appendDouble(dst, key, float64(v), 32)
	case float64:
		return appendDouble(dst, key, v, 64)
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return strconv.AppendInt(dst, i, 10), nil
		}
		f, err := v.Float64()
		if err != nil {
			return dst, fmt.Errorf("%w: %q is %q, which is no number", ErrUnsupported, key, v)
		}
		return appendDouble(dst, key, f, 64)
	default:
		return dst, fmt.Errorf("%w: %q holds a %T: use a string, number, boolean, bytes or null", ErrUnsupported, key, v)
	}
}

// appendDouble writes a number as Java's Double.toString (Float.toString for 32 bits) does.
func appendDouble(dst []byte, key string, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, fmt.Errorf("%w: %q is %v, which JSON does not have", ErrUnsupported, key, f)
	}
	if abs := math.Abs(f); f == 0 || (abs >= 1e-3 && abs < 1e7) {
		at := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
		if bytes.IndexByte(dst[at:], '.') < 0 {
			dst = append(dst, ".0"...)
		}
		return dst, nil
	}
	s := strconv.FormatFloat(f, 'e', -1, bits)
	mantissa, exp, _ := strings.Cut(s, "e")
	dst = append(dst, mantissa...)
	if !strings.Contains(mantissa, ".") {
		dst = append(dst, ".0"...)
	}
	n, err := strconv.Atoi(exp)
	if err != nil {
		return dst, fmt.Errorf("%w: %q: exponent of %q (bug)", ErrUnsupported, key, s)
	}
	dst = append(dst, 'E')
	return strconv.AppendInt(dst, int64(n), 10), nil
}

// appendMap writes a map's entries in the given order of keys; nil as null.
func appendMap(dst []byte, m map[string]any, keys []string) ([]byte, error) {
	if m == nil {
		return append(dst, "null"...), nil
	}
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, k), ':')
		var err error
		if dst, err = appendPrimitive(dst, k, m[k]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// JavaHash is String.hashCode: over UTF-16 units, in 32 bits.
func JavaHash(s string) int32 {
	var h int32
	for _, r := range s {
		if r > 0xFFFF {
			hi, lo := utf16.EncodeRune(r)
			h = 31*(31*h+hi) + lo
			continue
		}
		h = 31*h + r
	}
	return h
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// HashMapOrder returns the keys in the order in which a Java HashMap would hand them out. Keys in one
// bucket come in alphabetical order: Java's order there is that of insertion, which nobody knows.
func HashMapOrder[V any](m map[string]V) []string {
	keys := sortedKeys(m)
	capacity := 16
	for len(keys)*4 > capacity*3 {
		capacity *= 2
	}
	bucket := func(k string) uint32 {
		h := uint32(JavaHash(k))
		return (h ^ h>>16) & uint32(capacity-1)
	}
	sort.SliceStable(keys, func(i, j int) bool { return bucket(keys[i]) < bucket(keys[j]) })
	return keys
}

// decode reads one JSON text with nothing after it; numbers stay json.Number.
func decode(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: text after the value", ErrMalformed)
	}
	return nil
}

// numbers turns json.Number into what Kafka Connect's reader makes of it: integers become int64,
// fractions float64.
func numbers(m map[string]any) error {
	for k, v := range m {
		n, ok := v.(json.Number)
		if !ok {
			switch v.(type) {
			case map[string]any, []any:
				return fmt.Errorf("%w: %q is not a primitive value", ErrMalformed, k)
			}
			continue
		}
		if i, err := n.Int64(); err == nil {
			m[k] = i
			continue
		}
		f, err := n.Float64()
		if err != nil {
			return fmt.Errorf("%w: %q is %q", ErrMalformed, k, n)
		}
		m[k] = f
	}
	return nil
}
