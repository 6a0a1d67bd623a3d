package transform

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadecimal"
)

// decimalOf is the value of a Decimal schema, or a decimal without one.
func decimalOf(s *data.Schema, v data.Value) javadecimal.Decimal {
	if n, scale := v.BigDecimal(); n != nil {
		return javadecimal.Decimal{Unscaled: n, Scale: int(scale)}
	}
	text, _ := s.Param(data.ScaleParameter)
	scale, _ := strconv.Atoi(text) // a Decimal without scale is no Decimal that a converter reads
	return javadecimal.Decimal{Unscaled: data.Unscaled(v), Scale: scale}
}

var floatText = regexp.MustCompile(`^[-+]?(NaN|Infinity|(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|0[xX]([0-9a-fA-F]+\.?|[0-9a-fA-F]*\.[0-9a-fA-F]+)[pP][-+]?[0-9]+)[fFdD]?)$`)

// parseFloat is Double.parseDouble or Float.parseFloat.
func parseFloat(s string, bits int) (float64, bool) {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if !floatText.MatchString(s) {
		return 0, false
	}
	s = strings.TrimRight(s, "fFdD") // hexadecimal digits end before the exponent
	f, err := strconv.ParseFloat(s, bits)
	if err != nil && !math.IsInf(f, 0) && f != 0 {
		return 0, false
	}
	return f, true
}

// parseInteger is Byte.parseByte and its like.
func parseInteger(s string, bits int) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, bits)
	return n, err == nil && s != ""
}
