package filestream

import "errors"

// ErrPosition is wrapped by Start where the committed offset is not one of this connector: alter or
// reset the connector's offsets.
var ErrPosition = errors.New("filestream: the committed offset cannot be used")

// ErrLineTooLong is wrapped by Poll where a line is longer than any Kafka request may be: the file is
// probably not a text file.
var ErrLineTooLong = errors.New("filestream: a line is too long")
