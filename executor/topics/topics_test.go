package topics

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestOffsetKey_HasTheBytesThatJavaWrites(t *testing.T) {
	for _, c := range []struct {
		connector string
		partition map[string]any
		want      string
	}{
		{"file-source", map[string]any{"filename": "in.txt"}, `["file-source",{"filename":"in.txt"}]`},
		{"file-source", map[string]any{"filename": nil}, `["file-source",{"filename":null}]`},
		{"MirrorSource", map[string]any{"topic": "orders", "partition": int32(0), "cluster": "src"}, `["MirrorSource",{"cluster":"src","partition":0,"topic":"orders"}]`},
		{"cp", map[string]any{"group": "g", "topic": "t", "partition": 1}, `["cp",{"partition":1,"topic":"t","group":"g"}]`},
		{"hb", map[string]any{"targetClusterAlias": "b", "sourceClusterAlias": "a"}, `["hb",{"sourceClusterAlias":"a","targetClusterAlias":"b"}]`},
		{"none", nil, `["none",null]`},
		{"é\"\U0001F600</\u2028", map[string]any{"a": 1.0, "b": 1e10}, "[\"é\\\"\\uD83D\\uDE00</\u2028\",{\"a\":1.0,\"b\":1.0E10}]"},
	} {
		got, err := AppendOffsetKey(nil, c.connector, c.partition)
		if err != nil || string(got) != c.want {
			t.Errorf("key of %q: got %s, %v; want %s", c.connector, got, err, c.want)
		}
	}
}

func TestDouble_IsWrittenAsJavaDoes(t *testing.T) {
	for f, want := range map[float64]string{0: "0.0", 1: "1.0", 0.001: "0.001", 0.0001: "1.0E-4", 9999999: "9999999.0", 1e7: "1.0E7",
		123456789.5: "1.234567895E8", -2.5: "-2.5", math.MaxFloat64: "1.7976931348623157E308"} {
		if got, err := appendDouble(nil, "k", f, 64); err != nil || string(got) != want {
			t.Errorf("%v: got %s, %v; want %s", f, got, err, want)
		}
	}
	if _, err := appendDouble(nil, "k", math.NaN(), 64); err == nil {
		t.Error("NaN is written")
	}
}

func TestOffsetKey_ReadsWhatItWritesInAnyOrderOfKeys(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.String(), func(s string) any { return s }), rapid.Map(rapid.Int64(), func(i int64) any { return i }),
			rapid.Map(rapid.Bool(), func(b bool) any { return b }))
		m := rapid.MapOfN(rapid.String(), value, 0, 20).Draw(r, "partition")
		name := rapid.String().Draw(r, "name")
		b, err := AppendOffsetKey(nil, name, m)
		if err != nil {
			r.Fatal(err)
		}
		if !json.Valid(b) {
			r.Fatalf("not JSON: %s", b)
		}
		gotName, got, err := ParseOffsetKey(b)
		if err != nil || gotName != name || !cmp.Equal(got, m) {
			r.Fatalf("%s: got %q %v, %v", b, gotName, got, err)
		}
		if got, ok := OffsetKeyConnector(b); !ok || string(got) != name {
			r.Fatalf("OffsetKeyConnector(%s) = %q", b, got)
		}
		sorted, _ := json.Marshal(m)
		var back map[string]any
		if err := decode(sorted, &back); err != nil {
			r.Fatal(err)
		}
		a, err1 := Canonical(m)
		c, err2 := Canonical(back)
		if err1 != nil || err2 != nil || a != c {
			r.Fatalf("canonical %q and %q", a, c)
		}
	})
}

func TestOffsetKey_RefusesWhatIsNotOne(t *testing.T) {
	for _, s := range []string{``, `{}`, `["a"]`, `[1,{}]`, `["a",[]]`, `["a",{}] x`, `["a",{"b":{}}]`, `["a",{},1]`} {
		if _, _, err := ParseOffsetKey([]byte(s)); err == nil {
			t.Errorf("%q is read", s)
		}
	}
	if _, err := AppendOffsetKey(nil, "c", map[string]any{"a": []string{"x"}}); err == nil {
		t.Error("a list in a partition is written")
	}
}

