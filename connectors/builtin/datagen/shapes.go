package datagen

import (
	"strconv"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

// random is splitmix64: one multiplication chain a number, and any record's sequence starts anywhere.
type random struct{ state uint64 }

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix(r.state)
}

// below is a number from 0 to n-1.
func (r *random) below(n uint64) uint64 { return r.next() % n }

// seeded is the random numbers of one record.
func seeded(seed uint64, task, n int64) random {
	return random{mix(mix(mix(seed)+uint64(task)) + uint64(n))}
}

// shape makes the value of record n.
type shape func(g *generator, b *connectors.SourceBatch, r *connectors.SourceRecord, n int64, rnd *random)

var shapes = map[string]shape{"string": text, "json": orders, "orders": orders, "users": users, "pageviews": pageviews}

// generator makes records. Only rnd and scratch change, and they carry nothing over from record to record.
type generator struct {
	task    int64
	seed    uint64
	keys    uint64
	size    int
	shape   shape
	rnd     random
	scratch []byte
}

// make fills in the key and value of record n.
func (g *generator) make(b *connectors.SourceBatch, r *connectors.SourceRecord, n int64) {
	g.rnd = seeded(g.seed, g.task, n)
	if k := g.rnd.next(); g.keys > 0 {
		r.KeySchema = data.StringSchema
		r.Key = g.number(b, "key-", int64(k%g.keys))
	}
	g.shape(g, b, r, n, &g.rnd)
}

// number is text and a number, kept in the batch.
func (g *generator) number(b *connectors.SourceBatch, prefix string, n int64) data.Value {
	g.scratch = strconv.AppendInt(append(g.scratch[:0], prefix...), n, 10)
	return data.String(b.CopyString(g.scratch))
}

func text(g *generator, b *connectors.SourceBatch, r *connectors.SourceRecord, n int64, rnd *random) {
	p := strconv.AppendInt(g.scratch[:0], g.task, 10)
	p = strconv.AppendInt(append(p, '-'), n, 10)
	if len(p) < g.size {
		p = append(p, ' ')
	}
	for len(p) < g.size {
		for x, i := rnd.next(), 0; i < 12 && len(p) < g.size; i++ {
			p = append(p, 'a'+byte(x&31)%26)
			x >>= 5
		}
	}
	g.scratch = p
	r.ValueSchema = data.StringSchema
	r.Value = data.String(b.CopyString(p))
}

// epoch is the time of record 0, 2024-01-01T00:00Z in Unix milliseconds; record n is n seconds later.
const epoch = 1_704_067_200_000

var (
	cities = []string{"Aarhus", "Bilbao", "Cusco", "Dakar", "Espoo", "Fukuoka", "Graz", "Hobart"}
	items  = []string{"apron", "basket", "candle", "drum", "easel", "flute", "globe", "hammock"}
	tiers  = []string{"free", "basic", "plus"}

	orderSchema = &data.Schema{Type: data.KindStruct, Name: "sluice.datagen.Order", Fields: []data.Field{
		{Name: "order_id", Schema: data.Int64Schema}, {Name: "ordered_at", Schema: data.TimestampSchema},
		{Name: "customer", Schema: data.StringSchema}, {Name: "city", Schema: data.StringSchema},
		{Name: "item", Schema: data.StringSchema}, {Name: "quantity", Schema: data.Int32Schema},
		{Name: "price", Schema: data.Float64Schema}, {Name: "gift", Schema: data.BoolSchema},
	}}
	userSchema = &data.Schema{Type: data.KindStruct, Name: "sluice.datagen.User", Fields: []data.Field{
		{Name: "user_id", Schema: data.StringSchema}, {Name: "registered_at", Schema: data.TimestampSchema},
		{Name: "city", Schema: data.StringSchema}, {Name: "tier", Schema: data.StringSchema},
		{Name: "referrer", Schema: data.OptionalStringSchema},
	}}
	pageviewSchema = &data.Schema{Type: data.KindStruct, Name: "sluice.datagen.Pageview", Fields: []data.Field{
		{Name: "view_id", Schema: data.Int64Schema}, {Name: "viewed_at", Schema: data.TimestampSchema},
		{Name: "user_id", Schema: data.StringSchema}, {Name: "page_id", Schema: data.StringSchema},
		{Name: "duration_ms", Schema: data.Int32Schema},
	}}
)

func put(r *connectors.SourceRecord, s *data.Schema, values ...data.Value) {
	st := data.NewStruct(s)
	for i, v := range values {
		st.Set(i, v)
	}
	r.ValueSchema, r.Value = s, data.StructOf(st)
}

func word(rnd *random, from []string) data.Value {
	return data.String(from[rnd.below(uint64(len(from)))])
}

func at(n int64) data.Value { return data.Int64(epoch + n%1_000_000_000*1000) }

func orders(g *generator, b *connectors.SourceBatch, r *connectors.SourceRecord, n int64, rnd *random) {
	put(r, orderSchema, data.Int64(n), at(n), g.number(b, "customer-", int64(rnd.below(10_000))), word(rnd, cities), word(rnd, items),
		data.Int32(int32(1+rnd.below(9))), data.Float64(float64(100+rnd.below(10_000))/100), data.Bool(rnd.below(8) == 0))
}

func users(g *generator, b *connectors.SourceBatch, r *connectors.SourceRecord, n int64, rnd *random) {
	var referrer data.Value
	if rnd.below(4) == 0 {
		referrer = g.number(b, "user-", int64(rnd.below(uint64(n)+1)))
	}
	put(r, userSchema, g.number(b, "user-", n), at(n), word(rnd, cities), word(rnd, tiers), referrer)
}

func pageviews(g *generator, b *connectors.SourceBatch, r *connectors.SourceRecord, n int64, rnd *random) {
	put(r, pageviewSchema, data.Int64(n), at(n), g.number(b, "user-", int64(rnd.below(10_000))), g.number(b, "page-", int64(rnd.below(100))),
		data.Int32(int32(rnd.below(60_000))))
}
