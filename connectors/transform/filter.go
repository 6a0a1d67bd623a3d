package transform

import "github.com/sluice-project/sluice/connectors/configdef"

func filterInfos() []Info {
	return one("Filter", "Drops every record: with a predicate, those that it matches.", configdef.New, func() Transform { return filter{} })
}

type filter struct{}

func (filter) Configure(map[string]string) error { return nil }

func (filter) Apply(b *Batch) {
	for _, r := range b.Records {
		r.Dropped = true
	}
}
