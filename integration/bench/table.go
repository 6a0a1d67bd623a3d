package bench

import (
	"fmt"
	"maps"
)

// Database is where the rows of a job of direction Table arrive.
type Database struct {
	// URL begins with jdbc:.
	URL, User, Password string
}

// TableColumns are those of the table that rows of JSONSchemas arrive in. It is there before the clock runs: neither side makes it.
const TableColumns = "id BIGINT PRIMARY KEY, level TEXT NOT NULL, ts BIGINT NOT NULL, price DOUBLE PRECISION NOT NULL, ok BOOLEAN NOT NULL, text TEXT NOT NULL"

// TableConfig is a connector's of one side: Debezium's JDBC sink on Kafka Connect, Sluice's JDBC sink. Both read and write
// up to 5,000 records at once, and upsert by the value's id.
func (j *Job) TableConfig(side, topic, table string, db Database) map[string]string {
	out := converters(j.Format)
	maps.Copy(out, map[string]string{"topics": topic, "tasks.max": fmt.Sprint(j.Tasks), "connection.password": db.Password, "insert.mode": "upsert", "batch.size": "5000",
		"consumer.override.max.poll.records": "5000", "consumer.override.fetch.min.bytes": "100000", "consumer.override.max.partition.fetch.bytes": "4194304"})
	if side != Connect {
		maps.Copy(out, map[string]string{"connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector", "connection.url": db.URL, "connection.user": db.User,
			"pk.mode": "record_value", "pk.fields": "id", "table.name.format": table})
		return out
	}
	maps.Copy(out, map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "connection.url": db.URL + "?reWriteBatchedInserts=true", "connection.username": db.User,
		"primary.key.mode": "record_value", "primary.key.fields": "id", "collection.name.format": table, "schema.evolution": "none", "use.reduction.buffer": "true",
		"connection.pool.min_size": "1", "connection.pool.acquire_increment": "1"})
	if j.Unnest {
		out["dialect.postgres.unnest.insert.enabled"] = "true"
	}
	return out
}
