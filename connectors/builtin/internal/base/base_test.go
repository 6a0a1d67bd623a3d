package base

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors/configdef"
)

func TestTaskConfigs_AreCopiesWithTheTasksNumber(t *testing.T) {
	c := &Connector{Def: configdef.New, Limit: 2, TaskKey: "n"}
	if err := c.Start(t.Context(), nil, map[string]string{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	got, err := c.TaskConfigs(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]map[string]string{{"a": "b", "n": "0"}, {"a": "b", "n": "1"}}, got); d != "" {
		t.Error(d)
	}
}

func TestTaskConfigs_RefuseWhatTheRuntimeMustNotAsk(t *testing.T) {
	c := &Connector{Def: configdef.New}
	if _, err := c.TaskConfigs(t.Context(), 1); !errors.Is(err, ErrNotStarted) {
		t.Errorf("got %v, want ErrNotStarted", err)
	}
	if err := c.Start(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TaskConfigs(t.Context(), 0); !errors.Is(err, ErrMaxTasks) {
		t.Errorf("got %v, want ErrMaxTasks", err)
	}
}
