//go:build integration

package jdbc

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-project/sluice/integration/harness"
)

// The tables of Debezium's sink and of Sluice's, and the connectors: two of one name would be of one group.
const theirs, ours = "theirs", "ours"

// peers are what Debezium's sink and Sluice's make of one thing.
type peers struct{ Debezium, Sluice string }

// All that the tables have between them, by column. One that is gone fails the test, as one that is new does, and one that
// the documentation does not have.
var (
	differentColumns = map[string]peers{
		// Debezium's takes 38 digits, with the scale of the schema; Sluice's, as Confluent's, takes any.
		"num": {"numeric(38,2)", "numeric"},
		// 6 digits are what PostgreSQL's have where nothing is said.
		"tod": {"time(6) without time zone", "time without time zone"},
		"ts":  {"timestamp(6) without time zone", "timestamp without time zone"},
		// A field that has a default: Confluent's and Sluice's columns take nulls, whether or not the field does.
		"late_default": {"bigint DEFAULT 5 NOT NULL", "bigint DEFAULT '5'::bigint"},
	}
	differentRows = map[string]string{}
	page          = "docs/connectors/jdbcsink.md"
)

// TestPeer_DebeziumsSinkWritesTheSameRows has one topic go through Debezium's JDBC sink on a real Kafka Connect worker and
// through Sluice's, with configs of equal meaning, into two tables, and compares these: columns made and added, updates,
// deletes, and what is inserted again.
func TestPeer_DebeziumsSinkWritesTheSameRows(t *testing.T) {
	began, topic := time.Now(), "peer"
	db, kafka := harness.StartPostgres(t), harness.StartKafka(t, root)
	createTopic(t, kafka.Addr, topic, partitions)
	properties, base := harness.ConnectProperties(t, kafka, "peer", "peer-configs", "peer-offsets", "peer-status", "plugin.path="+harness.DebeziumJDBC(t, root))
	java := harness.StartConnect(t, root, properties, base)

	c := harness.Start(t, harness.Options{Executors: []string{"default"}, Kafka: kafka, Root: root}, harness.Binaries(t, root))
	t.Logf("all serve after %s", time.Since(began).Round(time.Second))
	common := map[string]string{"topics": topic, "tasks.max": fmt.Sprint(partitions), "insert.mode": "upsert", "delete.enabled": "true", "batch.size": "1000",
		"key.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
		"connection.url": db.JDBC, "connection.password": harness.DatabasePassword}
	debezium := map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "connection.username": harness.DatabaseUser, "primary.key.mode": "record_key",
		"schema.evolution": "basic", "collection.name.format": theirs, "quote.identifiers": "true",
		"connection.pool.min_size": "1", "connection.pool.acquire_increment": "1"} // else eight tasks have 40 connections, and up to 256
	sluice := map[string]string{"connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector", "connection.user": harness.DatabaseUser, "pk.mode": "record_key",
		"auto.create": "true", "auto.evolve": "true", "table.name.format": ours}
	maps.Copy(debezium, common)
	maps.Copy(sluice, common)
	harness.Await(t, "the worker takes the connector", time.Minute, func() bool {
		code, text, err := harness.Call("PUT", java.Base+"/connectors/"+theirs+"/config", debezium)
		if err == nil && code != 200 && code != 201 && code != 409 {
			t.Fatalf("PUT: %d %s", code, text)
		}
		return err == nil && code < 300
	})
	c.Put(t, ours, sluice)

	send := func(records ...*kgo.Record) {
		t.Helper()
		if err := produce(t.Context(), kafka.Addr, records...); err != nil {
			t.Fatal(err)
		}
	}
	await := func(what, query string, n int) {
		t.Helper()
		harness.Await(t, what, 90*time.Second, func() bool {
			failed(t, java.Base+"/connectors/"+theirs+"/status", "Kafka Connect")
			failed(t, c.REST(0)+"/connectors/"+ours+"/status", "Sluice")
			return db.Count(fmt.Sprintf(query, theirs)) == n && db.Count(fmt.Sprintf(query, ours)) == n
		})
	}
	// One record makes the table, and one adds columns, before the other tasks write: nobody promises that tasks which change
	// the table at once do not get in each other's way.
	send(record(t, topic, 1, message(t, columns, 1, nil)))
	await("both have made their table", "SELECT count(*) FROM %s", 1)
	records, rows := firstRecords(t, topic)
	send(append(records, markersOf(t, topic, markers, columns)...)...)
	const ended = "SELECT count(*) FROM %%s WHERE id >= %d"
	await("both have written all records", fmt.Sprintf(ended, markers), partitions)
	all := append(slices.Clone(columns), later...)
	send(record(t, topic, 1, message(t, all, 1, nil)))
	await("both have added the columns", "SELECT count(*) FROM %s WHERE id = 1 AND late IS NOT NULL", 1)
	for id := range 100 {
		send(record(t, topic, id, message(t, all, id, nil)))
	}
	send(markersOf(t, topic, 2*markers, all)...)
	await("both have written all records with more columns", fmt.Sprintf(ended, 2*markers), partitions)
	t.Logf("%d records through both after %s", len(records)+102+2*partitions, time.Since(began).Round(time.Second))

	for _, table := range []string{theirs, ours} {
		if n := db.Count("SELECT count(*) FROM " + table + " WHERE id >= 100 AND id < " + fmt.Sprint(markers)); n != rows-100+gone(100) {
			t.Errorf("%s has %d rows from 100 on, want %d", table, n, rows-100+gone(100))
		}
		// A key that came back has one version more.
		if n := db.Count(fmt.Sprintf("SELECT count(*) FROM %s WHERE id >= 100 AND id < %d AND version = CASE WHEN id %% 14 = 0 THEN %d ELSE %d END", table, markers, versions, versions-1)); n != rows-100+gone(100) {
			t.Errorf("%s has %d rows of the last version, want %d", table, n, rows-100+gone(100))
		}
	}
	if d := cmp.Diff(differentColumns, compareColumns(t, db)); d != "" {
		t.Errorf("columns differ otherwise than the list says (-list +found):\n%s", d)
	}
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range differentColumns {
		if line := fmt.Sprintf("| `%s` | `%s` |", d.Debezium, d.Sluice); !strings.Contains(string(text), line) {
			t.Errorf("%s does not say how %s differs: %s", page, name, line)
		}
	}
	if d := cmp.Diff(differentRows, compareRows(t, db, all)); d != "" {
		t.Errorf("rows differ otherwise than the list says (-list +found):\n%s", d)
	}
}

