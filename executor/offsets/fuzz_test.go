package offsets

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// javaFile is what FileOffsetBackingStore writes of some records, in Java's object serialisation.
func javaFile(pairs ...[2]string) []byte {
	b := append([]byte{}, javaMagic...)
	class := func(name string, uid string, fields string) {
		b = append(b, tagClass, byte(len(name)>>8), byte(len(name)))
		b = append(b, name...)
		b = append(b, uid...)
		b = append(b, fields...)
		b = append(b, tagBlockEnd, tagNull)
	}
	b = append(b, tagObject)
	class("java.util.HashMap", "\x05\x07\xda\xc1\xc3\x16\x60\xd1", "\x03\x00\x02F\x00\x0aloadFactorI\x00\x09threshold")
	b = append(b, "\x3f\x40\x00\x00\x00\x00\x00\x0c"...)
	b = append(b, tagBlock, 8, 0, 0, 0, 16, 0, 0, 0, byte(len(pairs)))
	first := true
	for _, p := range pairs {
		for _, s := range p {
			b = append(b, tagArray)
			if first {
				class("[B", "\xac\xf3\x17\xf8\x06\x08\x54\xe0", "\x02\x00\x00")
				first = false
			} else {
				b = append(b, tagReference, 0, 0x7E, 0, 2)
			}
			b = append(b, 0, 0, byte(len(s)>>8), byte(len(s)))
			b = append(b, s...)
		}
	}
	return append(b, tagBlockEnd)
}

// FuzzFile_WhatIsReadIsReadAgain: offset files of Kafka Connect's standalone workers, and Sluice's own.
func FuzzFile_WhatIsReadIsReadAgain(f *testing.F) {
	f.Add(javaFile([2]string{`["c",{"p":1}]`, `{"o":2}`}, [2]string{`["c",{"p":2}]`, `{"o":9007199254740993}`}))
	f.Add(javaFile([2]string{"x", "y"}))
	f.Add(javaFile())
	f.Add([]byte(`{"sluice.offsets":1,"records":[{"key":"[\"c\",{\"p\":1}]","value":"{\"o\":2}"},{"key":"x","value":"y"}]}`))
	f.Add(append(append([]byte{}, javaMagic...), tagObject, tagReference, 0xff, 0xff, 0xff, 0xff))
	path := filepath.Join(f.TempDir(), "offsets")
	log := slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		once, err := OpenFile(path, log)
		if err != nil {
			return
		}
		if err := once.save(); err != nil {
			t.Fatal(err)
		}
		again, err := OpenFile(path, log)
		if err != nil {
			t.Fatalf("%q was read, and what was written of it cannot be: %v", b, err)
		}
		for connector := range once.tables {
			want, err := once.List(t.Context(), connector)
			got, err2 := again.List(t.Context(), connector)
			if (err == nil) != (err2 == nil) || !reflect.DeepEqual(got, want) { // a value that is no offset stays one
				t.Fatalf("%q: %v, and then %v (%v, %v)", b, want, got, err, err2)
			}
		}
		if !reflect.DeepEqual(once.other, again.other) {
			t.Fatalf("%q: %q, and then %q", b, once.other, again.other)
		}
	})
}
