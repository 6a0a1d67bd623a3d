package elasticsearch

import "errors"

// ErrRecord is wrapped where a record cannot become a document, or the server will not have it. Such a record is reported.
var ErrRecord = errors.New("elasticsearch: the record cannot be written")

// ErrNoSchema is wrapped where a mapping is to be made of a record without a schema.
var ErrNoSchema = errors.New("elasticsearch: there is no schema to make a mapping of")
