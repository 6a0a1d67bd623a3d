package bulk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch/client"
)

// Rejected is an operation that will not be done, whatever is tried.
type Rejected struct {
	Op
	// Conflict says that the document has another version; else the document is malformed.
	Conflict bool
	client.Error
}

// path asks for what is looked at only: most answers are then a few bytes an item.
const path = "/_bulk?filter_path=errors,items.*.status,items.*.error"

// noErrors is how an answer begins that has nothing to say.
var noErrors = []byte(`{"errors":false`)

// item is what an answer says of one operation.
type item struct {
	Status int             `json:"status"`
	Error  json.RawMessage `json:"error"`
}

// items reads an answer; none where all operations were done.
func items(body []byte, ops int) ([]item, error) {
	if bytes.HasPrefix(body, noErrors) {
		return nil, nil
	}
	var a struct {
		Errors *bool             `json:"errors"`
		Items  []map[string]item `json:"items"`
	}
	if err := json.Unmarshal(body, &a); err != nil || a.Errors == nil {
		return nil, fmt.Errorf("%w: %s", errNoBulk, client.Short(string(body)))
	}
	if !*a.Errors {
		return nil, nil
	}
	if len(a.Items) != ops {
		return nil, fmt.Errorf("%w: %d items of %d operations", errNoBulk, len(a.Items), ops)
	}
	out := make([]item, 0, ops)
	for _, m := range a.Items {
		for _, i := range m {
			out = append(out, i)
		}
	}
	if len(out) != ops {
		return nil, fmt.Errorf("%w: %d items of %d operations", errNoBulk, len(out), ops)
	}
	return out, nil
}

var errNoBulk = errors.New("the answer is none to a bulk request: correct connection.url")

// verdict is what becomes of an operation.
type verdict uint8

const (
	done verdict = iota
	again
	rejected // malformed
	conflict
	fatal
)

// judge says what an item's answer means.
func judge(op *Op, i item) (verdict, client.Error) {
	if i.Status/100 == 2 || len(i.Error) == 0 && i.Status == http.StatusNotFound && op.Delete {
		return done, client.Error{}
	}
	e := client.ReadError(i.Error)
	switch {
	case i.Status == http.StatusNotFound && op.Delete: // not even the index is there
		return done, e
	case i.Status == http.StatusConflict && (op.Versioned || op.Once):
		return conflict, e
	case i.Status == http.StatusConflict: // somebody else changed the document in between
		return again, e
	case i.Status == http.StatusTooManyRequests, i.Status >= http.StatusInternalServerError:
		return again, e
	case i.Status == http.StatusForbidden && e.Type == "cluster_block_exception": // as long as a disk is full
		return again, e
	case i.Status == http.StatusBadRequest, i.Status == http.StatusRequestEntityTooLarge:
		return rejected, e
	}
	return fatal, e
}

// tooMuch says that an answer refuses a whole request for what single operations of it may be the cause of.
func tooMuch(a client.Answer) (client.Error, bool) {
	if a.Status == http.StatusRequestEntityTooLarge {
		e := client.ParseError(a.Body)
		if e.Type == "" {
			e = client.Error{Type: "request_entity_too_large", Reason: "the document is larger than the server takes"}
		}
		return e, true
	}
	if a.Status == http.StatusBadRequest {
		e := client.ParseError(a.Body)
		return e, e.Type == "action_request_validation_exception" || e.Type == "illegal_argument_exception" || e.Type == "x_content_parse_exception"
	}
	return client.Error{}, false
}
