// Package javadecimal is what of java.math.BigDecimal Kafka Connect's data needs.
package javadecimal

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Decimal is Unscaled x 10^-Scale.
type Decimal struct {
	Unscaled *big.Int
	Scale    int
}

var decimalText = regexp.MustCompile(`^([-+]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([-+]?[0-9]{1,10}))?$`)

// Parse reads what BigDecimal's constructor takes.
func Parse(s string) (Decimal, bool) {
	m := decimalText.FindStringSubmatch(s)
	if m == nil || m[2] == "" && m[3] == "" {
		return Decimal{}, false
	}
	exp := int64(0)
	if m[4] != "" {
		var err error
		if exp, err = strconv.ParseInt(m[4], 10, 64); err != nil {
			return Decimal{}, false
		}
	}
	scale := int64(len(m[3])) - exp
	if scale > math.MaxInt32 || scale < math.MinInt32 {
		return Decimal{}, false
	}
	n, ok := new(big.Int).SetString(m[2]+m[3], 10)
	if !ok {
		return Decimal{}, false
	}
	if m[1] == "-" {
		n.Neg(n)
	}
	return Decimal{n, int(scale)}, true
}

// String is BigDecimal.toString.
func (d Decimal) String() string {
	digits := new(big.Int).Abs(d.Unscaled).String()
	sign := ""
	if d.Unscaled.Sign() < 0 {
		sign = "-"
	}
	if d.Scale == 0 {
		return sign + digits
	}
	adjusted := len(digits) - 1 - d.Scale
	if d.Scale > 0 && adjusted >= -6 {
		if pad := d.Scale - len(digits); pad >= 0 {
			return sign + "0." + strings.Repeat("0", pad) + digits
		}
		at := len(digits) - d.Scale
		return sign + digits[:at] + "." + digits[at:]
	}
	out := sign + digits[:1]
	if len(digits) > 1 {
		out += "." + digits[1:]
	}
	if adjusted != 0 {
		out += "E"
		if adjusted > 0 {
			out += "+"
		}
		out += strconv.Itoa(adjusted)
	}
	return out
}

// Long is BigDecimal.longValue: the integer part's lowest 64 bits.
func (d Decimal) Long() int64 {
	digits := len(d.Unscaled.String()) // one more where negative
	switch {
	case d.Unscaled.Sign() == 0, d.Scale <= -64, d.Scale > digits:
		return 0
	}
	n := new(big.Int).Set(d.Unscaled)
	power := func(e int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(e)), nil) }
	if d.Scale > 0 {
		n.Quo(n, power(d.Scale))
	} else {
		n.Mul(n, power(-d.Scale))
	}
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))
	return int64(low.Uint64()) //nolint:gosec // the lowest 64 bits
}

// Float is BigDecimal.doubleValue or, of 32 bits, floatValue.
func (d Decimal) Float(bits int) float64 {
	f, _ := strconv.ParseFloat(d.String(), bits) // infinite where it is out of range
	return f
}

// Saturate is Java's conversion of a double to a long, or to an int.
func Saturate(f float64, low, high int64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= float64(high):
		return high
	case f <= float64(low):
		return low
	}
	return int64(f)
}
