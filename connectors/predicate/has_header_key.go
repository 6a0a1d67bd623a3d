package predicate

import (
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/transform"
)

func hasHeaderKeyDef() *configdef.Def {
	return configdef.New().Define(configdef.Key{Name: "name", Type: configdef.String, Required: true, Validator: configdef.NonEmpty(), Importance: configdef.Medium, Doc: "The header name."})
}

type hasHeaderKey struct{ name string }

func (h *hasHeaderKey) Configure(config map[string]string) error {
	v, err := hasHeaderKeyDef().Parse(config)
	if err == nil {
		h.name = v.String("name")
	}
	return err
}

func (h *hasHeaderKey) Test(records []*transform.Record, match []bool) {
	for i, r := range records {
		_, match[i] = r.Headers.Last(h.name)
	}
}
