package kafkaio_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/keystore"
)

// TestTLS_JavasStoresAreShownAndTrusted: librdkafka against a broker that wants a certificate, with stores as keytool
// makes them.
func TestTLS_JavasStoresAreShownAndTrusted(t *testing.T) {
	id, err := keystore.Keys{keystore.KeyLocation: stores + "key.p12", keystore.KeyStorePassword: "changeit"}.Identity()
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(pemOf("jks.pem")))
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{*id}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	good := kafkaio.Client{"bootstrap.servers": broker.ListenAddrs()[0], "security.protocol": "SSL", "ssl.keystore.location": stores + "key.jks", "ssl.keystore.password": "changeit",
		"ssl.key.password": "other-1", "ssl.truststore.location": stores + "trust.p12", "ssl.truststore.password": "changeit", "ssl.truststore.type": "PKCS12"}
	a, err := kafkaio.NewAdmin(good, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := a.ClusterID(ctx); err != nil {
		t.Errorf("with Java's stores: %v", err)
	}
	stranger := kafkaio.Client{}
	for k, v := range good {
		stranger[k] = v
	}
	stranger["ssl.truststore.location"], stranger["ssl.truststore.type"] = stores+"trust.jks", "JKS"
	b, err := kafkaio.NewAdmin(stranger, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := b.ClusterID(short); err == nil {
		t.Error("a broker whose certificate is not in the truststore was trusted")
	}
}
