package source

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// The config keys.
const (
	modeKey             = "mode"
	incrementingKey     = "incrementing.column.name"
	incrementingMapKey  = "incrementing.column.mapping"
	incrementingInitKey = "incrementing.initial"
	timestampKey        = "timestamp.column.name"
	timestampMapKey     = "timestamp.columns.mapping"
	timestampInitKey    = "timestamp.initial"
	timestampInitMSKey  = "timestamp.initial.ms"
	granularityKey      = "timestamp.granularity"
	delayKey            = "timestamp.delay.interval.ms"
	nonNullKey          = "validate.non.null"
	queryKey            = "query"
	queryMaskedKey      = "query.masked"
	suffixKey           = "query.suffix"
	retriesKey          = "query.retry.attempts"
	isolationKey        = "transaction.isolation.mode"
	whitelistKey        = "table.whitelist"
	blacklistKey        = "table.blacklist"
	includeKey          = "table.include.list"
	excludeKey          = "table.exclude.list"
	catalogKey          = "catalog.pattern"
	schemaKey           = "schema.pattern"
	typesKey            = "table.types"
	qualifyKey          = "table.names.qualify"
	tablePollKey        = "table.poll.interval.ms"
	pollKey             = "poll.interval.ms"
	rowsKey             = "batch.max.rows"
	bufferKey           = "max.buffer.size"
	lingerKey           = "poll.linger.ms"
	numericKey          = "numeric.mapping"
	precisionKey        = "numeric.precision.mapping"
	prefixKey           = "topic.prefix"

	// tablesKey is a task's: its tables, quoted, separated by commas.
	tablesKey = "tables"
)

// The modes.
const (
	bulk                  = "bulk"
	incrementing          = "incrementing"
	timestamp             = "timestamp"
	timestampIncrementing = "timestamp+incrementing"
)

var isolations = []string{"DEFAULT", "READ_UNCOMMITTED", "READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE", "SQL_SERVER_SNAPSHOT"}

var granularities = []string{"connect_logical", "micros_long", "micros_string", "micros_iso_datetime_string", "nanos_long", "nanos_string", "nanos_iso_datetime_string"}

