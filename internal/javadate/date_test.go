package javadate

import (
	"errors"
	"math"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func must(t *testing.T, pattern string) *Format {
	t.Helper()
	f, err := New(pattern, now)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAppend_WritesAsSimpleDateFormat(t *testing.T) {
	at := time.Date(2024, 2, 29, 13, 5, 9, 7e6, time.UTC).UnixMilli()
	for pattern, want := range map[string]string{
		"yyyy-MM-dd'T'HH:mm:ss.SSSZ": "2024-02-29T13:05:09.007+0000", "yy M d H m s S": "24 2 29 13 5 9 7", "EEE, d MMM yyyy hh:mm:ss a z": "Thu, 29 Feb 2024 01:05:09 PM UTC",
		"EEEE MMMM G": "Thursday February AD", "YYYY 'week' ww D F u W": "2024 week 09 60 5 4 5", "kk KK h''h XXX": "13 01 1'1 Z", "SSSSSS": "000007", "zzzz": "Coordinated Universal Time", "yyyyMMdd": "20240229",
	} {
		if got := string(must(t, pattern).Append(nil, at)); got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
	for ms, want := range map[int64]string{-12219292800000: "1582-10-15 AD", -12219292800001: "1582-10-04 AD", -62135769600000: "0001-01-01 AD", -62135769600001: "0001-12-31 BC", -1: "1969-12-31 AD"} {
		if got := string(must(t, "yyyy-MM-dd G").Append(nil, ms)); got != want {
			t.Errorf("%d: %q, want %q", ms, got, want)
		}
	}
}

func TestParse_ReadsAsALenientSimpleDateFormat(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          int64
	}{
		{"yyyy-MM-dd", "2024-02-29", 1709164800000}, {"yyyy-MM-dd", "2024-02-29 and more", 1709164800000}, {"yyyy-MM-dd", "2024-14-35", 1741305600000},
		{"yyyyMMddHHmmss", "20240229130509", 1709211909000}, {"yy/MM/dd", "24/02/29", 1709164800000}, {"yy/MM/dd", "99/01/01", 915148800000}, {"yy/MM/dd", "46/01/01", 2398377600000},
		{"yy", "2024", 1704067200000}, {"EEE MMM d HH:mm:ss zzz yyyy", "Thu Feb 29 13:05:09 UTC 2024", 1709211909000}, {"yyyy-MM-dd'T'HH:mm:ssX", "2024-02-29T13:05:09+02", 1709204709000},
		{"yyyy-MM-dd'T'HH:mm:ssXXX", "2024-02-29T13:05:09-02:30", 1709220909000}, {"yyyy-MM-dd'T'HH:mm:ssZ", "2024-02-29T13:05:09+0200", 1709204709000},
		{"yyyy-MM-dd HH:mm z", "2024-02-29 13:05 GMT-1:00", 1709215500000}, {"hh:mm a", "12:30 am", 1800000}, {"hh:mm a", "12:30 PM", 45000000}, {"kk", "24", 0}, {"yyyy D", "2024 60", 1709164800000},
		{"EEE yyyy", "Thu 2024", 1704326400000}, {"u yyyy", "3 2024", 1704240000000}, {"MMMM yyyy", "february 2024", 1706745600000}, {"HH:mm:ss.SSS", "25:61:61.1234", 93722234}, {"yyyy-MM-dd", "  2024-02-29", 1709164800000}, {"yyyy G", "1 BC", -62167392000000}, {"yyyy-MM-dd", "-1-1-1", -62198928000000},
	} {
		got, ok := must(t, c.pattern).Parse(c.text)
		if !ok || got != c.want {
			t.Errorf("%s of %q: %d %v, want %d", c.text, c.pattern, got, ok, c.want)
		}
	}
	for _, c := range [][2]string{{"yyyy-MM-dd", "x"}, {"yyyy-MM-dd", "2024/02/29"}, {"yyyy-MM-dd", ""}, {"MMM", "Foo"}, {"X", "+2"}, {"Z", "+02:00"}, {"z", "Mars"}, {"yyyyMMdd", "202402"}} {
		if got, ok := must(t, c[0]).Parse(c[1]); ok {
			t.Errorf("%q of %q: %d", c[1], c[0], got)
		}
	}
}

func TestNew_RefusesWhatJavaRefusesAndReadableWhatCannotBeRead(t *testing.T) {
	for _, pattern := range []string{"yyyy-bb", "'open", "XXXX", "yyyyTHH"} {
		if _, err := New(pattern, now); !errors.Is(err, ErrPattern) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	if err := must(t, "YYYY-MM-dd").Readable(); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	if err := must(t, "yyyy-MM-dd 'Yw'").Readable(); err != nil {
		t.Error(err)
	}
}

func TestRoundTrip_WhatIsWrittenIsRead(t *testing.T) {
	f := must(t, "G yyyy-MM-dd'T'HH:mm:ss.SSSZ")
	for ms := int64(-70_000_000_000_000); ms < 10_000_000_000_000; ms += 86_400_000*11 + 12_345_678 {
		if got, ok := f.Parse(string(f.Append(nil, ms))); !ok || got != ms {
			t.Fatalf("%d: %s is read as %d", ms, f.Append(nil, ms), got)
		}
	}
}

func FuzzParse_AnyTextIsReadOrNotAndAnyMomentWritten(f *testing.F) {
	f.Add("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2024-02-29T13:05:09.007+0000", int64(1))
	f.Add("EEE MMM d z G a", "Thu Feb 29 UTC AD PM", int64(math.MinInt64))
	f.Add("yyyyMMddHHmmssSSS", "20240229130509007", int64(math.MaxInt64))
	f.Add("YYYY-'W'ww-u K k h X XXX", "'", int64(-62135596800000))
	f.Fuzz(func(t *testing.T, pattern, text string, moment int64) {
		p, err := New(pattern, now)
		if err != nil {
			if !errors.Is(err, ErrPattern) && !errors.Is(err, ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		once := string(p.Append(nil, moment))
		if again := string(p.Append(nil, moment)); again != once {
			t.Fatalf("%q: %d is %q, then %q", pattern, moment, once, again)
		}
		r := NewRecent(p)
		for _, ms := range []int64{moment, moment, moment + 1, moment - 1, moment + 999, moment - 1000, moment} {
			if got, want := string(r.Append([]byte("x"), ms)), "x"+string(p.Append(nil, ms)); got != want {
				t.Fatalf("%q: %d is %q, and after a moment like it %q", pattern, ms, want, got)
			}
		}
		if err := p.Readable(); err != nil {
			if !errors.Is(err, ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		if ms, ok := p.Parse(text); ok {
			p.Append(nil, ms)
		}
		for _, s := range []string{text, text, string(p.Append(nil, moment)), text} {
			ms, ok := p.Parse(s)
			if ms2, ok2 := r.Parse(s); ok2 != ok || ok && ms2 != ms {
				t.Fatalf("%q: %q is %d, %v, and after a text like it %d, %v", pattern, s, ms, ok, ms2, ok2)
			}
		}
	})
}
