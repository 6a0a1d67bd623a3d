package dialect

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/data"
)

// Read makes a value of what a driver gave for a column: for a Numeric or Decimal an unscaled number of the column's scale,
// for a Date days, for a Time milliseconds since midnight. Timestamps are read by ReadTime. Errors wrap ErrValue.
func Read(c Column, v any) (data.Value, error) {
	if v == nil {
		return data.Null(), nil
	}
	switch c.Kind {
	case Bool:
		return readBool(c, v)
	case Int8, Int16, Int32, Int64:
		n, err := readInt(c, v)
		if err != nil {
			return data.Null(), err
		}
		return integer(c, n)
	case Float32, Float64:
		f, err := readFloat(c, v)
		if err != nil {
			return data.Null(), err
		}
		if c.Kind == Float32 {
			return data.Float32(float32(f)), nil
		}
		return data.Float64(f), nil
	case Numeric, Decimal:
		return readDecimal(c, v)
	case String:
		return data.String(text(c, v)), nil
	case Bytes:
		switch b := v.(type) {
		case []byte:
			return data.Bytes(b), nil
		case string:
			return data.Bytes([]byte(b)), nil
		}
	case Date:
		t, err := readDate(c, v)
		if err != nil {
			return data.Null(), err
		}
		return data.Date(reread(t, time.UTC)), nil
	case Time:
		return readTimeOfDay(c, v)
	}
	return data.Null(), unread(c, v)
}

// unread does not show the value: it may be anything, and the message goes into the task's status.
func unread(c Column, v any) error {
	return fmt.Errorf("%w: the column %s of type %s has one of Go's type %T", ErrValue, c.Name, c.Type, v)
}

// text is a value as a string.
func text(c Column, v any) string {
	switch s := v.(type) {
	case string:
		return s
	case []byte:
		if c.Type == "UNIQUEIDENTIFIER" && len(s) == 16 { // its first three groups are little-endian
			return fmt.Sprintf("%X-%X-%X-%X-%X", []byte{s[3], s[2], s[1], s[0]}, []byte{s[5], s[4]}, []byte{s[7], s[6]}, s[8:10], s[10:])
		}
		return string(s)
	case time.Time:
		return s.Format(wallClock)
	default:
		return fmt.Sprint(v)
	}
}

func readBool(c Column, v any) (data.Value, error) {
	switch b := v.(type) {
	case bool:
		return data.Bool(b), nil
	case int64:
		return data.Bool(b != 0), nil
	}
	b, err := strconv.ParseBool(text(c, v))
	if err != nil {
		return data.Null(), unread(c, v)
	}
	return data.Bool(b), nil
}

func readInt(c Column, v any) (int64, error) {
	switch n := v.(type) {
	case int64:
		return n, nil
	case uint64:
		if n > math.MaxInt64 {
			return 0, fmt.Errorf("%w: the column %s of type %s has one above 2^63-1", ErrValue, c.Name, c.Type)
		}
		return int64(n), nil
	case bool:
		if n {
			return 1, nil
		}
		return 0, nil
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), nil
		}
		return 0, fmt.Errorf("%w: the column %s of type %s has one that is no whole number", ErrValue, c.Name, c.Type)
	case []byte:
		if c.Type == "BIT" { // MySQL's, big-endian
			if len(n) > 8 {
				return 0, unread(c, v)
			}
			out := uint64(0)
			for _, b := range n {
				out = out<<8 | uint64(b)
			}
			return readInt(c, out)
		}
	}
	n, err := strconv.ParseInt(text(c, v), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: the column %s of type %s has one that is no whole number of 64 bits", ErrValue, c.Name, c.Type)
	}
	return n, nil
}

func integer(c Column, n int64) (data.Value, error) {
	switch {
	case c.Kind == Int64:
		return data.Int64(n), nil
	case c.Kind == Int32 && n == int64(int32(n)): //nolint:gosec // compared
		return data.Int32(int32(n)), nil //nolint:gosec // as above
	case c.Kind == Int16 && n == int64(int16(n)): //nolint:gosec // compared
		return data.Int16(int16(n)), nil //nolint:gosec // as above
	case c.Kind == Int8 && n == int64(int8(n)): //nolint:gosec // compared
		return data.Int8(int8(n)), nil //nolint:gosec // as above
	}
	return data.Null(), fmt.Errorf("%w: the column %s of type %s has one that is too large for its schema: cast it in a query", ErrValue, c.Name, c.Type)
}