func def() *configdef.Def {
	d := configdef.New()
	dialect.DefineConnection(d, "Database")
	n := 0
	in := func(group string, keys ...configdef.Key) {
		for _, k := range keys {
			n++
			k.Group, k.OrderInGroup = group, n
			if k.Importance == "" {
				k.Importance = configdef.Low
			}
			d.Define(k)
		}
	}
	text := configdef.Text
	n = len(d.Keys())
	in("Database",
		configdef.Key{Name: whitelistKey, Type: configdef.List, Default: text(""), Importance: configdef.Medium,
			Doc: "The tables to read, by their names with or without schema and catalog. Not with table.blacklist."},
		configdef.Key{Name: blacklistKey, Type: configdef.List, Default: text(""), Importance: configdef.Medium, Doc: "The tables not to read. Not with table.whitelist."},
		configdef.Key{Name: includeKey, Type: configdef.List, Default: text(""), Validator: regexes, Importance: configdef.Medium,
			Doc: "Regular expressions of the tables to read, matched with whole names (catalog.schema.table, as far as the database has them). Not with table.whitelist and table.blacklist."},
		configdef.Key{Name: excludeKey, Type: configdef.List, Default: text(""), Validator: regexes, Importance: configdef.Medium,
			Doc: "Regular expressions of tables that table.include.list matches and that are not to be read."},
		configdef.Key{Name: catalogKey, Type: configdef.String, Importance: configdef.Medium, Doc: "The catalog whose tables are read; empty: those without one; null: any."},
		configdef.Key{Name: schemaKey, Type: configdef.String, Importance: configdef.High, Doc: "A pattern of the schemas whose tables are read, with % for any text and _ for any character; empty: those without one; null: any."},
		configdef.Key{Name: qualifyKey, Type: configdef.Boolean, Default: text("true"), Doc: "Whether queries name tables with catalog and schema. false leaves it to the search path."},
		configdef.Key{Name: precisionKey, Type: configdef.Boolean, Default: text("false"), Doc: "true is numeric.mapping=precision_only. Deprecated."},
		configdef.Key{Name: numericKey, Type: configdef.String, Validator: configdef.OrNull(configdef.InIgnoreCase("none", "precision_only", "best_fit", "best_fit_eager_double")),
			Doc: "What NUMERIC columns become: none: Decimal. best_fit: INT8 to INT64 or FLOAT64 where the precision is below 19, else Decimal. best_fit_eager_double: FLOAT64 whatever the precision, where there is a scale. precision_only: INT8 to INT64 where the scale is 0 and the precision below 19, else Decimal. Default: none. As with the Java connector, what JDBC calls DECIMAL (all of MySQL's) stays a Decimal."},
	)
	n = 0
	in("Mode",
		configdef.Key{Name: modeKey, Type: configdef.String, Required: true, Validator: configdef.In(bulk, timestamp, incrementing, timestampIncrementing), Importance: configdef.High,
			Doc: "How changes of a table are found. bulk: the whole table, each time. incrementing: new rows, by a column that grows. timestamp: new and changed rows, by one or more columns of timestamps. timestamp+incrementing: the same, by both, so that each version of a row has an offset of its own."},
		configdef.Key{Name: incrementingKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium, Doc: "The column that grows. Empty: the table's auto-incrementing column."},
		configdef.Key{Name: incrementingMapKey, Type: configdef.List, Default: text(""), Validator: mapping(false), Importance: configdef.Medium, Doc: "The column that grows by table: regex:column,regex:column. Each table matches just one."},
		configdef.Key{Name: incrementingInitKey, Type: configdef.Long, Default: text("-1"), Importance: configdef.Medium, Doc: "Without an offset, only rows with a greater number are read."},
		configdef.Key{Name: timestampKey, Type: configdef.List, Default: text(""), Importance: configdef.Medium, Doc: "The columns of timestamps: the first that is not null is a row's."},
		configdef.Key{Name: timestampMapKey, Type: configdef.List, Default: text(""), Validator: mapping(true), Importance: configdef.Medium, Doc: "The columns of timestamps by table: regex:[column|column],regex:[column]. Each table matches just one."},
		configdef.Key{Name: timestampInitKey, Type: configdef.Long, Doc: "Without an offset, only rows with a later timestamp are read: Unix milliseconds, -1 for the database's present time. Null: all rows."},
		configdef.Key{Name: timestampInitMSKey, Type: configdef.Long, Importance: configdef.Medium, Doc: "As timestamp.initial, in Aiven's configs: there is no present time."},
		configdef.Key{Name: granularityKey, Type: configdef.String, Default: text("connect_logical"), Validator: configdef.In(granularities...),
			Doc: "What timestamps become: Kafka Connect's Timestamp, of milliseconds; or microseconds or nanoseconds since 1970 as INT64, as text, or written as ISO 8601 without a zone."},
		configdef.Key{Name: nonNullKey, Type: configdef.Boolean, Default: text("true"), Doc: "Whether a table is refused whose column that grows may be null, or all of whose columns of timestamps may."},
		configdef.Key{Name: queryKey, Type: configdef.String, Default: text(""), Importance: configdef.Medium,
			Doc: "A query whose rows are read, instead of tables. But in mode bulk, WHERE and ORDER BY are appended to it: it has none of its own outside of parentheses."},
		configdef.Key{Name: queryMaskedKey, Type: configdef.Password, Default: text(""), Importance: configdef.Medium, Doc: "As query, and not shown."},
		configdef.Key{Name: suffixKey, Type: configdef.String, Default: text(""), Doc: "Appended to every query."},
		configdef.Key{Name: isolationKey, Type: configdef.String, Default: text("DEFAULT"), Validator: configdef.In(isolations...), Doc: "The isolation level of the transactions that queries are made in. DEFAULT: none is begun."},
		configdef.Key{Name: retriesKey, Type: configdef.Int, Default: text("-1"), Validator: configdef.AtLeast(-1), Doc: "How often a query that failed with a transient error is made again before the task fails. -1: for ever. Other errors fail the task at once."},
	)
	n = 0
	in("Connector",
		configdef.Key{Name: typesKey, Type: configdef.List, Default: text("TABLE"), Doc: "The types of tables to read: TABLE, VIEW, and in PostgreSQL PARTITIONED TABLE, MATERIALIZED VIEW and FOREIGN TABLE."},
		configdef.Key{Name: pollKey, Type: configdef.Int, Default: text("5000"), Validator: configdef.AtLeast(0), Importance: configdef.High, Doc: "Pause between the queries of a table, in milliseconds."},
		configdef.Key{Name: rowsKey, Type: configdef.Int, Default: text("1000"), Validator: configdef.AtLeast(1), Doc: "The most rows that one poll returns."},
		configdef.Key{Name: bufferKey, Type: configdef.Int, Default: text("0"), Doc: "Changes nothing: rows are streamed, and no more than batch.max.rows are held."},
		configdef.Key{Name: lingerKey, Type: configdef.Long, Default: text("5000"), Doc: "Changes nothing."},
		configdef.Key{Name: tablePollKey, Type: configdef.Long, Default: text("60000"), Validator: configdef.AtLeast(1), Doc: "Pause between two looks at which tables there are, in milliseconds."},
		configdef.Key{Name: prefixKey, Type: configdef.String, Default: text(""), Importance: configdef.High, Doc: "Stands before the table's name in the name of the topic. With a query it is the topic."},
		configdef.Key{Name: delayKey, Type: configdef.Long, Default: text("0"), Validator: configdef.AtLeast(0), Importance: configdef.High, Doc: "How old a row's timestamp must be before the row is read, in milliseconds: for transactions that commit out of order."},
	)
	return d
}

