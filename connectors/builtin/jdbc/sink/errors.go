package sink

import "errors"

// ErrRecord is wrapped where a record has not what the config wants of it. Such a record is reported.
var ErrRecord = errors.New("jdbc: the record cannot be written")

// ErrTable is wrapped where a table, or columns of it, are missing and may not be made.
var ErrTable = errors.New("jdbc: the table cannot be written to")
