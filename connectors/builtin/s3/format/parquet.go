package format

import (
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/version"
)

// parquetCodecs are the codecs by the names that configs give.
var parquetCodecs = map[string]compress.Codec{"none": &parquet.Uncompressed, "uncompressed": &parquet.Uncompressed, "gzip": &parquet.Gzip,
	"snappy": &parquet.Snappy, "zstd": &parquet.Zstd, "lz4_raw": &parquet.Lz4Raw, "brotli": &parquet.Brotli}

// Parquet is Parquet files of STRUCTs; lists and maps have the three levels of the format's specification.
func Parquet(codec string) Format { return parquetFormat{codec} }

type parquetFormat struct{ codec string }

// Extension has the codec, as the Confluent connector's has.
func (f parquetFormat) Extension() string {
	switch f.codec {
	case "none", "uncompressed":
		return ".parquet"
	}
	short := map[string]string{"gzip": "gz", "brotli": "br", "lz4_raw": "lz4raw"}
	if e, ok := short[f.codec]; ok {
		return "." + e + ".parquet"
	}
	return "." + f.codec + ".parquet"
}

// rowGroup is about how much of a file is in memory before it is written out as a row group, in bytes before encoding.
const rowGroup = 32 << 20

func (f parquetFormat) New(w io.Writer, schema *data.Schema) (Writer, error) {
	if schema == nil || schema.Type != data.KindStruct {
		return nil, fmt.Errorf("%w: Parquet takes STRUCTs with a schema (JsonConverter: schemas.enable=true)", ErrData)
	}
	s := &shredder{}
	node, root, err := s.of(schema, 0)
	if err != nil {
		return nil, err
	}
	name := schema.Name
	if name == "" {
		name = avroRecord
	}
	s.columns = make([][]parquet.Value, s.leaves)
	out := parquet.NewGenericWriter[any](w, parquet.NewSchema(name, node), parquet.Compression(parquetCodecs[f.codec]), parquet.CreatedBy("sluice", version.Version, ""))
	return &parquetWriter{out: out, shredder: s, root: root}, nil
}

type parquetWriter struct {
	*shredder
	out  *parquet.GenericWriter[any]
	root *column
	row  parquet.Row
	held int64
}

func (p *parquetWriter) Write(r *connectors.SinkRecord) (int, error) {
	for i := range p.columns {
		p.columns[i] = p.columns[i][:0]
	}
	p.size = 0
	if err := p.shred(p.root, r.Value, 0, 0); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrData, err)
	}
	row := p.row[:0]
	for _, c := range p.columns {
		row = append(row, c...)
	}
	p.row = row
	if _, err := p.out.WriteRows([]parquet.Row{row}); err != nil {
		return 0, fmt.Errorf("s3: writing a Parquet row: %w", err)
	}
	if p.held += int64(p.size); p.held >= rowGroup {
		return p.size, p.Flush()
	}
	return p.size, nil
}

func (p *parquetWriter) Held() int64 { return p.held }

func (p *parquetWriter) Flush() error {
	p.held = 0
	return p.out.Flush()
}

func (p *parquetWriter) Close() error { return p.out.Close() }

// group is a Parquet group whose fields keep their order.
type group struct {
	parquet.Group
	order []string
}

// Fields implements parquet.Node.
func (g group) Fields() []parquet.Field {
	by := map[string]parquet.Field{}
	for _, f := range g.Group.Fields() {
		by[f.Name()] = f
	}
	out := make([]parquet.Field, len(g.order))
	for i, name := range g.order {
		out[i] = by[name]
	}
	return out
}

// groupOf is a struct's group.
func groupOf(s *data.Schema, nodes []parquet.Node) (parquet.Node, error) {
	g := group{Group: parquet.Group{}}
	for i, f := range s.Fields {
		if _, twice := g.Group[f.Name]; twice || f.Name == "" || strings.Contains(f.Name, ",") {
			return nil, fmt.Errorf("%w: Parquet has no field called %q", ErrData, f.Name)
		}
		g.Group[f.Name] = nodes[i]
		g.order = append(g.order, f.Name)
	}
	if len(g.order) == 0 {
		return nil, fmt.Errorf("%w: Parquet has no STRUCT without fields", ErrData)
	}
	return g, nil
}