// settings are a parsed config.
type settings struct {
	configdef.Values
	db    *dialect.Database
	zone  *time.Location
	quote func(string) string
	query string
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
	s := settings{Values: v, query: strings.TrimSpace(v.String(queryKey))}
	if s.query == "" {
		s.query = strings.TrimSpace(v.Password(queryMaskedKey))
	}
	if s.db, err = dialect.FromConfig(config); err != nil {
		return settings{}, configError(err)
	}
	if s.zone, err = dialect.Zone(v.String(dialect.ZoneKey)); err != nil {
		return settings{}, configError(err)
	}
	s.quote = dialect.Quoter(s.db, v)
	return s, nil
}

func (s settings) usesTimestamp() bool {
	return s.String(modeKey) == timestamp || s.String(modeKey) == timestampIncrementing
}

func (s settings) usesIncrementing() bool {
	return s.String(modeKey) == incrementing || s.String(modeKey) == timestampIncrementing
}

// milliseconds is a key of a pause.
func (s settings) milliseconds(key string) time.Duration {
	return time.Duration(s.Long(key)) * time.Millisecond
}

// check says what the definition cannot: what spans several keys.
func check(config map[string]string, fail func(key, message string)) {
	db := dialect.CheckConnection(config, fail)
	get := func(key string) string { return configdef.Trim(config[key]) }
	query := get(queryKey)
	if query != "" && get(queryMaskedKey) != "" {
		fail(queryMaskedKey, "Both 'query' and 'query.masked' configs cannot be set at the same time. Please use only one of them.")
	}
	if query == "" {
		query = get(queryMaskedKey)
	}
	lists := []string{whitelistKey, blacklistKey, includeKey, excludeKey}
	given := func(keys ...string) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return get(k) != "" })
	}
	switch {
	case query != "" && given(lists...):
		fail(queryKey, "Do not specify table filtering configs with 'query'. Remove table.whitelist / table.blacklist / table.include.list / table.exclude.list when using query mode or 'query' when using table filtering mode.")
	case given(whitelistKey) && given(blacklistKey):
		fail(blacklistKey, whitelistKey+" and "+blacklistKey+" are exclusive: leave one out")
	case given(whitelistKey, blacklistKey) && given(includeKey, excludeKey):
		fail(includeKey, includeKey+" and "+excludeKey+" cannot be used together with "+whitelistKey+" and "+blacklistKey)
	case given(excludeKey) && !given(includeKey):
		fail(excludeKey, excludeKey+" cannot be used without "+includeKey+". Exclude list only applies to tables that match the include list.")
	}
	if query != "" && get(prefixKey) == "" {
		fail(prefixKey, prefixKey+" must be given with a query: it is the topic")
	}
	if strings.ContainsFunc(get(prefixKey), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}) {
		fail(prefixKey, prefixKey+" has a character that no topic may have: letters, digits, '.', '_' and '-' are right")
	}
	checkColumns(get, query != "", given, fail)
	if db == nil {
		return
	}
	for _, t := range configdef.SplitList(get(typesKey)) {
		if !slices.Contains(db.TableTypes(), t) {
			fail(typesKey, fmt.Sprintf("Invalid value %s for configuration %s: %s has %s", t, typesKey, db.Name(), strings.Join(db.TableTypes(), ", ")))
		}
	}
	if get(isolationKey) == "SQL_SERVER_SNAPSHOT" && db.Name() != dialect.SQLServer {
		fail(isolationKey, "Isolation mode of `SQL_SERVER_SNAPSHOT` can only be configured with a Sql Server Dialect")
	}
}

// checkColumns says which columns a mode lacks.
func checkColumns(get func(string) string, query bool, given func(...string) bool, fail func(key, message string)) {
	mode := get(modeKey)
	if (mode == timestamp || mode == timestampIncrementing) && !given(timestampKey) && (query || !given(timestampMapKey)) {
		fail(timestampKey, fmt.Sprintf("mode %s needs %s", mode, timestampKey))
	}
	if query && (mode == incrementing || mode == timestampIncrementing) && !given(incrementingKey) {
		fail(incrementingKey, fmt.Sprintf("mode %s of a query needs %s: there is no table to look for it in", mode, incrementingKey))
	}
	for _, pair := range [][2]string{{timestampKey, timestampMapKey}, {incrementingKey, incrementingMapKey}} {
		if given(pair[0]) && given(pair[1]) {
			fail(pair[1], pair[0]+" and "+pair[1]+" are exclusive: leave one out")
		}
	}
	if given(timestampInitKey) && given(timestampInitMSKey) {
		fail(timestampInitMSKey, timestampInitKey+" and "+timestampInitMSKey+" are exclusive: leave one out")
	}
	if n, err := strconv.ParseInt(get(timestampInitKey), 10, 64); err == nil && n < -1 {
		fail(timestampInitKey, timestampInitKey+" must be -1, for the present time, or a number of milliseconds since 1970")
	}
}
