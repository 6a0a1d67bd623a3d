package plugin

import "errors"

var (
	// ErrDuplicate is wrapped where two plugins claim one name.
	ErrDuplicate = errors.New("plugin: name is taken")
	// ErrInvalid is wrapped where a plugin's description cannot be used.
	ErrInvalid = errors.New("plugin: invalid description")
	// ErrHung is wrapped where a call of a plugin has not returned in time. The call goes on in a goroutine
	// that is left behind; what it returns is never looked at.
	ErrHung = errors.New("the plugin has not returned in time")
)

// UnknownError says that no plugin has a name. Its text is Kafka Connect's, and lists what there is.
type UnknownError struct {
	// Name is what was asked for.
	Name string
	text string
}

func (e *UnknownError) Error() string { return e.text }
