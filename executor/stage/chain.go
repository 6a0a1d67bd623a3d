package stage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/predicate"
	"github.com/sluice-project/sluice/connectors/transform"
)

// Chain is the transforms of a connector, in their order, each with its predicate. Not safe for concurrent use.
//
// A batch goes through one transform after another. A record that one of them drops, or whose failure is
// tolerated, goes no further.
type Chain struct {
	links   []link
	arena   data.Arena
	records []transform.Record
	picked  []*transform.Record
	match   []bool
	batch   transform.Batch
}

// link is one transform.
type link struct {
	class     string
	transform transform.Transform
	predicate predicate.Predicate // nil for always
	negate    bool
}

// NewChain makes the chain that a connector's `transforms` asks for; nil where it asks for none.
func NewChain(reg Registry, config map[string]string) (*Chain, error) {
	c := &Chain{}
	predicates := aliases(config["predicates"])
	for _, alias := range aliases(config["transforms"]) {
		prefix := "transforms." + alias + "."
		own := section(config, prefix)
		info, err := reg.Transform(strings.TrimSpace(own["type"]))
		if err != nil {
			return nil, fmt.Errorf("%w: %stype: %w", ErrConfig, prefix, err)
		}
		l := link{class: info.Class, transform: info.New(), negate: strings.EqualFold(strings.TrimSpace(own["negate"]), "true")}
		name, conditional := own["predicate"]
		// The framework's keys mask a transform's of the same name.
		maps.DeleteFunc(own, func(k, _ string) bool { return k == "predicate" || k == "negate" })
		if err := l.transform.Configure(own); err != nil {
			return nil, fmt.Errorf("%w: transforms.%s: %w", ErrConfig, alias, err)
		}
		if name = strings.TrimSpace(name); conditional {
			if !slices.Contains(predicates, name) {
				return nil, fmt.Errorf("%w: %spredicate: there is no predicate %q: list it in `predicates` and give predicates.%s.type", ErrConfig, prefix, name, name)
			}
			of := section(config, "predicates."+name+".")
			info, err := reg.Predicate(strings.TrimSpace(of["type"]))
			if err != nil {
				return nil, fmt.Errorf("%w: predicates.%s.type: %w", ErrConfig, name, err)
			}
			l.predicate = info.New()
			if err := l.predicate.Configure(of); err != nil {
				return nil, fmt.Errorf("%w: predicates.%s: %w", ErrConfig, name, err)
			}
		}
		c.links = append(c.links, l)
	}
	if len(c.links) == 0 {
		return nil, nil
	}
	return c, nil
}

// aliases are the entries of a list, each once.
func aliases(list string) []string {
	var out []string
	for _, a := range strings.Split(list, ",") {
		if a = strings.TrimSpace(a); a != "" && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func section(config map[string]string, prefix string) map[string]string {
	out := map[string]string{}
	for k, v := range config {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			out[rest] = v
		}
	}
	return out
}

// begin hands out n records to fill; what the last batch made is gone.
func (c *Chain) begin(n int) []transform.Record {
	c.arena.Reset()
	clear(c.records)
	if cap(c.records) < n {
		c.records = make([]transform.Record, n)
	}
	c.records = c.records[:n]
	return c.records
}

// run transforms the records that begin handed out. Of those that a transform drops, or fails on where that is
// tolerated, Dropped is set.
func (c *Chain) run(ctx context.Context, op *Operator, place func(i int) Place) error {
	for i := range c.links {
		l := &c.links[i]
		c.picked = c.picked[:0]
		for j := range c.records {
			if !c.records[j].Dropped {
				c.picked = append(c.picked, &c.records[j])
			}
		}
		c.apply(l)
		for j := range c.records {
			r := &c.records[j]
			if r.Err == nil {
				continue
			}
			ok, err := op.Failed(ctx, Transformation, l.class, func() Place { return place(j) }, r.Err, func() error {
				r.Err = nil
				c.picked = append(c.picked[:0], r)
				c.apply(l)
				return r.Err
			})
			if err != nil {
				if p := place(j); p.Offset >= 0 {
					err = fmt.Errorf("record of topic %q, partition %d, offset %d: %w", p.Topic, p.Partition, p.Offset, err)
				}
				return err
			}
			r.Err = nil
			r.Dropped = r.Dropped || !ok
		}
	}
	return nil
}

// apply applies a transform to those of the picked records that its predicate picks.
func (c *Chain) apply(l *link) {
	if l.predicate != nil {
		c.match = append(c.match[:0], make([]bool, len(c.picked))...)
		l.predicate.Test(c.picked, c.match)
		n := 0
		for i, r := range c.picked {
			if c.match[i] != l.negate && r.Err == nil {
				c.picked[n] = r
				n++
			}
		}
		c.picked = c.picked[:n]
	}
	if len(c.picked) > 0 {
		c.batch = transform.Batch{Records: c.picked, Arena: &c.arena}
		l.transform.Apply(&c.batch)
	}
}
