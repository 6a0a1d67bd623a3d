package datagen

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDatagen_Conforms(t *testing.T) {
	for name := range shapes {
		conformance.Run(t, Plugin(), conformance.Case{Name: name, Setup: func(testing.TB) conformance.Fixture {
			return conformance.Fixture{
				Config:  map[string]string{"name": "c", "topic": "t", "shape": name, "max.records": "70", "seed": "-3"},
				Broken:  map[string]string{"name": "c", "topic": "t", "shape": "none"},
				Records: 70,
			}
		}})
	}
	conformance.Run(t, Plugin(), conformance.Case{Name: "paced and endless", Setup: func(testing.TB) conformance.Fixture {
		return conformance.Fixture{Config: map[string]string{"name": "c", "topic": "t", "rate": "5000", "partition.keys": "0"}, Records: 100, Endless: true}
	}})
}

func start(tb testing.TB, c clock.Clock, tc connectors.SourceTaskContext, config map[string]string) connectors.SourceTask {
	tb.Helper()
	task := plugin(c).NewSource().NewTask()
	if err := task.Start(tb.Context(), tc, config); err != nil {
		tb.Fatal(err)
	}
	return task
}

func TestDatagen_IsAPureFunctionOfSeedTaskAndNumber(t *testing.T) {
	value := func(seed, task string) string {
		b := connectors.NewSourceBatch(10)
		if err := start(t, clock.Real(), &conformance.SourceContext{}, map[string]string{"topic": "t", "seed": seed, "task.id": task}).Poll(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		return string([]byte(b.Records[9].Value.Str()))
	}
	if a, b := value("1", "0"), value("1", "0"); a != b {
		t.Error("the same record differs")
	}
	if a := value("1", "0"); a == value("2", "0") || a == value("1", "1") {
		t.Error("another seed or task makes the same record")
	}
	// The numbers that were promised once: a change breaks resumed connectors and readers' expectations.
	if got := value("1", "0"); got[:4] != "0-9 " || len(got) != 100 {
		t.Errorf("got %q", got)
	}
}

func TestDatagen_KeepsItsRate(t *testing.T) {
	c := clock.NewFake(time.Unix(1000, 0))
	task := start(t, c, &conformance.SourceContext{}, map[string]string{"topic": "t", "rate": "100", "task.id": "0"})
	b := connectors.NewSourceBatch(1000)
	for _, want := range []int{1, 51} {
		if err := task.Poll(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if len(b.Records) != want {
			t.Fatalf("%d records, want %d", len(b.Records), want)
		}
		c.Advance(500 * time.Millisecond)
	}
}

func TestDatagen_SpreadsKeys(t *testing.T) {
	task := start(t, clock.Real(), &conformance.SourceContext{}, map[string]string{"topic": "t", "partition.keys": "4", "task.id": "0"})
	b := connectors.NewSourceBatch(400)
	if err := task.Poll(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, r := range b.Records {
		seen[r.Key.Str()]++
	}
	for k := range 4 {
		if n := seen["key-"+strconv.Itoa(k)]; n < 50 || len(seen) != 4 {
			t.Errorf("keys are spread as %v", seen)
		}
	}
}

func TestDatagen_RefusesOffsetsThatAreNotItsOwn(t *testing.T) {
	for _, bad := range []any{nil, "1", int64(-1), 1.0} {
		tc := &conformance.SourceContext{}
		tc.Commit(map[string]any{"task": 0}, map[string]any{"sequence": bad})
		task := Plugin().NewSource().NewTask()
		if err := task.Start(t.Context(), tc, map[string]string{"topic": "t", "task.id": "0"}); !errors.Is(err, ErrSequence) {
			t.Errorf("the sequence %v gave %v, want ErrSequence", bad, err)
		}
	}
}

func TestShapes_FitTheirSchemas(t *testing.T) {
	for name := range shapes {
		task := start(t, clock.Real(), &conformance.SourceContext{}, map[string]string{"topic": "t", "shape": name, "task.id": "0"})
		b := connectors.NewSourceBatch(2000)
		if err := task.Poll(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.Records {
			if err := data.Validate(r.ValueSchema, r.Value); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// Batches of 500 records; an operation is a record.
func BenchmarkDatagenPoll(b *testing.B) {
	for _, s := range []string{"string", "orders"} {
		b.Run(s, func(b *testing.B) {
			task := start(b, clock.Real(), &conformance.SourceContext{}, map[string]string{"topic": "t", "shape": s, "task.id": "0"})
			batch := connectors.NewSourceBatch(500)
			b.ReportAllocs()
			for n := 0; n < b.N; n += len(batch.Records) {
				batch.Reset()
				if err := task.Poll(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
