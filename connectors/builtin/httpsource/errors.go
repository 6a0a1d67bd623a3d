package httpsource

import (
	"errors"

	"github.com/sluice-project/sluice/connectors"
)

// ErrConfig is wrapped where a config cannot be used.
var ErrConfig = errors.New("http: the config cannot be used")

// ErrOffset is wrapped where a committed offset is not one of this connector: alter or reset the connector's offsets.
var ErrOffset = errors.New("http: the committed offset cannot be used")

// ErrAnswer is wrapped where an answer has not what the config looks for in it.
var ErrAnswer = errors.New("http: the answer cannot be used")

// ErrStatus is wrapped where a request was answered with a status that the config does not take.
var ErrStatus = errors.New("http: the request failed")

// ErrUnreachable is wrapped where a request was not answered.
var ErrUnreachable = errors.New("http: no answer")

func configError(err error) error { return connectors.Classify(connectors.ConfigError, err) }

func dataError(err error) error { return connectors.Classify(connectors.DataError, err) }
