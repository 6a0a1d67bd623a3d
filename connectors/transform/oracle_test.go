package transform_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/internal/oracle"
	"github.com/sluice-project/sluice/connectors/predicate"
	"github.com/sluice-project/sluice/connectors/transform"
)

var update = flag.Bool("update", false, "write how many vectors there are into docs/transforms.md")

// class is a transform or a predicate.
type class struct {
	def func() *configdef.Def
	t   func() transform.Transform
	p   func() predicate.Predicate
}

func classes() map[string]class {
	out := map[string]class{}
	for _, i := range transform.Builtin() {
		out[i.Class] = class{def: i.Config, t: i.New}
	}
	for _, i := range predicate.Builtin() {
		out[i.Class] = class{def: i.Config, p: i.New}
	}
	return out
}

// TestOracle_EveryRecordBecomesWhatKafkaConnectMakesOfIt replays what the real classes answered.
func TestOracle_EveryRecordBecomesWhatKafkaConnectMakesOfIt(t *testing.T) {
	known := classes()
	asked, other := map[string]int{}, map[string]int{}
	arena := &data.Arena{}
	for _, v := range vectors(t) {
		c, ok := known[v.Class]
		if !ok {
			t.Fatalf("no class %s", v.Class)
		}
		if v.CErr == nil && v.In == nil {
			continue
		}
		asked[v.Class]++
		at := fmt.Sprintf("%s:%d %v", v.file, v.line, v.Config)
		got, err := replay(v, c, arena)
		arena.Reset()
		var u oracle.Unlike
		if errors.As(err, &u) {
			other[string(u)]++
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		want, err := expected(v)
		if errors.As(err, &u) {
			other[string(u)]++
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if got != want && !differs(v, got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", at, got, want)
		}
	}
	for name := range known {
		asked[name] += 0
	}
	oracle.Counts(t, "../../docs/transforms.md", *update, asked, other)
}

// replay is what comes of a vector here.
func replay(v *vector, c class, arena *data.Arena) (string, error) {
	if c.p != nil {
		p := c.p()
		if err := p.Configure(v.Config); err != nil {
			return "config: " + err.Error(), nil //nolint:nilerr // it is an answer
		}
		in, err := v.record(v.In)
		if err != nil {
			return "", err
		}
		match := []bool{false}
		p.Test([]*transform.Record{in}, match)
		return fmt.Sprint("match ", match[0]), nil
	}
	tr := c.t()
	if err := tr.Configure(v.Config); err != nil {
		return "config: " + err.Error(), nil //nolint:nilerr // it is an answer
	}
	if v.In == nil {
		return "configured", nil
	}
	in, err := v.record(v.In)
	if err != nil {
		return "", err
	}
	before := show(in)
	copied := *in
	tr.Apply(&transform.Batch{Records: []*transform.Record{&copied}, Arena: arena})
	if show(in) != before {
		return "", fmt.Errorf("what was handed in has changed:\n%s\n%s", before, show(in))
	}
	switch {
	case copied.Err != nil:
		var e *transform.Error
		if !errors.As(copied.Err, &e) {
			return "", copied.Err
		}
		copied.Err = nil
		if show(&copied) != before {
			return "", fmt.Errorf("a record that failed has changed:\n%s\n%s", before, show(&copied))
		}
		return "error " + e.Class + ": " + e.Message, nil
	case copied.Dropped:
		return "dropped", nil
	}
	return show(&copied), nil
}

// expected is what came of it there.
func expected(v *vector) (string, error) {
	switch {
	case v.CErr != nil:
		return "config: " + *v.CErr[1], nil
	case v.Match != nil:
		return fmt.Sprint("match ", *v.Match), nil
	case v.Err != nil:
		message := ""
		if v.Err[1] != nil {
			message = *v.Err[1]
		}
		return "error " + *v.Err[0] + ": " + message, nil
	case v.Drop:
		return "dropped", nil
	}
	r, err := v.record(v.Out)
	if err != nil {
		return "", err
	}
	r.Offset = -1
	if v.In.Off != nil {
		r.Offset = *v.In.Off
	}
	return show(r), nil
}

// differs says whether two answers may differ: errors of one kind whose words hold what is only Java's.
func differs(v *vector, got, want string) bool {
	for _, words := range []string{"error java.lang.NullPointerException: ", "error java.lang.ClassCastException: ",
		"error org.apache.kafka.connect.errors.DataException: Timestamp missing on record: ",
		"error org.apache.kafka.connect.errors.DataException: Invalid Java object for schema"} {
		if strings.HasPrefix(got, words) && strings.HasPrefix(want, words) {
			return true
		}
	}
	// Java's maps are of many classes; and of several fields that cannot be taken it names any.
	want = strings.ReplaceAll(want, "java.util.LinkedHashMap", "java.util.HashMap")
	const data = "error org.apache.kafka.connect.errors.DataException: "
	several := strings.Contains(v.Class, ".Cast$") || strings.Contains(v.Class, ".MaskField$")
	if got == want || several && strings.HasPrefix(got, data) && strings.HasPrefix(want, data) {
		return true
	}
	return strings.HasPrefix(got, "config: ") && strings.HasPrefix(want, "config: ")
}

// TestOracle_DefinitionsAreKafkas compares names, types, defaults, importance, documentation and valid values.
func TestOracle_DefinitionsAreKafkas(t *testing.T) {
	known := classes()
	for _, v := range vectors(t) {
		if v.Def == nil {
			continue
		}
		var want, got []string
		for _, d := range v.Def {
			want = append(want, fmt.Sprintln(d.Name, d.Type, d.Required, str(d.Default), d.Importance, str(d.Valid), "|", d.Doc))
		}
		for _, k := range known[v.Class].def().Keys() {
			valid := "<null>"
			if k.Validator != nil && (k.Name != "format" || k.Validator.String() != "") { // the one that Kafka does not have
				valid = k.Validator.String()
			}
			got = append(got, fmt.Sprintln(k.Name, k.Type, k.Required, str(k.Default), k.Importance, valid, "|", k.Doc))
		}
		slices.Sort(want)
		slices.Sort(got)
		for i := range max(len(want), len(got)) {
			if i >= len(want) || i >= len(got) || want[i] != got[i] {
				t.Errorf("%s\ngot  %v\nwant %v", v.Class, got[min(i, len(got)-1)], want[min(i, len(want)-1)])
				break
			}
		}
	}
}

func str(s *string) string {
	if s == nil {
		return "<null>"
	}
	return *s
}

// TestOracle_ValidationSaysWhatKafkaConnectSays compares values and messages, key by key.
func TestOracle_ValidationSaysWhatKafkaConnectSays(t *testing.T) {
	known := classes()
	n := 0
	for _, v := range vectors(t) {
		if v.Val == nil {
			continue
		}
		n++
		want, got := map[string]string{}, map[string]string{}
		for _, entry := range v.Val {
			want[*entry[0]] = str(entry[1])
			for _, e := range entry[2:] {
				want[*entry[0]] += "\n  " + *e
			}
		}
		for _, x := range known[v.Class].def().Validate(v.Config) {
			got[x.Name] = str(x.Value)
			for _, e := range x.Errors {
				got[x.Name] += "\n  " + e
			}
		}
		for name, w := range want {
			if got[name] != w && !javas(got[name], w) {
				t.Errorf("%s:%d %s of %q\ngot  %s\nwant %s", v.file, v.line, name, v.Config, got[name], w)
			}
		}
	}
	if n < 1000 {
		t.Errorf("%d validations", n)
	}
}

// javas says whether the words differ in what a JVM says of a null pattern.
func javas(got, want string) bool {
	const words = "Invalid regex: "
	g, _, ok1 := strings.Cut(got, words)
	w, _, ok2 := strings.Cut(want, words)
	return ok1 && ok2 && g == w && strings.Contains(want, "Cannot invoke")
}
