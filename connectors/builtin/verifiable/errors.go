package verifiable

import "errors"

// ErrSeqno is wrapped by a task's Start where the committed offset is not one of this connector: alter
// or reset the connector's offsets.
var ErrSeqno = errors.New("verifiable: the committed offset cannot be used")
