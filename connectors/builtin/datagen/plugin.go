package datagen

import (
	"math"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/version"
)

// The config keys. taskKey is in task configs alone.
const (
	topicKey   = "topic"
	shapeKey   = "shape"
	rateKey    = "rate"
	maxKey     = "max.records"
	seedKey    = "seed"
	keysKey    = "partition.keys"
	sizeKey    = "record.size"
	taskKey    = "task.id"
	group      = "Datagen"
	maxSize    = 1 << 20
	maxRate    = 1_000_000_000
	maxKeys    = math.MaxInt32
	maxRecords = math.MaxInt64
)

func def() *configdef.Def {
	n := 0
	key := func(k configdef.Key) configdef.Key {
		n++
		k.Group, k.OrderInGroup, k.Width = group, n, "MEDIUM"
		return k
	}
	return configdef.New().
		Define(key(configdef.Key{Name: topicKey, Type: configdef.String, Required: true, Validator: configdef.NonEmpty(), Importance: configdef.High,
			Doc: "The topic to write to."})).
		Define(key(configdef.Key{Name: shapeKey, Type: configdef.String, Default: configdef.Text("string"),
			Validator: configdef.In("string", "json", "orders", "users", "pageviews"), Importance: configdef.High,
			Doc: "What a record's value is: `string` is text of `record.size` bytes that starts with the task and the number of the record; `orders`, `users` and `pageviews` are structs with a schema, for the JSON converter and its like; `json` is `orders`."})).
		Define(key(configdef.Key{Name: rateKey, Type: configdef.Long, Default: configdef.Text("0"), Validator: configdef.Between(0, maxRate), Importance: configdef.Medium,
			Doc: "Records a second, for each task. 0 means as fast as they are taken."})).
		Define(key(configdef.Key{Name: maxKey, Type: configdef.Long, Default: configdef.Text("0"), Validator: configdef.Between(0, maxRecords), Importance: configdef.Medium,
			Doc: "How many records each task makes in all, over restarts too; then it stays idle. 0 means no end."})).
		Define(key(configdef.Key{Name: seedKey, Type: configdef.Long, Default: configdef.Text("0"), Importance: configdef.Low,
			Doc: "Chooses the records: the same seed gives the same records."})).
		Define(key(configdef.Key{Name: keysKey, Type: configdef.Long, Default: configdef.Text("1000"), Validator: configdef.Between(0, maxKeys), Importance: configdef.Low,
			Doc: "How many different keys (`key-0`, `key-1`, ...) records have, which spreads them over the topic's partitions. 0 means null keys."})).
		Define(key(configdef.Key{Name: sizeKey, Type: configdef.Int, Default: configdef.Text("100"), Validator: configdef.Between(1, maxSize), Importance: configdef.Low,
			Doc: "The length of values of the shape `string`, in bytes. A value is never shorter than the task's and the record's number."}))
}

// Plugin is Datagen.
func Plugin() connectors.Plugin { return plugin(clock.Real()) }

func plugin(c clock.Clock) connectors.Plugin {
	return connectors.Plugin{
		Class:   "sluice.Datagen",
		Aliases: []string{"Datagen"},
		Version: version.Version,
		Type:    connectors.Source,
		Config:  def,
		NewSource: func() connectors.SourceConnector {
			return &connector{Connector: base.Connector{Def: def, TaskKey: taskKey}, clk: c}
		},
	}
}

type connector struct {
	base.Connector
	clk clock.Clock
}

func (c *connector) NewTask() connectors.SourceTask { return &task{clk: c.clk} }