// gone is how many of the first n keys are deleted and do not come back.
func gone(n int) (out int) {
	for id := range n {
		if tombstoned(id) && !back(id) {
			out++
		}
	}
	return out
}

// compareColumns has the columns that are not described alike. Their order, and that of the primary key's, has to be the same.
func compareColumns(t *testing.T, db *harness.Database) map[string]peers {
	t.Helper()
	described := func(table string) (all map[string]string, order []string) {
		rows, err := db.SQL.QueryContext(t.Context(), `SELECT a.attname, format_type(a.atttypid, a.atttypmod) || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') ||
			CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END || coalesce(' KEY ' || array_position(i.indkey::int2[], a.attnum), '')
			FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
			WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, table)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		all = map[string]string{}
		for rows.Next() {
			var name, what string
			if err := rows.Scan(&name, &what); err != nil {
				t.Fatal(err)
			}
			all[name], order = what, append(order, name)
		}
		if err := rows.Err(); err != nil || len(all) == 0 {
			t.Fatalf("%s has %d columns: %v", table, len(all), err)
		}
		return all, order
	}
	a, ofA := described(theirs)
	b, ofB := described(ours)
	if d := cmp.Diff(ofA, ofB); d != "" {
		t.Errorf("the columns' order differs (-Debezium +Sluice):\n%s", d)
	}
	out := map[string]peers{}
	for _, both := range []map[string]string{a, b} {
		for name := range both {
			if a[name] != b[name] {
				out[name] = peers{a[name], b[name]}
			}
		}
	}
	return out
}

// compareRows has the columns whose values differ as texts: in how many rows, and the first pair of them.
func compareRows(t *testing.T, db *harness.Database, fields []column) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range append([]string{"region"}, names(fields)...) {
		join := fmt.Sprintf("FROM %s a FULL JOIN %s b ON a.id = b.id WHERE a.id IS NULL OR b.id IS NULL OR a.%[3]s::text IS DISTINCT FROM b.%[3]s::text", theirs, ours, name)
		n := db.Count("SELECT count(*) " + join)
		if n == 0 {
			continue
		}
		var pair string
		if err := db.SQL.QueryRowContext(t.Context(), fmt.Sprintf("SELECT coalesce(a.%[1]s::text, 'NULL') || ' | ' || coalesce(b.%[1]s::text, 'NULL') %[2]s ORDER BY coalesce(a.id, b.id) LIMIT 1", name, join)).Scan(&pair); err != nil {
			t.Fatal(err)
		}
		out[name] = fmt.Sprintf("%d rows: %s", n, pair)
	}
	return out
}

func names(fields []column) (out []string) {
	for _, f := range fields {
		out = append(out, f.name)
	}
	return out
}

// failed ends the test where a task has.
func failed(t *testing.T, url, who string) {
	t.Helper()
	code, text, err := harness.Call("GET", url, nil)
	var s harness.Status
	if err != nil || code != 200 || json.Unmarshal([]byte(text), &s) != nil {
		return // it is asked again
	}
	for _, task := range s.Tasks {
		if task.State == "FAILED" {
			t.Fatalf("%s: task %d: %s", who, task.ID, task.Trace)
		}
	}
}

func createTopic(t *testing.T, addr, name string, partitions int32) {
	t.Helper()
	kc, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer kc.Close()
	req, topic := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 10_000
	res, err := req.RequestWith(t.Context(), kc)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("creating topic %s: %v", name, err)
	}
}
