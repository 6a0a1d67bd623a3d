package conformance

import "errors"

// ErrHostile is the error of Hostile's methods that fail, and of those that hang once they are released.
var ErrHostile = errors.New("hostile: this failure is asked for by the config")
