package all

import "testing"

func TestPlugins_HaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]string{}
	for _, p := range Plugins() {
		for _, name := range append([]string{p.Class}, p.Aliases...) {
			if other, ok := seen[name]; ok {
				t.Errorf("%s and %s are both called %s", p.Class, other, name)
			}
			seen[name] = p.Class
		}
	}
	for _, name := range []string{"FileStreamSource", "FileStreamSink", "S3Sink", "ElasticsearchSink", "OpenSearchSink", "VerifiableSource", "VerifiableSink", "Datagen", "NullSink",
		"io.confluent.connect.jdbc.JdbcSourceConnector", "io.aiven.connect.jdbc.JdbcSourceConnector", "io.confluent.connect.jdbc.JdbcSinkConnector", "io.aiven.connect.jdbc.JdbcSinkConnector",
		"HttpSource", "com.github.castorm.kafka.connect.http.HttpSourceConnector"} {
		if _, ok := seen[name]; !ok {
			t.Errorf("nothing is called %s", name)
		}
	}
}
