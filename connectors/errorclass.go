package connectors

import "errors"

// ErrorClass says what kind of trouble an error is. Of a task or connector that fails, it decides whether the runtime
// starts it again by itself: the config's sluice.restart.on.
type ErrorClass uint8

// The classes.
const (
	// OtherError is an error of which nobody has said what it is. It is not taken for transient.
	OtherError ErrorClass = iota
	// TransientError passes without anybody's help: a system is away, or busy. Kafka Connect's RetriableException.
	TransientError
	// DataError comes from a record: the same record brings it again.
	DataError
	// ConfigError comes from the config: another one helps.
	ConfigError
	// AuthorisationError is a refusal: wrong credentials, or missing rights.
	AuthorisationError
)

// String is the class as configs name it.
func (c ErrorClass) String() string {
	return [...]string{"other", "transient", "data", "config", "authorisation"}[c]
}

type classedError struct {
	error
	class ErrorClass
}

func (e *classedError) Unwrap() error { return e.error }

// Classify marks an error with a class. Its text stays. Classify(c, nil) is nil. Retriable(err) also marks it as
// transient, and has the runtime repeat Poll and Put by itself before anything fails.
func Classify(c ErrorClass, err error) error {
	if err == nil {
		return nil
	}
	return &classedError{err, c}
}

// ClassOf is the class that err was marked with, by Classify or Retriable; of several marks the outermost. ok is false
// where it has none.
func ClassOf(err error) (class ErrorClass, ok bool) {
	var c *classedError
	if errors.As(err, &c) {
		return c.class, true
	}
	if IsRetriable(err) {
		return TransientError, true
	}
	return OtherError, false
}
