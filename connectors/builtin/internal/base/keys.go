package base

import "github.com/sluice-project/sluice/connectors/configdef"

// Define adds a key to a group of a definition. The group's order is that of the calls; a key without an importance has a low
// one.
func Define(d *configdef.Def, group string, k configdef.Key) {
	n := 0
	for _, o := range d.Keys() {
		if o.Group == group {
			n = o.OrderInGroup
		}
	}
	k.Group, k.OrderInGroup = group, n+1
	if k.Importance == "" {
		k.Importance = configdef.Low
	}
	d.Define(k)
}
