// Package all lists the builtin connectors. Mains import it; the executor does not.
package all

import (
	"slices"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/datagen"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch"
	"github.com/sluice-project/sluice/connectors/builtin/filestream"
	"github.com/sluice-project/sluice/connectors/builtin/httpsource"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc"
	"github.com/sluice-project/sluice/connectors/builtin/mirror"
	"github.com/sluice-project/sluice/connectors/builtin/null"
	"github.com/sluice-project/sluice/connectors/builtin/s3"
	"github.com/sluice-project/sluice/connectors/builtin/verifiable"
)

// Plugins are all builtin connectors, in a stable order.
func Plugins() []connectors.Plugin {
	return slices.Concat(
		filestream.Plugins(),
		verifiable.Plugins(),
		[]connectors.Plugin{datagen.Plugin(), httpsource.Plugin(), null.Plugin()},
		elasticsearch.Plugins(),
		jdbc.Plugins(),
		mirror.Plugins(),
		s3.Plugins(),
	)
}
