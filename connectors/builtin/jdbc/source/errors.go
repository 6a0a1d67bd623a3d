package source

import (
	"errors"

	"github.com/sluice-project/sluice/connectors"
)

// ErrTables is wrapped where a task has no table to read, or two tables would go to one topic.
var ErrTables = errors.New("jdbc: the tables cannot be read")

// ErrColumn is wrapped where a table does not have the columns that the mode needs.
var ErrColumn = errors.New("jdbc: the columns of the mode cannot be used")

// ErrOffset is wrapped where a committed offset is not one of this connector: alter or reset the connector's offsets.
var ErrOffset = errors.New("jdbc: the committed offset cannot be used")

// configError is an error that another config helps.
func configError(err error) error { return connectors.Classify(connectors.ConfigError, err) }
