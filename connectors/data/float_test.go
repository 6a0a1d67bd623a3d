package data

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAppendFloat_IsTheShortestTextWithAPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(rapid.Float64Range(-1e7, 1e7), rapid.Map(rapid.Int64Range(-1e11, 1e11), func(n int64) float64 { return float64(n) / 1e4 }),
			rapid.Map(rapid.Int64Range(-1e9, 1e9), func(n int64) float64 { return math.Nextafter(float64(n)/1e3, 0) }),
			rapid.Map(rapid.Int64Range(-1e9, 1e9), func(n int64) float64 { return float64(n) / 1e2 })).Draw(t, "f")
		if a := math.Abs(f); a != 0 && (a < 1e-3 || a >= 1e7) {
			return
		}
		want := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(want, ".") {
			want += ".0"
		}
		if got := string(AppendFloat([]byte("x"), f, 64)); got != "x"+want {
			t.Fatalf("%v: %s, want x%s", f, got, want)
		}
	})
}
