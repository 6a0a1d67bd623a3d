package data

import (
	"math"
	"strconv"
	"strings"
)

// AppendFloat appends a number as Java's Double.toString or, with 32 bits, Float.toString: a point always, an exponent outside of [1e-3, 1e7).
func AppendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-3 || a >= 1e7) {
		s := strconv.FormatFloat(f, 'E', -1, bits)
		mantissa, exp, _ := strings.Cut(s, "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		exp = strings.TrimPrefix(exp, "+")
		neg := strings.HasPrefix(exp, "-")
		exp = strings.TrimLeft(strings.TrimPrefix(exp, "-"), "0")
		if neg {
			exp = "-" + exp
		}
		return append(dst, mantissa+"E"+exp...)
	}
	if bits == 64 {
		if out, ok := appendShort(dst, f); ok {
			return out
		}
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
	if !strings.Contains(string(dst[n:]), ".") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// appendShort appends a number below 1e7 that has three digits after the point at most. Of all decimals of up to 15 digits no more than one
// is read as a number, so the one that is found is the shortest.
func appendShort(dst []byte, f float64) ([]byte, bool) {
	if math.Signbit(f) {
		f, dst = -f, append(dst, '-')
	}
	for places, by := 1, 10.0; places <= 3; places, by = places+1, by*10 {
		n := int64(f*by + 0.5)
		if float64(n)/by != f {
			continue
		}
		whole := n / int64(by)
		dst = append(strconv.AppendInt(dst, whole, 10), '.')
		switch rest := n - whole*int64(by); places {
		case 3:
			return append(dst, '0'+byte(rest/100), '0'+byte(rest/10%10), '0'+byte(rest%10)), true
		case 2:
			return append(dst, '0'+byte(rest/10), '0'+byte(rest%10)), true
		default:
			return append(dst, '0'+byte(rest)), true
		}
	}
	return dst, false
}
