package datagen

import "errors"

// ErrSequence is wrapped by a task's Start where the committed offset is not one of this connector: alter
// or reset the connector's offsets.
var ErrSequence = errors.New("datagen: the committed offset cannot be used")
