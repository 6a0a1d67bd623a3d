package store

import (
	"context"
	"time"
)

// Compare is what a transaction compares a key's present state with.
type Compare struct {
	Key string
	// Field says which revision; a key that is not there has 0 for both.
	Field Field
	Value int64
}

// Field is a revision of a key.
type Field uint8

// The fields that are compared.
const (
	CreateRevision Field = iota + 1
	ModRevision
)

// Op is one write of a transaction.
type Op struct {
	Key   string
	Value []byte
	// Delete deletes the key, with Prefix all keys that begin with it.
	Delete bool
	Prefix bool
	// Lease binds a put key to a lease; 0 binds it to none.
	Lease int64
}

// KV is a key with its value.
type KV struct {
	Key            string
	Value          []byte
	CreateRevision int64
	ModRevision    int64
	Lease          int64
}

// Event is one change. Of a deleted key only Key and ModRevision are set.
type Event struct {
	KV
	Deleted bool
	// Prev is what the key was before, only where the watch was asked for it; nil where it was not there.
	Prev *KV
}

// WatchBatch is the changes of whole revisions, in order, or with no events a word of progress:
// everything up to Revision has been sent. With Err the watch has ended and must be begun anew.
type WatchBatch struct {
	Events   []Event
	Revision int64
	Err      error
}

// Backend is what the store needs of etcd. Errors other than a lapsed lease wrap ErrUnavailable.
// Safe for concurrent use.
type Backend interface {
	// Txn writes all ops where all compares hold, else nothing. One revision covers all its writes.
	Txn(ctx context.Context, compares []Compare, ops []Op) (ok bool, revision int64, err error)
	// Get reads keys at one revision: exactly key, or all with the prefix. In order of the keys.
	Get(ctx context.Context, key string, prefix bool) (kvs []KV, revision int64, err error)
	// Watch sends changes of keys with the prefix, from the revision after `after`, until ctx ends; the
	// channel is closed then. With prev each says what the key was before. ErrCompacted where what is asked for is not
	// known any more.
	Watch(ctx context.Context, prefix string, after int64, prev bool) <-chan WatchBatch
	// Progress asks every watch to say how far it is.
	Progress(ctx context.Context) error
	// Revision is the present revision, linearizable.
	Revision(ctx context.Context) (int64, error)
	// Grant makes a lease; its keys are deleted where it is not kept alive for ttl.
	Grant(ctx context.Context, ttl time.Duration) (int64, error)
	// KeepAlive renews a lease once. ErrLapsed where it is gone.
	KeepAlive(ctx context.Context, lease int64) error
	// Revoke deletes a lease with its keys. Not an error where it is gone.
	Revoke(ctx context.Context, lease int64) error
}
