package sinktask

import "errors"

var (
	// ErrConfig is wrapped where the configs cannot be run.
	ErrConfig = errors.New("sinktask: invalid config")
	// ErrHung is wrapped where the plugin has not returned in time and was left behind.
	ErrHung = errors.New("sinktask: the plugin does not return")
	// ErrCut is returned by Run after Cut.
	ErrCut = errors.New("sinktask: cut from Kafka")
	// ErrUncommitted is wrapped by Run's error after a stop where offsets were not committed. Nothing is lost: the
	// records come again.
	ErrUncommitted = errors.New("sinktask: stopped before everything was committed")
)
