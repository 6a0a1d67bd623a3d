package sink

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// The config keys.
const (
	insertModeKey   = "insert.mode"
	batchKey        = "batch.size"
	deleteKey       = "delete.enabled"
	typesKey        = "table.types"
	nullKey         = "replace.null.with.default"
	tableKey        = "table.name.format"
	normalizeKey    = "table.name.normalize"
	topicsTablesKey = "topics.to.tables.mapping"
	pkModeKey       = "pk.mode"
	pkFieldsKey     = "pk.fields"
	fieldsKey       = "fields.whitelist"
	dateZoneKey     = "date.timezone"
	momentsKey      = "timestamp.fields.list"
	momentsModeKey  = "timestamp.precision.mode"
	stringColumnKey = "string.output.value.column.name"
	createKey       = "auto.create"
	evolveKey       = "auto.evolve"
	holdLockKey     = "mssql.use.merge.holdlock"
	retriesKey      = "max.retries"
	backoffKey      = "retry.backoff.ms"
	trimKey         = "trim.sensitive.log"
)

// Where a row's primary key comes from.
const (
	pkNone   = "none"
	pkKafka  = "kafka"
	pkKey    = "record_key"
	pkValue  = "record_value"
	pkHeader = "record_header"
)

var kafkaColumns = []string{"__connect_topic", "__connect_partition", "__connect_offset"}

func def() *configdef.Def {
	d := configdef.New()
	dialect.DefineConnection(d, "Connection")
	n := 0
	in := func(group string, keys ...configdef.Key) {
		for i, k := range keys {
			n = i + 1
			k.Group, k.OrderInGroup = group, n
			if k.Importance == "" {
				k.Importance = configdef.Medium
			}
			d.Define(k)
		}
	}
	text := configdef.Text
	in("Writes",
		configdef.Key{Name: insertModeKey, Type: configdef.String, Default: text("insert"), Validator: configdef.InIgnoreCase("insert", "upsert", "update", "multi"), Importance: configdef.High,
			Doc: "What a record does: insert adds a row; upsert adds it, or changes the one with its primary key; update changes that one only. multi is insert, in Aiven's configs: statements have many rows in all modes."},
		configdef.Key{Name: batchKey, Type: configdef.Int, Default: text("3000"), Validator: configdef.AtLeast(0), Doc: "The most records that a statement writes, as far as the database takes them. 0 is 1."},
		configdef.Key{Name: deleteKey, Type: configdef.Boolean, Default: text("false"), Doc: "Whether a record with a null value deletes the row of its key. It needs pk.mode=record_key."},
		configdef.Key{Name: typesKey, Type: configdef.List, Default: text("TABLE"), Validator: configdef.ListIn("TABLE", "PARTITIONED TABLE", "VIEW"), Importance: configdef.Low,
			Doc: "Changes nothing: whatever the name is of is written to, as far as the database does that."},
		configdef.Key{Name: nullKey, Type: configdef.Boolean, Default: text("true"), Doc: "Whether a field that is null is written as its schema's default, where it has one."},
	)
	in("Data Mapping",
		configdef.Key{Name: tableKey, Type: configdef.String, Default: text("${topic}"), Validator: configdef.NonEmpty(), Doc: "The table of a record, in which ${topic} is the record's topic; with a schema and catalog where it has dots."},
		configdef.Key{Name: normalizeKey, Type: configdef.Boolean, Default: text("false"), Doc: "Whether each character of the topic that is no letter, digit, dot or _ becomes _ in the table's name (Aiven's)."},
		configdef.Key{Name: topicsTablesKey, Type: configdef.List, Default: text(""), Doc: "Tables by topic: topic:table,topic:table (Aiven's). Other topics go by table.name.format.",
			Validator: configdef.Func("a list of topic:table", func(name string, value *string) error {
				if _, err := topicTables(*value); err != nil {
					return configdef.Invalid(name, configdef.Shown(value), err.Error())
				}
				return nil
			})},
		configdef.Key{Name: pkModeKey, Type: configdef.String, Default: text(pkNone), Validator: configdef.InIgnoreCase(pkNone, pkKafka, pkKey, pkValue, pkHeader), Importance: configdef.High,
			Doc: "Where the primary key comes from: none; kafka: the record's topic, partition and offset; record_key: its key; record_value: fields of its value; record_header: its headers."},
		configdef.Key{Name: pkFieldsKey, Type: configdef.List, Default: text(""), Doc: "The columns of the primary key: with kafka three names (default __connect_topic, __connect_partition, __connect_offset); with record_key the fields of the key, all where empty, and one name for a key without fields; with record_value the fields of the value, all where empty; with record_header the headers, all where empty."},
		configdef.Key{Name: fieldsKey, Type: configdef.List, Default: text(""), Doc: "The fields of the value that become columns, besides the primary key. Empty: all."},
		configdef.Key{Name: dateZoneKey, Type: configdef.String, Default: text("DB_TIMEZONE"), Validator: configdef.InIgnoreCase("DB_TIMEZONE", "UTC"),
			Doc: "In which zone dates are written. DB_TIMEZONE, the default as with the Java connector, writes the day before in zones west of UTC: UTC is right."},
		configdef.Key{Name: momentsKey, Type: configdef.List, Default: text(""), Doc: "Fields of the value, INT64 or STRING, that are timestamps: microseconds or nanoseconds since 1970."},
		configdef.Key{Name: momentsModeKey, Type: configdef.String, Default: text("microseconds"), Validator: configdef.InIgnoreCase("microseconds", "nanoseconds"), Doc: "What timestamp.fields.list counts."},
		configdef.Key{Name: stringColumnKey, Type: configdef.String, Default: text("record_value"), Validator: configdef.NonEmpty(), Doc: "The column of a value that is a text and no struct."},
	)
	in("DDL Support",
		configdef.Key{Name: createKey, Type: configdef.Boolean, Default: text("false"), Doc: "Whether a table that is missing is made, of the record's schemas."},
		configdef.Key{Name: evolveKey, Type: configdef.Boolean, Default: text("false"), Doc: "Whether columns that are missing are added: of fields that are optional or have a default."},
	)
	in("DML Support",
		configdef.Key{Name: holdLockKey, Type: configdef.Boolean, Default: text("true"), Importance: configdef.Low, Doc: "Whether SQL Server's MERGE has HOLDLOCK, without which two tasks may add the same row."},
	)
	in("Retries",
		configdef.Key{Name: retriesKey, Type: configdef.Int, Default: text("10"), Validator: configdef.AtLeast(0), Doc: "How often a batch that failed with a transient error is written again before the task fails. A batch that is written gives all attempts back."},
		configdef.Key{Name: backoffKey, Type: configdef.Int, Default: text("3000"), Validator: configdef.AtLeast(0), Doc: "Pause before that, in milliseconds."},
		configdef.Key{Name: trimKey, Type: configdef.Boolean, Default: text("false"), Importance: configdef.Low, Doc: "Changes nothing: the connector writes no record into a log."},
	)
	return d
}