func TestOffsetValue_KeepsIntegersAndFractions(t *testing.T) {
	got, err := ParseOffsetValue([]byte(`{"position":9007199254740993,"f":1.0,"s":"x","n":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]any{"position": int64(9007199254740993), "f": 1.0, "s": "x", "n": nil}, got); d != "" {
		t.Error(d)
	}
	if m, err := ParseOffsetValue(nil); m != nil || err != nil {
		t.Errorf("a tombstone: %v, %v", m, err)
	}
	b, err := AppendOffsetValue(nil, map[string]any{"position": 1.0})
	if err != nil || string(b) != `{"position":1.0}` {
		t.Errorf("%s, %v", b, err)
	}
}

func TestConfigs_AreThoseOfTheGoldens(t *testing.T) {
	v := "in.txt"
	if got := string(PropertiesValue([]Property{{"file", &v}, {"gone", nil}})); got != `{"properties":{"file":"in.txt","gone":null}}` {
		t.Error(got)
	}
	if got := string(TargetStateValue("STOPPED")); got != `{"state":"PAUSED","state.v2":"STOPPED"}` {
		t.Error(got)
	}
	if got := string(CommitValue(3)); got != `{"tasks":3}` {
		t.Error(got)
	}
	for key, want := range map[string]ConfigKind{"connector-a-b": KindConnector, "task-a-b-12": KindTask, "commit-x": KindCommit, "target-state-x": KindTargetState,
		"tasks-fencing-x": KindTaskCount, "session-key": KindOther, "restart-connector-x": KindRestart, "task-x": KindOther} {
		if got, _, _ := ParseConfigKey(key); got != want {
			t.Errorf("%s: %d", key, got)
		}
	}
	if _, name, n := ParseConfigKey("task-a-b-12"); name != "a-b" || n != 12 {
		t.Errorf("%q %d", name, n)
	}
	props, err := ParseProperties([]byte(`{"properties":{"z":"1","a":null}}`))
	one := "1"
	if d := cmp.Diff([]Property{{"z", &one}, {"a", nil}}, props); d != "" || err != nil {
		t.Error(d, err)
	}
	for in, want := range map[string]string{`{"state":"PAUSED","state.v2":"STOPPED"}`: "STOPPED", `{"state":"PAUSED"}`: "PAUSED", `{"state":"STARTED","state.v2":3}`: "STARTED"} {
		if got, err := ParseTargetState([]byte(in)); got != want || err != nil {
			t.Errorf("%s: %s %v", in, got, err)
		}
	}
	if n, err := ParseCount([]byte(`{"tasks":7}`)); n != 7 || err != nil {
		t.Error(n, err)
	}
}

func TestStatus_ReadsWhatItWrites(t *testing.T) {
	s := Status{State: "RUNNING", WorkerID: "10.0.0.1:8083", Generation: 7, Version: "4.1.1"}
	if got := string(s.Value()); got != `{"state":"RUNNING","trace":null,"worker_id":"10.0.0.1:8083","generation":7,"version":"4.1.1"}` {
		t.Error(got)
	}
	back, err := ParseStatus(s.Value())
	if err != nil || back != s {
		t.Error(back, err)
	}
	if _, err := ParseStatus([]byte(`{"state":"HAPPY"}`)); err == nil {
		t.Error("an unknown state is read")
	}
	kind, name, _, topic := ParseStatusKey(StatusTopicKey("t", "a:connector-b"))
	if kind != StatusTopic || name != "a:connector-b" || topic != "t" {
		t.Error(kind, name, topic)
	}
	kind, name, n, _ := ParseStatusKey(StatusTaskKey("a-b", 3))
	if kind != StatusTask || name != "a-b" || n != 3 {
		t.Error(kind, name, n)
	}
	if got := string(ActiveTopicValue("t", "c", 0, 17)); got != `{"topic":{"name":"t","connector":"c","task":0,"discoverTimestamp":17}}` {
		t.Error(got)
	}
}