func readFloat(c Column, v any) (float64, error) {
	switch f := v.(type) {
	case float64:
		return f, nil
	case float32:
		return float64(f), nil
	case int64:
		return float64(f), nil
	}
	s := text(c, v)
	if c.Type == "MONEY" {
		s = strings.NewReplacer("$", "", ",", "").Replace(s)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, unread(c, v)
	}
	return f, nil
}

// readDecimal brings a decimal number to the column's scale. Digits behind it are an error, never rounded.
func readDecimal(c Column, v any) (data.Value, error) {
	s := ""
	switch f := v.(type) {
	case float64:
		s = strconv.FormatFloat(f, 'f', -1, 64)
	default:
		s = text(c, v)
	}
	unscaled, scale, ok := ParseDecimal(s)
	if !ok {
		return data.Null(), fmt.Errorf("%w: the column %s of type %s has one that is no finite decimal number", ErrValue, c.Name, c.Type)
	}
	if unscaled, ok = Rescale(unscaled, scale, c.Scale); !ok {
		return data.Null(), fmt.Errorf("%w: the column %s of type %s has one with more than the %d digits behind the point of its schema: give the column a scale, cast it in a query, or set numeric.mapping=best_fit_eager_double",
			ErrValue, c.Name, c.Type, c.Scale)
	}
	return data.Decimal(unscaled), nil
}

// ParseDecimal reads a decimal number, with or without an exponent.
func ParseDecimal(s string) (unscaled *big.Int, scale int, ok bool) {
	mantissa, exp, hasExp := strings.Cut(strings.ToLower(strings.TrimSpace(s)), "e")
	if hasExp {
		n, err := strconv.Atoi(exp)
		if err != nil || n < -1<<16 || n > 1<<16 {
			return nil, 0, false
		}
		scale = -n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	unscaled, ok = new(big.Int).SetString(whole+fraction, 10)
	return unscaled, scale + len(fraction), ok
}

// Rescale brings an unscaled number from one scale to another; not ok where digits would be lost.
func Rescale(n *big.Int, from, to int) (*big.Int, bool) {
	if from == to {
		return n, true
	}
	factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(from-to, to-from))), nil)
	if to > from {
		return factor.Mul(factor, n), true
	}
	rest := new(big.Int)
	q, rest := new(big.Int).QuoRem(n, factor, rest)
	return q, rest.Sign() == 0
}

func readDate(c Column, v any) (time.Time, error) {
	switch t := v.(type) {
	case time.Time:
		return t, nil
	case int64:
		if c.Type == "YEAR" {
			return time.Date(int(t), 1, 1, 0, 0, 0, 0, time.UTC), nil
		}
		return time.UnixMilli(t).UTC(), nil // as SQLite's Java driver writes it
	}
	s := text(c, v)
	if c.Type == "YEAR" {
		s += "-01-01"
	}
	for _, form := range []string{"2006-01-02", wallClock, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: the column %s of type %s has one that is no date", ErrValue, c.Name, c.Type)
}

func readTimeOfDay(c Column, v any) (data.Value, error) {
	if t, ok := v.(time.Time); ok {
		return data.Int32(int32((t.Hour()*3600+t.Minute()*60+t.Second())*1000 + t.Nanosecond()/1e6)), nil //nolint:gosec // below a day
	}
	s := text(c, v)
	for _, form := range []string{"15:04:05.999999999", "15:04:05.999999999-07", "15:04:05.999999999-07:00"} {
		if t, err := time.Parse(form, s); err == nil {
			if form != "15:04:05.999999999" {
				t = t.UTC()
			}
			return data.Int32(int32((t.Hour()*3600+t.Minute()*60+t.Second())*1000 + t.Nanosecond()/1e6)), nil //nolint:gosec // below a day
		}
	}
	return data.Null(), fmt.Errorf("%w: the column %s of type %s has one that is no time of day", ErrValue, c.Name, c.Type)
}

// ReadTime makes a moment of what a driver gave for a Timestamp, read in zone, or an Instant. ok is false for null.
func ReadTime(c Column, v any, zone *time.Location) (t time.Time, ok bool, err error) {
	switch x := v.(type) {
	case nil:
		return t, false, nil
	case time.Time:
		if c.Kind == Instant {
			return x, true, nil
		}
		return reread(x, zone), true, nil
	case int64:
		return time.UnixMilli(x), true, nil // as SQLite's Java driver writes it
	}
	s := text(c, v)
	for _, form := range []string{wallClock, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			return t, true, nil
		}
	}
	for _, form := range []string{"2006-01-02 15:04:05.999999999Z07:00", time.RFC3339Nano} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true, nil
		}
	}
	return t, false, fmt.Errorf("%w: the column %s of type %s has one that is no date and time of day", ErrValue, c.Name, c.Type)
}
