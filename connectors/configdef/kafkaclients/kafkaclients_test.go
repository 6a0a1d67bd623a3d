package kafkaclients

import (
	"testing"

	"github.com/sluice-project/sluice/connectors/configdef"
)

func TestClients_HaveKafkasKeys(t *testing.T) {
	for _, c := range []struct {
		def  *configdef.Def
		name string
		typ  configdef.Type
		n    int
	}{
		{Producer, "acks", configdef.String, 113}, {Consumer, "max.poll.records", configdef.Int, 115}, {Admin, "bootstrap.controllers", configdef.List, 91},
		{Producer, "sasl.jaas.config", configdef.Password, 113}, {Consumer, "key.deserializer", configdef.Class, 115},
	} {
		k, ok := c.def.Key(c.name)
		if !ok || k.Type != c.typ || len(c.def.Keys()) != c.n || len(c.def.Groups()) != 0 {
			t.Errorf("%s: %v, of %d keys", c.name, k, len(c.def.Keys()))
		}
	}
	if k, _ := Consumer.Key("key.deserializer"); !k.Required || k.Default != nil {
		t.Error(k)
	}
}

func TestSecurity_IsValidatedAsInKafka(t *testing.T) {
	def := configdef.New()
	for _, k := range Security() {
		def.Define(k)
	}
	bad := map[string]string{"ssl.cipher.suites": "a,a", "sasl.login.refresh.window.factor": "2", "sasl.login.refresh.buffer.seconds": "-1", "sasl.oauthbearer.assertion.algorithm": "none"}
	errors := 0
	for _, v := range def.Validate(bad) {
		if len(v.Errors) > 0 {
			errors++
			if bad[v.Name] == "" {
				t.Error(v)
			}
		}
	}
	if errors != len(bad) {
		t.Errorf("%d errors", errors)
	}
}
