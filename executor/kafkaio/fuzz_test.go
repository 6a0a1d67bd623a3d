package kafkaio_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// FuzzTranslate_ClientConfigsAreTakenOrRefusedByKey: a connector's overrides. No refusal shows a password.
func FuzzTranslate_ClientConfigsAreTakenOrRefusedByKey(f *testing.F) {
	f.Add(uint8(0), "compression.type", "zstd", `org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p\"w";`)
	f.Add(uint8(1), "partition.assignment.strategy", "org.x.RangeAssignor,CooperativeStickyAssignor", `ScramLoginModule required username='u' password=p ;`)
	f.Add(uint8(2), "ssl.truststore.location", "/no/such.p12", `OAuthBearerLoginModule required clientId="c" clientSecret=`)
	f.Add(uint8(0), "delivery.timeout.ms", "2147483647", "")
	f.Add(uint8(0), "ssl.keystore.key", "-----BEGIN ", "")
	f.Fuzz(func(t *testing.T, role uint8, key, value, jaas string) {
		const secret = "s3cr3t-0f-the-test"
		java := map[string]string{"sasl.jaas.config": jaas + ` password="` + secret + `" x=` + secret}
		java[key] = value
		out, warnings, err := kafkaio.Translate([]kafkaio.Role{kafkaio.RoleProducer, kafkaio.RoleConsumer, kafkaio.RoleAdmin}[role%3], java)
		if err != nil {
			if !errors.Is(err, kafkaio.ErrConfig) || strings.Contains(err.Error(), secret) && !strings.Contains(value, secret) {
				t.Fatalf("%q=%q: %v", key, value, err)
			}
			return
		}
		for k, v := range out {
			if k == "" || strings.Contains(v, "\x00") && !strings.Contains(value+jaas, "\x00") {
				t.Fatalf("%q=%q", k, v)
			}
		}
		if strings.Contains(strings.Join(warnings, ""), secret) && !strings.Contains(key, secret) {
			t.Fatal(warnings)
		}
	})
}