func topicTables(value string) (map[string]string, error) {
	out := map[string]string{}
	for _, entry := range configdef.SplitList(value) {
		topic, table, ok := strings.Cut(entry, ":")
		if !ok || topic == "" || table == "" {
			return nil, fmt.Errorf("%q is not topic:table", entry)
		}
		out[topic] = table
	}
	return out, nil
}

// settings are a parsed config.
type settings struct {
	configdef.Values
	db       *dialect.Database
	zones    dialect.Zones
	quote    func(string) string
	mode     dialect.Mode
	pk       string
	pkFields []string
	fields   map[string]bool // none: all
	moments  map[string]bool
	tables   map[string]string // by topic
}

func parse(config map[string]string) (settings, error) {
	v, err := def().Parse(config)
	if err != nil {
		return settings{}, configError(err)
	}
	var faults []error
	check(config, func(_, message string) { faults = append(faults, errors.New(message)) })
	if err := errors.Join(faults...); err != nil {
		return settings{}, configError(err)
	}
	s := settings{Values: v, pk: strings.ToLower(v.String(pkModeKey)), pkFields: v.List(pkFieldsKey), fields: set(v.List(fieldsKey)), moments: set(v.List(momentsKey)),
		mode: map[string]dialect.Mode{"insert": dialect.Insert, "multi": dialect.Insert, "upsert": dialect.Upsert, "update": dialect.Update}[strings.ToLower(v.String(insertModeKey))]}
	if s.db, err = dialect.FromConfig(config); err != nil {
		return settings{}, configError(err)
	}
	if s.zones.DB, err = dialect.Zone(v.String(dialect.ZoneKey)); err != nil {
		return settings{}, configError(err)
	}
	if s.zones.Date = s.zones.DB; strings.EqualFold(v.String(dateZoneKey), "UTC") {
		s.zones.Date = time.UTC
	}
	if s.tables, err = topicTables(v.String(topicsTablesKey)); err != nil {
		return settings{}, configError(err)
	}
	s.quote = dialect.Quoter(s.db, v)
	return s, nil
}

func set(list []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range list {
		out[s] = true
	}
	return out
}

// check says what the definition cannot: what spans several keys.
func check(config map[string]string, fail func(key, message string)) {
	dialect.CheckConnection(config, fail)
	get := func(key, def string) string {
		if v := configdef.Trim(config[key]); v != "" {
			return strings.ToLower(v)
		}
		return def
	}
	pk, mode := get(pkModeKey, pkNone), get(insertModeKey, "insert")
	if pk == pkNone && slices.Contains([]string{"upsert", "update"}, mode) {
		fail(pkModeKey, fmt.Sprintf("Primary key mode must not be 'none' when %s is '%s'", insertModeKey, mode))
	}
	if get(deleteKey, "false") == "true" && pk != pkKey {
		fail(deleteKey, "Deletes are only supported for "+pkModeKey+" "+pkKey)
	}
	if n := len(configdef.SplitList(config[pkFieldsKey])); pk == pkKafka && n != 0 && n != 3 {
		fail(pkFieldsKey, fmt.Sprintf("%s=%s takes no field or the three for topic, partition and offset, not %d", pkModeKey, pkKafka, n))
	}
}

// configError is an error that another config helps.
func configError(err error) error { return connectors.Classify(connectors.ConfigError, err) }

// milliseconds is a key of a pause.
func (s settings) milliseconds(key string) time.Duration {
	return time.Duration(s.Long(key)) * time.Millisecond
}
