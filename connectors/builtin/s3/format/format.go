package format

import (
	"errors"
	"io"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

// ErrData is wrapped where a record cannot be written in a format. Nothing of it is in the file then.
var ErrData = errors.New("s3: the record does not fit the format")

// Writer writes one file. Not safe for concurrent use.
type Writer interface {
	// Write appends a record, and says how large it is in bytes before compression: the same for the same record.
	// After an error that does not wrap ErrData the file is of no use.
	Write(r *connectors.SinkRecord) (int, error)
	// Flush hands over what is kept in memory, as far as that makes sense before the end.
	Flush() error
	// Held is the memory that waits to be handed over, in bytes.
	Held() int64
	// Close ends the file, and not what it is written to.
	Close() error
}

// Format makes the files of one kind. Safe for concurrent use.
type Format interface {
	// Extension begins with a point, or is empty.
	Extension() string
	// New begins a file for records of that value schema; nil is none. An error that wraps ErrData says that there are no
	// files for such a schema.
	New(w io.Writer, schema *data.Schema) (Writer, error)
}
