//go:build faults

package main

import (
	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/all"
	"github.com/sluice-project/sluice/integration/harness/partitioned"
	"github.com/sluice-project/sluice/integration/harness/witness"
)

// plugins has a source and a sink beside the builtin ones that only the harness needs.
func plugins() []connectors.Plugin {
	return append(all.Plugins(), partitioned.Plugin(), witness.Plugin())
}
