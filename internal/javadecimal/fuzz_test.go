package javadecimal

import (
	"math"
	"math/big"
	"testing"
)

func FuzzParse_ReadsBackWhatItWrites(f *testing.F) {
	for _, s := range []string{"1e400", "-0.000000123", "18446744073709551616", "1E+2147483647", "1E-2147483647", ".5", "5.", "+1", "00.10e-3", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := Parse(s)
		if !ok {
			return
		}
		text := d.String()
		if again, ok := Parse(text); !ok || again.Scale != d.Scale || again.Unscaled.Cmp(d.Unscaled) != 0 {
			t.Fatalf("%q is %s, and that is %v", s, text, again)
		}
		long, double := d.Long(), d.Float(64)
		d.Float(32)
		if d.Scale < -300 || d.Scale > 300 {
			return // the rational number would take the memory that Long and Float must not
		}
		r, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q is no number", text)
		}
		whole := new(big.Int).Quo(r.Num(), r.Denom())
		if low := new(big.Int).And(whole, new(big.Int).SetUint64(math.MaxUint64)); int64(low.Uint64()) != long { //nolint:gosec // the lowest 64 bits
			t.Fatalf("%q as a long is %d, want %s", s, long, low)
		}
		if want, _ := r.Float64(); want != double {
			t.Fatalf("%q as a double is %g, want %g", s, double, want)
		}
	})
}
