package dialect

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"

	"github.com/sluice-project/sluice/connectors"
)

const secret = "hunter2-è&=;{"

func TestParse_TakesTheJavaDriversURLs(t *testing.T) {
	for _, c := range []struct{ url, where, dialect string }{
		{"jdbc:postgresql://db.example:5433/shop?user=u&password=p%26w&ssl=true", "postgresql://db.example:5433/shop", Postgres},
		{"jdbc:postgresql://h1,h2:5433/shop?targetServerType=primary&ApplicationName=x&currentSchema=a,b&reWriteBatchedInserts=true", "postgresql://h1,h2:5433/shop", Postgres},
		{"jdbc:postgresql://[::1]:5433/shop", "postgresql://[::1]:5433/shop", Postgres},
		{"jdbc:postgresql:shop", "postgresql://localhost/shop", Postgres},
		{"jdbc:postgresql://h/shop?sslmode=disable&connectTimeout=5&options=-c%20statement_timeout=60000", "postgresql://h/shop", Postgres},
		{"jdbc:mysql://h:3307/shop?useSSL=false&serverTimezone=UTC&characterEncoding=utf8&socketTimeout=60000&rewriteBatchedStatements=true&sessionVariables=sql_mode='ANSI'", "mysql://h:3307/shop", MySQL},
		{"jdbc:mysql://h/", "mysql://h/", MySQL},
		{"jdbc:mariadb://h/shop?sslMode=trust", "mariadb://h/shop", MySQL},
		{"jdbc:sqlite:/data/shop.db?journal_mode=WAL&busy_timeout=100", "sqlite:/data/shop.db", SQLite},
		{"jdbc:sqlite:file:/data/shop.db?mode=ro", "sqlite:/data/shop.db", SQLite},
		{"jdbc:sqlserver://h:1434;databaseName=shop;encrypt=false;user=u;password={p;w}", "sqlserver://h:1434/shop", SQLServer},
		{`jdbc:sqlserver://h\SQLEXPRESS;database=shop;trustServerCertificate=true;loginTimeout=5;`, "sqlserver://h/shop", SQLServer},
		{"jdbc:sqlserver://;serverName=h;portNumber=1434", "sqlserver://h:1434/", SQLServer},
	} {
		d, err := Parse(Options{URL: c.url})
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if d.Where != c.where || d.Name() != c.dialect {
			t.Errorf("%s: %s, %s", c.url, d.Where, d.Name())
		}
	}
}

func TestParse_SaysWhatIsNotSupportedAndNeverAPassword(t *testing.T) {
	for url, words := range map[string]string{
		"postgresql://u:PW@h/db":                                           "does not begin with jdbc:",
		"jdbc:oracle:thin:u/PW@h:1521:x":                                   "jdbc:oracle: is not supported",
		"jdbc:PW":                                                          "is not supported",
		"jdbc:postgresql://u:PW@h/db":                                      "user before the host",
		"jdbc:postgresql://h:x/db?password=PW":                             `"x" is not a number`,
		"jdbc:postgresql://h/db?password=hunter2&socketTimeout=1":          "sockettimeout",
		"jdbc:postgresql://h/db?password=PW&sslmode=maybe":                 "sslmode",
		"jdbc:postgresql://h/db?password=PW&sslfactory=x.y":                "sslfactory",
		"jdbc:postgresql://h/db?password=PW&sslkey=/k.pk8":                 "PEM",
		"jdbc:mysql://u:PW@h/db":                                           "user before the host",
		"jdbc:mysql://h1,h2/db?password=PW":                                "several hosts",
		"jdbc:mysql:h/db?password=PW":                                      "jdbc:mysql://host:port/database",
		"jdbc:mysql://h/db?password=PW&sslMode=VERIFY_CA":                  "sslMode",
		"jdbc:mysql://h/db?password=PW&zeroDateTimeBehavior=convertToNull": "zeroDateTimeBehavior",
		"jdbc:mysql://h/db?password=hunter2&trustCertificateKeyStoreUrl=x": "trustcertificatekeystoreurl",
		"jdbc:sqlite::memory:":                                             "in memory",
		"jdbc:sqlite:/x?journal_mode=WAL);DROP":                            "journal_mode",
		"jdbc:sqlserver://h;password=PW;x=1":                               "a name that none has",
		"jdbc:sqlserver://h;password={hunter2};integratedSecurity=true":    "integratedSecurity",
		"jdbc:sqlserver://h;password={hunter2};trustStore=/x":              "truststore",
		"jdbc:sqlserver://h;password={PW":                                  "not closed",
		"jdbc:sqlserver:h;password=PW":                                     "jdbc:sqlserver://host:port",
	} {
		_, err := Parse(Options{URL: strings.ReplaceAll(url, "PW", secret), User: "u"})
		if !errors.Is(err, ErrURL) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the password is in: %v", url, err)
		}
	}
}

