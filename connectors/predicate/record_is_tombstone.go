package predicate

import "github.com/sluice-project/sluice/connectors/transform"

type recordIsTombstone struct{}

func (recordIsTombstone) Configure(map[string]string) error { return nil }

func (recordIsTombstone) Test(records []*transform.Record, match []bool) {
	for i, r := range records {
		match[i] = r.Value.IsNull()
	}
}
