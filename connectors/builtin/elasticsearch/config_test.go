package elasticsearch

import (
	"crypto/x509"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/keystore"
)

// faults are what validation says, by key.
func faults(p connectors.Plugin, config map[string]string) map[string]string {
	out := map[string]string{}
	for _, v := range p.Config().Validate(config) {
		if len(v.Errors) > 0 {
			out[v.Name] = strings.Join(v.Errors, "; ")
		}
	}
	p.NewSink().(connectors.Checker).Check(config, func(key, message string) {
		if _, said := out[key]; !said {
			out[key] = message
		}
	})
	return out
}

func TestValidate_SaysWhatIsNotSupportedAndWhatIsMissing(t *testing.T) {
	stream := map[string]string{streamTypeKey: "logs", datasetKey: "d"}
	for _, c := range []struct {
		extra      map[string]string
		key, words string // "" where nothing is wrong
	}{
		{nil, "", ""},
		{map[string]string{urlKey: ""}, urlKey, "http://host:port"},
		{map[string]string{urlKey: "ftp://host"}, urlKey, "http://host:port"},
		{map[string]string{urlKey: "ftp://me:secret@host"}, urlKey, "…@host"},
		{map[string]string{urlKey: "a:1, https://b:2/path"}, "", ""},
		{map[string]string{batchKey: "0"}, batchKey, "at least 1"},
		{map[string]string{bufferedKey: "9999"}, bufferedKey, "10000"},
		{map[string]string{lingerKey: "5000", flushKey: "2000"}, lingerKey, flushKey},
		{map[string]string{userKey: "me"}, passwordKey, "together"},
		{map[string]string{ignoreKeyKey: "true", ignoreKeysKey: "t"}, ignoreKeysKey, "can not be set"},
		{map[string]string{ignoreSchemaKey: "true", ignoreSchemasKey: "t"}, ignoreSchemasKey, "can not be set"},
		{map[string]string{nullsKey: "write"}, nullsKey, "DELETE"},
		{map[string]string{malformedKey: "report"}, malformedKey, "WARN"},
		{map[string]string{methodKey: "update"}, methodKey, "UPSERT"},
		{map[string]string{methodKey: "upsert", autoIDsKey: "true"}, autoIDsKey, "ids"},
		{map[string]string{streamTypeKey: "logs"}, datasetKey, "together"},
		{map[string]string{datasetKey: "d"}, datasetKey, "together"},
		{map[string]string{streamTypeKey: "logs", datasetKey: "A"}, datasetKey, "lower-case"},
		{map[string]string{timestampFieldKey: "at"}, timestampFieldKey, "data streams"},
		{stream, "", ""},
		{merge(map[string]string{methodKey: "upsert"}, stream), methodKey, "data streams"},
		{merge(map[string]string{nullsKey: "delete"}, stream), nullsKey, "data streams"},
		{merge(map[string]string{usageKey: "index", resourcesKey: "a:b"}, stream), usageKey, streamTypeKey},
		{map[string]string{usageKey: "index"}, resourcesKey, "needs"},
		{map[string]string{resourcesKey: "a:b"}, resourcesKey, usageKey},
		{map[string]string{usageKey: "index", resourcesKey: "a"}, resourcesKey, "topic:resource"},
		{map[string]string{usageKey: "index", resourcesKey: "a:b,c:b"}, resourcesKey, "named for the topics"},
		{map[string]string{usageKey: "index", resourcesKey: "a:b,c:d", mostResourcesKey: "1"}, resourcesKey, mostResourcesKey},
		{map[string]string{usageKey: "alias_datastream", resourcesKey: "a:b", timestampFieldKey: "at"}, "", ""},
		{map[string]string{proxyUserKey: "me"}, proxyHostKey, "must be set"},
		{map[string]string{proxyHostKey: "p", proxyUserKey: "me"}, proxyPasswordKey, "both or neither"},
		{map[string]string{"kerberos.user.principal": "me"}, "kerberos.user.principal", "Kerberos"},
		{map[string]string{tlsPrefix + keystore.TrustLocation: "/x"}, protocolKey, "SSL"},
		{map[string]string{protocolKey: "SSL"}, urlKey, "https"},
		{map[string]string{protocolKey: "SSL", urlKey: "https://h", tlsPrefix + "ssl.cipher.suites": "X"}, tlsPrefix + "ssl.cipher.suites", "not supported"},
		{map[string]string{protocolKey: "SSL", urlKey: "https://h", tlsPrefix + "ssl.protocol": "SSLv3"}, tlsPrefix + "ssl.protocol", "TLSv1.3"},
		{map[string]string{protocolKey: "SSL", urlKey: "https://h"}, "", ""},
	} {
		config := merge(map[string]string{urlKey: "http://h:9200"}, c.extra)
		got := faults(Plugins()[0], config)
		if c.key == "" && len(got) > 0 || c.key != "" && !strings.Contains(got[c.key], c.words) {
			t.Errorf("%v: %v, want %s: …%s…", c.extra, got, c.key, c.words)
		}
		if strings.Contains(got[c.key], "secret") {
			t.Errorf("a secret is said: %s", got[c.key])
		}
		if _, err := parse(config); (err != nil) != (c.key != "") {
			t.Errorf("%v: the task says %v", c.extra, err)
		}
	}
}

