package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/sluice-project/sluice/controlplane/store"
)

func txnAllOrNothing(t *testing.T, e *env) {
	a, b := key(e, "a"), key(e, "b")
	ok, rev, err := e.b.Txn(t.Context(), []store.Compare{{Key: a, Field: store.CreateRevision}}, []store.Op{{Key: a, Value: []byte("1")}, {Key: b, Value: []byte("2")}})
	e.must(err)
	if !ok {
		t.Fatal("refused")
	}
	ok, _, err = e.b.Txn(t.Context(), []store.Compare{{Key: a, Field: store.CreateRevision}}, []store.Op{{Key: b, Delete: true}})
	e.must(err)
	if ok {
		t.Fatal("a compare that does not hold let a transaction pass")
	}
	kvs, _, err := e.b.Get(t.Context(), key(e, ""), true)
	e.must(err)
	if len(kvs) != 2 || kvs[0].ModRevision != rev || kvs[1].ModRevision != rev || string(kvs[1].Value) != "2" {
		t.Fatalf("%+v, want two keys of revision %d", kvs, rev)
	}
	ok, _, err = e.b.Txn(t.Context(), []store.Compare{{Key: a, Field: store.ModRevision, Value: rev}}, []store.Op{{Key: key(e, ""), Delete: true, Prefix: true}})
	e.must(err)
	if kvs, _, err = e.b.Get(t.Context(), key(e, ""), true); err != nil || !ok || len(kvs) != 0 {
		t.Fatalf("%v %v %v", ok, kvs, err)
	}
}

func watchOrder(t *testing.T, e *env) {
	from, err := e.b.Revision(t.Context())
	e.must(err)
	w := e.b.Watch(t.Context(), key(e, ""), from, false)
	want := []string{"+a", "+b", "-a", "+a"}
	for _, s := range want {
		_, _, err := e.b.Txn(t.Context(), nil, []store.Op{{Key: key(e, s[1:]), Value: []byte("v"), Delete: s[0] == '-'}})
		e.must(err)
	}
	var got []string
	deadline := time.After(10 * time.Second) //nolint:forbidigo // a test of the real thing waits in real time
	for len(got) < len(want) {
		select {
		case b := <-w:
			e.must(b.Err)
			for _, ev := range b.Events {
				sign := "+"
				if ev.Deleted {
					sign = "-"
				}
				got = append(got, sign+ev.Key[len(key(e, "")):])
			}
		case <-deadline:
			t.Fatalf("only %v", got)
		}
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

func leaseDeletes(t *testing.T, e *env) {
	id, err := e.b.Grant(t.Context(), time.Minute)
	e.must(err)
	_, _, err = e.b.Txn(t.Context(), nil, []store.Op{{Key: key(e, "l"), Value: []byte("v"), Lease: id}})
	e.must(err)
	e.must(e.b.KeepAlive(t.Context(), id))
	e.must(e.b.Revoke(t.Context(), id))
	kvs, _, err := e.b.Get(t.Context(), key(e, "l"), false)
	e.must(err)
	if len(kvs) != 0 {
		t.Fatal("the key outlived its lease")
	}
	e.is(e.b.KeepAlive(t.Context(), id), store.ErrLapsed)
	_, _, err = e.b.Txn(t.Context(), nil, []store.Op{{Key: key(e, "l"), Value: []byte("v"), Lease: id}})
	e.is(err, store.ErrLapsed)
	if err := e.b.Revoke(t.Context(), id); err != nil && !errors.Is(err, store.ErrLapsed) {
		t.Fatal(err)
	}
}
