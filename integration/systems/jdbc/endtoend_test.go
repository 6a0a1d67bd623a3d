//go:build integration

package jdbc

import (
	"database/sql"
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

const (
	root = "../../.."
	rows = 100_000
)

// pipe is a table of one database that becomes one of another, by way of Kafka.
type pipe struct {
	name     string
	from, to *harness.Database
	fill     string // makes rows first..last of the source's table
}

func (p pipe) topic() string { return p.name + "-numbers" }

func (p pipe) source() map[string]string {
	return connector(p.from, map[string]string{"connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "mode": "incrementing", "incrementing.column.name": "id",
		"table.whitelist": "numbers", "topic.prefix": p.name + "-", "poll.interval.ms": "200", "table.poll.interval.ms": "2000", "batch.max.rows": "500"})
}

func (p pipe) sink() map[string]string {
	return connector(p.to, map[string]string{"connector.class": "io.aiven.connect.jdbc.JdbcSinkConnector", "topics": p.topic(), "table.name.format": "copy", "insert.mode": "upsert",
		"pk.mode": "record_value", "pk.fields": "id", "auto.create": "true", "max.retries": "3", "retry.backoff.ms": "500", "consumer.override.metadata.max.age.ms": "500"})
}

// connector is the config of one in a cluster.
func connector(db *harness.Database, more map[string]string) map[string]string {
	out := config(db, map[string]string{"tasks.max": "2", "key.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
		"connection.backoff.ms": "500", "sluice.restart.delay.ms": "500", "sluice.restart.delay.max.ms": "2000"})
	delete(out, "name")
	maps.Copy(out, more)
	return out
}

func (p pipe) insert(first, last int) { p.from.Exec(fmt.Sprintf(p.fill, first, last)) }

// whole says whether the copy has the rows 1..n, each once and with its own value.
func (p pipe) whole(n int) bool {
	return p.to.Count("SELECT count(*) FROM copy") == n && p.to.Count("SELECT count(DISTINCT id) FROM copy WHERE id BETWEEN 1 AND "+strconv.Itoa(n)+" AND half = id / 2.0") == n
}

const (
	postgresFill = "INSERT INTO numbers SELECT i, 'row ' || i, i / 2.0 FROM generate_series(%d, %d) AS i"
	mariadbFill  = "INSERT INTO numbers SELECT seq, concat('row ', seq), seq / 2.0 FROM seq_%d_to_%d"
)

// TestTables_FromOneDatabaseToTheOther moves 100,000 rows from PostgreSQL to MariaDB and as many from MariaDB to PostgreSQL,
// while executors are killed (JDBC_KILLS times, 3 without), and restarts both databases.
func TestTables_FromOneDatabaseToTheOther(t *testing.T) {
	kills, _ := strconv.Atoi(os.Getenv("JDBC_KILLS")) // 0 where it is not set
	if kills == 0 {
		kills = 3
	}
	pg, my := harness.StartPostgres(t), harness.StartMariaDB(t)
	pg.Exec("CREATE TABLE numbers (id INT PRIMARY KEY, name TEXT NOT NULL, half DOUBLE PRECISION)")
	my.Exec("CREATE TABLE numbers (id INT PRIMARY KEY, name TEXT NOT NULL, half DOUBLE)")
	kafka := harness.StartKafka(t, root)
	c := harness.Start(t, harness.Options{Executors: []string{"default", "default"}, TTL: 6 * time.Second, Margin: 3 * time.Second, Kafka: kafka, Root: root}, harness.Binaries(t, root))
	pipes := []pipe{{"pg", pg, my, postgresFill}, {"my", my, pg, mariadbFill}}
	begin := time.Now()
	for _, p := range pipes {
		p.insert(1, rows)
		c.Put(t, p.name+"-source", p.source())
		c.Put(t, p.name+"-sink", p.sink())
	}
	for n := range kills {
		// Spread over the rows, so that each kill is in mid-stream.
		at := (n + 1) * 2 * rows / (kills + 2)
		there := func() int {
			return max(0, my.Count("SELECT count(*) FROM copy")) + max(0, pg.Count("SELECT count(*) FROM copy"))
		}
		harness.Await(t, fmt.Sprintf("%d rows have arrived", at), 5*time.Minute, func() bool { return there() >= at })
		x := c.Executors[n%len(c.Executors)]
		t.Logf("kill -9 of %s with %d of %d rows there", x.Name, there(), 2*rows)
		x.Kill()
		x.Start()
		c.AwaitHealthy(x)
	}
	for _, p := range pipes {
		harness.Await(t, "all rows of "+p.name+" are there, once", 5*time.Minute, func() bool { return p.whole(rows) })
	}
	t.Logf("2 x %d rows through two databases and Kafka, with %d kills, after %s", rows, kills, time.Since(begin).Round(time.Second))
	// Both databases go away and come back: nobody has to do anything.
	for _, db := range []*harness.Database{pg, my} {
		db.Halt()
		db.Start()
		db.AwaitAnswers()
	}
	for _, p := range pipes {
		p.insert(rows+1, rows+1000)
	}
	for _, p := range pipes {
		harness.Await(t, "what "+p.name+" wrote after the restart is there", 3*time.Minute, func() bool { return p.whole(rows + 1000) })
	}
	misfortunes(t, c, pg, my)
	for _, db := range []*harness.Database{pg, my} {
		slow(t, c, db)
		refused(t, c, db)
	}
	for _, x := range c.Executors {
		if n := x.Said(harness.DatabasePassword); n > 0 {
			t.Errorf("%s has the database's password in %d lines of its log", x.Name, n)
		}
	}
}

// misfortunes: what fails names its cause, and goes on by itself once that is gone.
func misfortunes(t *testing.T, c *harness.Cluster, dbs ...*harness.Database) {
	for i, db := range dbs {
		name := func(what string) string { return fmt.Sprintf("%s-%d", what, i) }
		wrong := connector(db, map[string]string{"connector.class": "io.aiven.connect.jdbc.JdbcSinkConnector", "topics": "pg-numbers", "connection.password": "wrong-9313", "tasks.max": "1"})
		c.Put(t, name("wrong-password"), wrong)
		failure(t, c, name("wrong-password"), "127.0.0.1:"+strconv.Itoa(db.Port), harness.DatabaseUser)
		missing := connector(db, map[string]string{"connector.class": "io.aiven.connect.jdbc.JdbcSinkConnector", "topics": "pg-numbers", "table.name.format": "later", "tasks.max": "1"})
		c.Put(t, name("missing-sink"), missing)
		failure(t, c, name("missing-sink"), "there is no table later")
		absent := connector(db, map[string]string{"connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "mode": "bulk", "table.whitelist": "never", "topic.prefix": name("x"),
			"table.poll.interval.ms": "500", "tasks.max": "1"})
		c.Put(t, name("missing-source"), absent)
		failure(t, c, name("missing-source"), "table.whitelist")
		db.Exec("CREATE TABLE later (id INT, name VARCHAR(100), half DOUBLE PRECISION)", "CREATE TABLE never (id INT)")
		c.AwaitRunningInTheEnd(t, name("missing-sink"), 1)
		c.AwaitRunningInTheEnd(t, name("missing-source"), 1)
		harness.Await(t, "the table that came late has rows", 2*time.Minute, func() bool { return db.Count("SELECT count(*) FROM later") >= rows })
	}
}

// slow: a database that is far away, and then not to be reached for a while, is waited for.
func slow(t *testing.T, c *harness.Cluster, db *harness.Database) {
	t.Helper()
	proxy := harness.NewProxy(t, "127.0.0.1:"+strconv.Itoa(db.Port))
	proxy.Slow(20 * time.Millisecond)
	_, port, _ := net.SplitHostPort(proxy.Addr())
	name, table := db.Name+"-slow", "far"
	c.Put(t, name, connector(db, map[string]string{"connector.class": "io.aiven.connect.jdbc.JdbcSinkConnector", "topics": "pg-numbers", "table.name.format": table, "auto.create": "true",
		"insert.mode": "upsert", "pk.mode": "record_value", "pk.fields": "id", "connection.url": strings.Replace(db.JDBC, strconv.Itoa(db.Port), port, 1)}))
	count := func() int { return db.Count("SELECT count(*) FROM " + table) }
	harness.Await(t, "rows arrive far away", 2*time.Minute, func() bool { return count() > 0 })
	proxy.Cut()
	time.Sleep(2 * time.Second) // in which nothing can happen
	proxy.Heal()
	proxy.Slow(0)
	harness.Await(t, "all rows are far away", 3*time.Minute, func() bool { return count() >= rows })
}

// refused: a user who has no connection left is told so, and goes on when there is one.
func refused(t *testing.T, c *harness.Cluster, db *harness.Database) {
	t.Helper()
	const user, password = "limited", "quota-5521"
	name := db.Name + "-limited"
	lift := func() { db.Exec("ALTER ROLE limited CONNECTION LIMIT 10") }
	words := "too many connections"
	if db.Name == "postgres" {
		db.Exec("CREATE ROLE limited LOGIN PASSWORD '"+password+"' CONNECTION LIMIT 0", "GRANT ALL ON SCHEMA public TO limited")
	} else {
		db.Exec("CREATE USER 'limited'@'127.0.0.1' IDENTIFIED BY '"+password+"' WITH MAX_USER_CONNECTIONS 1", "GRANT ALL ON *.* TO 'limited'@'127.0.0.1'")
		holds, err := sql.Open("mysql", user+":"+password+"@tcp(127.0.0.1:"+strconv.Itoa(db.Port)+")/")
		if err == nil {
			err = holds.PingContext(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		lift, words = func() { _ = holds.Close() }, "max_user_connections"
	}
	c.Put(t, name, connector(db, map[string]string{"connector.class": "io.aiven.connect.jdbc.JdbcSinkConnector", "topics": "pg-numbers", "table.name.format": "few", "auto.create": "true", "tasks.max": "1",
		"connection.user": user, "connection.password": password}))
	failure(t, c, name, "127.0.0.1:"+strconv.Itoa(db.Port), words)
	lift()
	harness.Await(t, "the limited user writes", 2*time.Minute, func() bool { return db.Count("SELECT count(*) FROM few") >= rows })
}

// failure waits until a connector or a task of it has failed, with words in its trace and no password.
func failure(t *testing.T, c *harness.Cluster, name string, words ...string) {
	t.Helper()
	var trace string
	harness.Await(t, name+" fails", time.Minute, func() bool {
		code, text, err := harness.Call("GET", c.REST(0)+"/connectors/"+name+"/status", nil)
		trace = text
		return err == nil && code == 200 && strings.Contains(text, "FAILED")
	})
	for _, w := range words {
		if !strings.Contains(trace, w) {
			t.Errorf("%s: %q is not in %s", name, w, trace)
		}
	}
	if strings.Contains(trace, "wrong-9313") || strings.Contains(trace, "quota-5521") || strings.Contains(trace, harness.DatabasePassword) {
		t.Errorf("%s: the password is in %s", name, trace)
	}
}
