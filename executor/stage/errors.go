package stage

import "errors"

var (
	// ErrTolerance is wrapped where a record failed and its config does not tolerate it: the task fails.
	ErrTolerance = errors.New("Tolerance exceeded in error handler") // Kafka Connect's words
	// ErrConfig is wrapped where a config of converters or errors.* cannot be used.
	ErrConfig = errors.New("stage: invalid config")
	// ErrRecord is wrapped where a source task made a record that Kafka cannot take. The task fails.
	ErrRecord = errors.New("stage: invalid record")
)
