package conformance

import (
	"testing"
	"time"

	"github.com/sluice-project/sluice/connectors/data"
)

// Deadline is how long one call of a connector may take.
const Deadline = 10 * time.Second

// Case is one way to configure a connector.
type Case struct {
	Name string
	// Setup prepares the outer system, anew for each check, and cleans it up with tb.Cleanup.
	Setup func(tb testing.TB) Fixture
}

// Fixture is what a case knows about one prepared outer system.
type Fixture struct {
	// Config is a valid connector config, with the key "name" and what else of the framework's it needs.
	Config map[string]string
	// Broken is a config with which the connector or its first task fails to start; nil where there is none.
	Broken map[string]string

	// Records is how many records a source has, or for an Endless one how many are looked at.
	Records int
	// Endless is set where a source never runs out: then Poll is not expected to wait.
	Endless bool
	// NotResumable is set where a source cannot go back to an offset, as a pipe cannot.
	NotResumable bool

	// Value makes the value of a record for a sink out of a text; nil makes a STRING. It must not copy the
	// bytes: that the sink does not keep them is what is checked.
	Value func(text []byte) (*data.Schema, data.Value)
	// Delivered returns what a sink has delivered so far, in a form in which the texts of Value can be
	// found; nil where it cannot be seen.
	Delivered func(tb testing.TB) string
}
