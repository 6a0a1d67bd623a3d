// Package jdbc lists the JDBC connectors: rows of databases to topics, and back. They are in source and sink, and what
// both know of databases in dialect.
package jdbc

import (
	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/sink"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/source"
)

// Plugins are the source and the sink.
func Plugins() []connectors.Plugin { return []connectors.Plugin{source.Plugin(), sink.Plugin()} }
