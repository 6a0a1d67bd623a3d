package storetest

import (
	"testing"

	"github.com/sluice-project/sluice/internal/unit"
)

func deletedStays(t *testing.T, e *env) {
	mirror := e.grant(unit.Mirror, e.session("s"))
	for _, name := range []string{"a", "b/%"} {
		e.connector(name)
		e.must(e.DeleteConnector(t.Context(), name))
	}
	v := e.see()
	if len(v.Deleted) != 2 || v.Deleted["b/%"] == nil {
		t.Fatalf("%v", v.Deleted)
	}
	upTo := v.Deleted["a"].ModRevision
	if _, err := e.ConfirmMirror(t.Context(), stale(mirror.Epoch), upTo, false); err != nil || len(e.see().Deleted) != 2 {
		t.Fatalf("another epoch took a mark away: %v", err)
	}
	if ok, err := e.ConfirmMirror(t.Context(), mirror.Epoch, upTo, false); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if v := e.see(); v.Deleted["a"] != nil || v.Deleted["b/%"] == nil {
		t.Fatalf("%v", v.Deleted)
	}
}

func handBack(t *testing.T, e *env) {
	mirror := e.grant(unit.Mirror, e.session("s"))
	e.must(e.HandBack(t.Context()))
	first := e.see().HandBack
	e.must(e.HandBack(t.Context()))
	v := e.see()
	if v.HandBack == nil || v.HandBack.ModRevision != first.ModRevision || v.MirroredAll() || !v.Quiet() {
		t.Fatalf("%+v", v.HandBack)
	}
	if ok, err := e.ConfirmMirror(t.Context(), stale(mirror.Epoch), v.Revision, true); ok || err != nil || e.see().Mirrored != 0 {
		t.Fatal("another epoch says that all is mirrored", ok, err)
	}
	if ok, err := e.ConfirmMirror(t.Context(), mirror.Epoch, v.Revision, true); !ok || err != nil || !e.see().MirroredAll() {
		t.Fatal(ok, err)
	}
	e.connector("late")
	if e.see().MirroredAll() {
		t.Fatal("a connector that was written since is not mirrored")
	}
	e.must(e.EndHandBack(t.Context()))
	e.must(e.EndHandBack(t.Context()))
	if v := e.see(); v.HandBack != nil || v.Mirrored != 0 || v.Quiet() {
		t.Fatalf("%+v", v)
	}
}
