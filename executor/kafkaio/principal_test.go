package kafkaio_test

import (
	"testing"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

func TestPrincipal_IsWhomACLsName(t *testing.T) {
	const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required username="bob" password="hunter2";`
	for want, c := range map[string]kafkaio.Client{
		"User:ANONYMOUS": {},
		"User:bob":       {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.jaas.config": plain},
		"":               {"security.protocol": "SSL", "sasl.jaas.config": plain},
	} {
		if got := kafkaio.Principal(c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := kafkaio.Principal(kafkaio.Client{"sasl.jaas.config": "x"}); got != "" {
		t.Errorf("a config that cannot be used: %q", got)
	}
}
