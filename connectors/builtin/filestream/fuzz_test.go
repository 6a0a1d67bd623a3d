package filestream

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzLines_AreJavasHoweverTheyAreRead: step is how many bytes each read brings.
func FuzzLines_AreJavasHoweverTheyAreRead(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\n\n\xff\x00"), uint8(1))
	f.Add([]byte("\r\r\n"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, step uint8) {
		var l lines
		l.reset(0)
		l.buf = make([]byte, minRead+8) // compacts and grows
		var got []line
		for rest := text; len(rest) > 0; {
			room, err := l.room()
			if err != nil {
				t.Fatal(err)
			}
			n := copy(room, rest[:min(len(rest), int(step)+1)])
			l.added(n)
			rest = rest[n:]
			for s, ok := l.next(); ok; s, ok = l.next() {
				got = append(got, line{string(s), l.pos})
			}
		}
		if d := cmp.Diff(javaLines(text), got); d != "" {
			t.Fatal(d)
		}
	})
}
