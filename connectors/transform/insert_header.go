package transform

import (
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
)

func insertHeaderInfos() []Info {
	return one("InsertHeader", "Adds a header of a fixed value to each record.", insertHeaderDef, func() Transform { return &insertHeader{} })
}

func insertHeaderDef() *configdef.Def {
	return configdef.New().
		Define(valid(required(text("header", nil, configdef.High, "The name of the header.")), configdef.NonNull())).
		Define(valid(required(text("value.literal", nil, configdef.High, "The literal value that is to be set as the header value on all records.")), configdef.NonNull()))
}

type insertHeader struct{ header data.Header }

func (h *insertHeader) Configure(config map[string]string) error {
	v, err := insertHeaderDef().Parse(config)
	if err == nil {
		h.header.Key = v.String("header")
		h.header.Schema, h.header.Value = converter.ParseText(v.String("value.literal"))
	}
	return err
}

func (h *insertHeader) Apply(b *Batch) { b.each(h.apply) }

func (h *insertHeader) apply(r *Record, a *data.Arena) error {
	r.Headers = append(append(a.Headers(len(r.Headers)+1), r.Headers...), h.header)
	return nil
}
