package sinktask

import "testing"

// What stays of an assignment goes on, whatever was paused or waited for while other partitions came and went.
func TestTask_ACooperativeRebalanceStopsNoPartitionThatStays(t *testing.T) {
	all, one := []bool{true, true, true}, []bool{false, true, false}
	for name, rounds := range map[string][]*plan{
		"a partition comes in the round in which the batch that waited is put": {{Rebalance: one}, {Most: 1, PutFails: true}, {Rebalance: all}},
		"the partitions of a batch that waits for its retry go":                {{Rebalance: []bool{true, true, false}}, {Most: 1, PutFails: true}, {Rebalance: one, Waits: true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld([3]string{"g", "", ""})
			l := live(t, w, true)
			defer l.end()
			round := func(p *plan) {
				t.Helper()
				p.Seek = -1
				if err := l.round(p); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range rounds {
				round(p)
			}
			w.logs[1] = "g"
			for range 3 { // a batch that waits is not waited for
				round(&plan{Most: 1, Waits: true, CommitIsDue: true})
			}
			if w.committed[tpOf(1)] != 1 {
				t.Errorf("partition 1 has stopped; committed: %v", w.committed)
			}
		})
	}
}
