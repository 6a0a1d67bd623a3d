package config

import "errors"

var (
	// ErrInvalid is wrapped by every error of Load: the config cannot be used.
	ErrInvalid = errors.New("worker config")
	// ErrOverride is wrapped where a connector overrides a client config that the policy does not allow.
	ErrOverride = errors.New("client config override is not allowed")
)
