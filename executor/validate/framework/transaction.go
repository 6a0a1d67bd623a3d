package framework

import "github.com/sluice-project/sluice/connectors/configdef"

// TransactionDef defines transaction.* of a source alone, for the task that runs it.
func TransactionDef() *configdef.Def {
	def := configdef.New()
	for _, k := range source() {
		if k.Name == Boundary || k.Name == BoundaryInterval {
			def.Define(k)
		}
	}
	return def
}
