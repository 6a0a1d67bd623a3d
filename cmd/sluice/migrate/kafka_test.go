package migrate

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/executor/topics"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestUncover_LeavesEveryReaderWithTheCommittedValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type rec struct {
			key     string
			value   []byte
			aborted bool
		}
		var log []rec
		for range rapid.IntRange(0, 20).Draw(t, "records") {
			r := rec{key: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"), aborted: rapid.Bool().Draw(t, "aborted")}
			if rapid.Bool().Draw(t, "value") {
				r.value = []byte(rapid.SampledFrom([]string{"1", "2"}).Draw(t, "v"))
			}
			log = append(log, r)
		}
		read := func(all bool) offsets {
			out := offsets{}
			for i, r := range log {
				if all || !r.aborted {
					out[r.key] = newest{0, int64(i), r.value}
				}
			}
			return out
		}
		want := read(false)
		for _, m := range uncover("t", read(true), want) {
			log = append(log, rec{key: string(m.Key), value: m.Value})
		}
		got := read(true)
		for key := range got {
			if string(got[key].value) != string(want[key].value) || got[key].value == nil != (want[key].value == nil) {
				t.Fatalf("%s: a reader without transactions has %q, want %q", key, got[key].value, want[key].value)
			}
		}
		if again := uncover("t", read(true), read(false)); len(again) != 0 {
			t.Fatalf("it is done twice: %v", again)
		}
	})
}

func TestDifferences_NameWhatEachSideHasAlone(t *testing.T) {
	v, w := "1", "2"
	config := func(s *string) *sluicev1.ConnectorInfo {
		return &sluicev1.ConnectorInfo{Config: &sluicev1.Config{Entries: []*sluicev1.ConfigEntry{{Key: "k", Value: s}}}}
	}
	props := func(s *string) []topics.Property { return []topics.Property{{Key: "k", Value: s}} }
	differs, alien := differences([]topics.LoggedConnector{{Name: "same", Config: props(&v)}, {Name: "null", Config: props(nil)}, {Name: "changed", Config: props(&w)}, {Name: "theirs", Config: props(&v)}},
		map[string]*sluicev1.ConnectorInfo{"same": config(&v), "null": config(nil), "changed": config(&v), "ours": config(&v)})
	if !slices.Equal(differs, []string{"connector changed has another config there", "connector ours is not there"}) || !slices.Equal(alien, []string{"theirs"}) {
		t.Errorf("%q %q", differs, alien)
	}
}
