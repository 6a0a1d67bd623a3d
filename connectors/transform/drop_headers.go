package transform

import (
	"slices"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

func dropHeadersInfos() []Info {
	return one("DropHeaders", "Removes headers by their names.", dropHeadersDef, func() Transform { return &dropHeaders{} })
}

func dropHeadersDef() *configdef.Def {
	return configdef.New().Define(configdef.Key{Name: "headers", Type: configdef.List, Required: true, Importance: configdef.High,
		Validator: configdef.DistinctList(false), Doc: "The name of the headers to be removed."})
}

type dropHeaders struct{ names []string }

func (d *dropHeaders) Configure(config map[string]string) error {
	v, err := dropHeadersDef().Parse(config)
	if err == nil {
		d.names = v.List("headers")
	}
	return err
}

func (d *dropHeaders) Apply(b *Batch) { b.each(d.apply) }

func (d *dropHeaders) apply(r *Record, a *data.Arena) error {
	drops := func(h data.Header) bool { return slices.Contains(d.names, h.Key) }
	if !slices.ContainsFunc(r.Headers, drops) {
		return nil
	}
	left := a.Headers(len(r.Headers))
	for _, h := range r.Headers {
		if !drops(h) {
			left = append(left, h)
		}
	}
	r.Headers = left
	return nil
}
