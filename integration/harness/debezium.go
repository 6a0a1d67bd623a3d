package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// DebeziumVersion is that of Debezium's JDBC sink connector, a Java peer of Sluice's: the newest whose dependencies resolve.
const DebeziumVersion = "3.5.0.Final"

// DebeziumJDBC is a plugin.path for a real Kafka Connect worker, with Debezium's JDBC sink connector and PostgreSQL's driver
// alone. root is the module's directory.
func DebeziumJDBC(t testing.TB, root string) string {
	t.Helper()
	jars := Fetch(t, filepath.Join(root, "integration/harness/debezium/pom.xml"), "debezium-jdbc-"+DebeziumVersion)
	dir := t.TempDir()
	if err := os.Symlink(jars, filepath.Join(dir, "debezium-jdbc")); err != nil { // a worker takes each directory in its path for a plugin
		t.Fatal(err)
	}
	return dir
}