// Each example writes a record that it is made for.
func TestExamples_AreValidAndRun(t *testing.T) {
	files, err := filepath.Glob("../../../examples/elasticsearch/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	schema, value := one("id", data.Int64Schema, data.Int64(1), "placed_at", data.TimestampSchema, data.Int64(1_700_000_000_000))
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			config := map[string]string{}
			if err := json.Unmarshal(b, &config); err != nil {
				t.Fatal(err)
			}
			var p connectors.Plugin
			for _, p = range Plugins() {
				if p.Class == config["connector.class"] {
					break
				}
			}
			if p.Class != config["connector.class"] {
				t.Fatal(config["connector.class"])
			}
			if got := faults(p, config); len(got) > 0 {
				t.Fatal(got)
			}
			f := newFake(t)
			maps.Copy(config, map[string]string{urlKey: f.url, protocolKey: "PLAINTEXT"})
			delete(config, tlsPrefix+keystore.TrustLocation)
			sink := p.NewSink().NewTask()
			if err := sink.Start(t.Context(), &reporter{}, config); err != nil {
				t.Fatal(err)
			}
			record := connectors.SinkRecord{Topic: config["topics"], KeySchema: data.StringSchema, Key: data.String("k"), ValueSchema: schema, Value: value}
			if err := puts(t, sink, &connectors.SinkBatch{Records: []connectors.SinkRecord{record}}); err != nil {
				t.Fatal(err)
			}
			if err := sink.Stop(t.Context()); err != nil || len(f.sources()) != 1 {
				t.Error(err, f.sources())
			}
		})
	}
}

func TestTLS_TheServersCertificateIsChecked(t *testing.T) {
	f := newFake(t)
	server := httptest.NewTLSServer(f)
	t.Cleanup(server.Close)
	authority := keystore.CertificatesPEM([]*x509.Certificate{server.Certificate()})
	start := func(extra map[string]string) error {
		config := f.config(merge(map[string]string{protocolKey: "SSL"}, extra))
		if config[urlKey] == f.url {
			config[urlKey] = server.URL
		}
		sink := Plugins()[0].NewSink().NewTask()
		err := sink.Start(t.Context(), &conformance.SinkContext{}, config)
		if err == nil {
			err = puts(t, sink, numbers(0, 3))
		}
		if e := sink.Stop(t.Context()); e != nil {
			t.Error(e)
		}
		return err
	}
	trusted := map[string]string{tlsPrefix + keystore.TrustText: authority, tlsPrefix + keystore.TrustType: "PEM"}
	if err := start(trusted); err != nil || len(f.sources()) != 3 {
		t.Fatal(err)
	}
	err := start(nil)
	if class, _ := connectors.ClassOf(err); class != connectors.ConfigError || !strings.Contains(err.Error(), "truststore") {
		t.Errorf("%s: %v", class, err)
	}
	other := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // the certificate has another name
	if err := start(merge(map[string]string{urlKey: other}, trusted)); err == nil {
		t.Error("a certificate of another name is taken")
	}
	if err := start(merge(map[string]string{urlKey: other, tlsPrefix + hostnamesKey: ""}, trusted)); err != nil {
		t.Error(err)
	}
	if err := start(map[string]string{tlsPrefix + hostnamesKey: ""}); err == nil {
		t.Error("a certificate of an authority that is not trusted is taken")
	}
	err = start(merge(map[string]string{urlKey: strings.Replace(f.url, "http:", "https:", 1)}, trusted))
	if class, _ := connectors.ClassOf(err); class != connectors.ConfigError || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("%s: %v", class, err)
	}
}