func TestParse_TheConfigsUserAndPropertiesAreFirst(t *testing.T) {
	d, err := Parse(Options{URL: "jdbc:mysql://h/shop?user=a&password=b&useSSL=true", User: "u", Password: secret, Properties: map[string]string{"useSSL": "false"}})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Error("trying", errors.New("Access denied for u with "+secret))
	if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "mysql://h/shop, trying: Access denied") {
		t.Error(err)
	}
	if again := d.Error("other", err); again != err { //nolint:errorlint // the same
		t.Errorf("wrapped twice: %v", again)
	}
}

func TestClass_GoesByTheDatabasesNumbers(t *testing.T) {
	for _, c := range []struct {
		url  string
		err  error
		want connectors.ErrorClass
	}{
		{"jdbc:postgresql://h/d", &pgconn.PgError{Code: "28P01"}, connectors.AuthorisationError},
		{"jdbc:postgresql://h/d", &pgconn.PgError{Code: "42501"}, connectors.AuthorisationError},
		{"jdbc:postgresql://h/d", &pgconn.PgError{Code: "57P01"}, connectors.TransientError},
		{"jdbc:postgresql://h/d", &pgconn.PgError{Code: "40P01"}, connectors.TransientError},
		{"jdbc:postgresql://h/d", &pgconn.PgError{Code: "42P01"}, connectors.ConfigError},
		{"jdbc:postgresql://h/d", &pgconn.PgError{Code: "3D000"}, connectors.ConfigError},
		{"jdbc:postgresql://h/d", &pgconn.PgError{Code: "23505"}, connectors.DataError},
		{"jdbc:postgresql://h/d", &pgconn.PgError{Code: "22001"}, connectors.DataError},
		{"jdbc:mysql://h/d", &mysql.MySQLError{Number: 1045}, connectors.AuthorisationError},
		{"jdbc:mysql://h/d", &mysql.MySQLError{Number: 1213}, connectors.TransientError},
		{"jdbc:mysql://h/d", &mysql.MySQLError{Number: 1146}, connectors.ConfigError},
		{"jdbc:mysql://h/d", &mysql.MySQLError{Number: 1406}, connectors.DataError},
		{"jdbc:mysql://h/d", mysql.ErrInvalidConn, connectors.TransientError},
		{"jdbc:sqlserver://h", mssql.Error{Number: 18456}, connectors.AuthorisationError},
		{"jdbc:sqlserver://h", mssql.Error{Number: 1205}, connectors.TransientError},
		{"jdbc:sqlserver://h", mssql.Error{Number: 208}, connectors.ConfigError},
		{"jdbc:sqlserver://h", mssql.Error{Number: 2627}, connectors.DataError},
		{"jdbc:sqlserver://h", errors.New("odd"), connectors.OtherError},
	} {
		d, err := Parse(Options{URL: c.url})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := connectors.ClassOf(d.Error("x", c.err)); got != c.want {
			t.Errorf("%s %v: %v instead of %v", c.url, c.err, got, c.want)
		}
	}
}

func TestParseTable(t *testing.T) {
	pg, my := postgres{}, mysqlDialect{}
	for _, c := range []struct {
		d    Dialect
		text string
		want Table
		ok   bool
	}{
		{pg, "a", Table{Name: "a"}, true}, {pg, "s.a", Table{Schema: "s", Name: "a"}, true}, {my, "s.a", Table{Catalog: "s", Name: "a"}, true},
		{pg, `"c"."s"."a"`, Table{"c", "s", "a"}, true}, {pg, `"a.b"`, Table{Name: "a.b"}, true}, {pg, `"a""b".c`, Table{Schema: `a"b`, Name: "c"}, true},
		{my, "`x`.`y`", Table{Catalog: "x", Name: "y"}, true}, {sqlserver{}, "[d].[dbo].[t]]x]", Table{"d", "dbo", "t]x"}, true},
		{pg, "", Table{}, false}, {pg, "a.", Table{}, false}, {pg, ".a", Table{}, false}, {pg, `"a`, Table{}, false}, {pg, `"a"b`, Table{}, false}, {pg, "a.b.c.d", Table{}, false},
	} {
		got, err := ParseTable(c.d, c.text)
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%s: %#v, %v", c.text, got, err)
		}
	}
}

func TestZone_TakesJavasNames(t *testing.T) {
	for name, offset := range map[string]int{"UTC": 0, "GMT+2": 7200, "UTC-05:30": -19800, "+01:00": 3600, "Z": 0, "GMT": 0} {
		z, err := Zone(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, got := reread(epoch, z).Zone(); got != offset {
			t.Errorf("%s: %d", name, got)
		}
	}
	for _, name := range []string{"", "Local", "Nowhere/City", "GMT+99", "GMT+x", "GMT+1:99"} {
		if _, err := Zone(name); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
