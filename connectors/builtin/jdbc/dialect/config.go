package dialect

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are to be known in images that have none

	"github.com/sluice-project/sluice/connectors/configdef"
)

// The keys that sources and sinks have in common.
const (
	URLKey         = "connection.url"
	UserKey        = "connection.user"
	PasswordKey    = "connection.password"
	AttemptsKey    = "connection.attempts"
	BackoffKey     = "connection.backoff.ms"
	DialectKey     = "dialect.name"
	ZoneKey        = "db.timezone"
	QuoteKey       = "quote.sql.identifiers"
	AivenQuoteKey  = "sql.quote.identifiers"
	credentialsKey = "jdbc.credentials.provider.class"
	calendarKey    = "date.calendar.system"

	connectionPrefix   = "connection."
	defaultCredentials = "io.confluent.connect.jdbc.util.DefaultJdbcCredentialsProvider"
)

// DefineConnection adds the keys of the connection.
func DefineConnection(d *configdef.Def, group string) {
	for i, k := range []configdef.Key{
		{Name: URLKey, Type: configdef.String, Required: true, Importance: configdef.High, Width: "LONG", DisplayName: "JDBC URL",
			Doc: "JDBC connection URL: jdbc:postgresql://host:5432/db, jdbc:mysql://host:3306/db, jdbc:mariadb://host:3306/db, jdbc:sqlite:/path/to/file, jdbc:sqlserver://host:1433;databaseName=db. Parameters have the names of the Java drivers; one that has no counterpart is refused. Give the password by connection.password: a URL is shown by the REST API as it is."},
		{Name: UserKey, Type: configdef.String, Importance: configdef.High, Width: "LONG", DisplayName: "JDBC User", Doc: "JDBC connection user."},
		{Name: PasswordKey, Type: configdef.Password, Importance: configdef.High, Width: "SHORT", DisplayName: "JDBC Password", Doc: "JDBC connection password."},
		{Name: AttemptsKey, Type: configdef.Int, Default: configdef.Text("3"), Validator: configdef.AtLeast(1), Importance: configdef.Low, Width: "SHORT", DisplayName: "JDBC connection attempts",
			Doc: "How often a connector or task that starts tries to connect to a database that is away, before it fails (and is started again by sluice.restart.*). A task that runs goes on trying."},
		{Name: BackoffKey, Type: configdef.Long, Default: configdef.Text("10000"), Validator: configdef.AtLeast(0), Importance: configdef.Low, Width: "SHORT", DisplayName: "JDBC connection backoff in milliseconds",
			Doc: "Pause between the attempts to connect, in milliseconds."},
		{Name: credentialsKey, Type: configdef.String, Default: configdef.Text(defaultCredentials), Validator: configdef.In(defaultCredentials), Importance: configdef.Low, Width: "LONG",
			DisplayName: "JDBC Credentials Provider Class", Doc: "Only the default is supported: the user and password of the config. Use ${provider:path:key} for secrets that are elsewhere."},
		{Name: DialectKey, Type: configdef.String, Default: configdef.Text(""), Validator: configdef.In("", Postgres, MySQL, SQLite, SQLServer), Importance: configdef.Low, Width: "LONG",
			DisplayName: "Database Dialect", Doc: "The dialect. It follows from the URL; another one than that is refused."},
		{Name: ZoneKey, Type: configdef.String, Default: configdef.Text("UTC"), Importance: configdef.Medium, Width: "MEDIUM", DisplayName: "DB time zone",
			Validator: configdef.Func("a time zone, such as UTC, Europe/Berlin or GMT+2", func(name string, value *string) error {
				if value == nil {
					return configdef.Invalid(name, "null", "it must be a time zone")
				}
				_, err := Zone(*value)
				if err != nil {
					return configdef.Invalid(name, *value, "Invalid time zone identifier")
				}
				return nil
			}), Doc: "Time zone of the database's dates and times that have none."},
		{Name: QuoteKey, Type: configdef.String, Default: configdef.Text("always"), Validator: configdef.InIgnoreCase("always", "never"), Importance: configdef.Medium, Width: "MEDIUM",
			DisplayName: "Quote Identifiers", Doc: "When to quote names of tables and columns in statements: always or never."},
		{Name: AivenQuoteKey, Type: configdef.Boolean, Default: configdef.Text("true"), Importance: configdef.Medium, Width: "MEDIUM", DisplayName: "Quote SQL Identifiers",
			Doc: "As quote.sql.identifiers, in Aiven's configs: false is never."},
		{Name: calendarKey, Type: configdef.String, Default: configdef.Text("LEGACY"), Validator: configdef.In("LEGACY", "PROLEPTIC_GREGORIAN"), Importance: configdef.Low, Width: "MEDIUM",
			DisplayName: "Date Calendar System", Doc: "Changes nothing: dates are those of the proleptic Gregorian calendar. They differ from the Java connector's LEGACY before 1582-10-15."},
	} {
		k.Group, k.OrderInGroup = group, i+1
		d.Define(k)
	}
}

// FromConfig is the database of a connector's config.
func FromConfig(config map[string]string) (*Database, error) {
	o := Options{URL: configdef.Trim(config[URLKey]), User: configdef.Trim(config[UserKey]), Password: config[PasswordKey], Properties: map[string]string{}}
	for k, v := range config {
		if name, ok := strings.CutPrefix(k, connectionPrefix); ok && k != URLKey && k != UserKey && k != PasswordKey && k != AttemptsKey && k != BackoffKey {
			o.Properties[name] = v
		}
	}
	return Parse(o)
}

// CheckConnection says what of the connection's keys is wrong, and returns the database if it is known.
func CheckConnection(config map[string]string, fail func(key, message string)) *Database {
	if configdef.Trim(config[URLKey]) == "" {
		return nil // the definition has said so
	}
	d, err := FromConfig(config)
	if err != nil {
		fail(URLKey, "Invalid value for configuration "+URLKey+": "+err.Error())
		return nil
	}
	if name := configdef.Trim(config[DialectKey]); name != "" && name != d.Name() {
		fail(DialectKey, fmt.Sprintf("Invalid value %s for configuration %s: the URL's dialect is %s", name, DialectKey, d.Name()))
	}
	return d
}

// Zone is a time zone by one of Java's names for it.
func Zone(name string) (*time.Location, error) {
	for _, prefix := range []string{"GMT", "UTC", "UT", ""} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" && (rest[0] == '+' || rest[0] == '-') {
			return fixedZone(name, rest)
		}
	}
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is no time zone", name)
	}
	if name == "Z" {
		return time.UTC, nil
	}
	return time.LoadLocation(name)
}

func fixedZone(name, offset string) (*time.Location, error) {
	hours, minutes, _ := strings.Cut(offset[1:], ":")
	if len(hours) == 4 {
		hours, minutes = hours[:2], hours[2:]
	}
	h, err := strconv.ParseUint(hours, 10, 8)
	if err != nil || h > 18 {
		return nil, fmt.Errorf("%q is no time zone", name)
	}
	m := uint64(0)
	if minutes != "" {
		if m, err = strconv.ParseUint(minutes, 10, 8); err != nil || m > 59 {
			return nil, fmt.Errorf("%q is no time zone", name)
		}
	}
	seconds := int(h*3600 + m*60) //nolint:gosec // below a day
	if offset[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone(name, seconds), nil
}

// Quoter quotes names as a config says.
func Quoter(d Dialect, v configdef.Values) func(string) string {
	if strings.EqualFold(v.String(QuoteKey), "never") || !v.Bool(AivenQuoteKey) {
		return func(name string) string { return name }
	}
	return d.Quote
}
