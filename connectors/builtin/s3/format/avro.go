package format

import (
	"fmt"
	"io"

	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/ocf"
	"github.com/klauspost/compress/zstd"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

// Avro is Avro's object container files, with schemas as Confluent's AvroData makes them of Connect's. codec is null,
// deflate, snappy or zstandard; metadata has schemas carry connect.* properties.
func Avro(codec string, metadata bool) Format { return avroFormat{ocf.CodecName(codec), metadata} }

type avroFormat struct {
	codec    ocf.CodecName
	metadata bool
}

func (avroFormat) Extension() string { return ".avro" }

// blockSize is how much of a file is compressed at once, in bytes.
const blockSize = 64 << 10

func (f avroFormat) New(w io.Writer, schema *data.Schema) (Writer, error) {
	if schema == nil {
		return nil, fmt.Errorf("%w: it has no schema, which Avro needs: the converter has to bring one (JsonConverter: schemas.enable=true)", ErrData)
	}
	text, encode, err := avroSchema(schema, f.metadata)
	if err != nil {
		return nil, err
	}
	parsed, err := avro.ParseWithCache(string(text), "", &avro.SchemaCache{})
	if err != nil {
		return nil, fmt.Errorf("%w: Avro has no such schema: %w", ErrData, err)
	}
	out, err := ocf.NewEncoderWithSchema(parsed, w, ocf.WithCodec(f.codec), ocf.WithBlockLength(0), ocf.WithBlockSize(blockSize),
		ocf.WithSchemaMarshaler(func(avro.Schema) ([]byte, error) { return text, nil }),
		ocf.WithZStandardEncoderOptions(zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true)))
	if err != nil {
		return nil, fmt.Errorf("s3: beginning an Avro file: %w", err)
	}
	return &avroWriter{out: out, encode: encode}, nil
}

type avroWriter struct {
	out    *ocf.Encoder
	encode avroEncode
	buf    []byte
	held   int64
}

func (a *avroWriter) Write(r *connectors.SinkRecord) (int, error) {
	buf, err := a.encode(a.buf[:0], r.Value)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrData, err)
	}
	if a.buf = buf; cap(buf) > maxKept {
		a.buf = nil
	}
	a.held += int64(len(buf))
	if a.held >= blockSize {
		a.held = 0
	}
	_, err = a.out.Write(buf)
	return len(buf), err
}

func (a *avroWriter) Held() int64 { return a.held }

func (a *avroWriter) Flush() error {
	a.held = 0
	return a.out.Flush()
}

func (a *avroWriter) Close() error { return a.out.Close() }
