//go:build !faults

package main

import (
	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/all"
)

func plugins() []connectors.Plugin { return all.Plugins() }
