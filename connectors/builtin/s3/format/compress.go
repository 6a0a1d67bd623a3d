package format

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/sluice-project/sluice/connectors/data"
)

// Compression is how whole files are compressed.
type Compression string

// The compressions. Snappy is its framing format.
const (
	None   Compression = "none"
	Gzip   Compression = "gzip"
	Zstd   Compression = "zstd"
	Snappy Compression = "snappy"
)

// Compressions are their names, as configs give them.
func Compressions() []string {
	return []string{string(None), string(Gzip), string(Snappy), string(Zstd)}
}

// Extension begins with a point; that of None is empty.
func (c Compression) Extension() string {
	return map[Compression]string{Gzip: ".gz", Zstd: ".zst", Snappy: ".snappy"}[c]
}

// Compressed is a format whose files are compressed. level is gzip's, -1 its default.
func Compressed(f Format, c Compression, level int) Format {
	if c == None {
		return f
	}
	return compressed{f, c, level}
}

type compressed struct {
	Format
	how   Compression
	level int
}

func (c compressed) Extension() string { return c.Format.Extension() + c.how.Extension() }

// window bounds what a zstd encoder keeps for each open file, in bytes.
const window = 1 << 20

func (c compressed) New(w io.Writer, schema *data.Schema) (Writer, error) {
	var z io.WriteCloser
	var err error
	switch c.how {
	case Gzip:
		z, err = gzip.NewWriterLevel(w, c.level)
	case Zstd:
		z, err = zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
	case Snappy:
		z = snappy.NewBufferedWriter(w)
	default:
		err = fmt.Errorf("s3: no compression is called %q (bug)", c.how)
	}
	if err != nil {
		return nil, err
	}
	in, err := c.Format.New(z, schema)
	if err != nil {
		return nil, err
	}
	return &compressing{in, z}, nil
}

type compressing struct {
	Writer
	z io.WriteCloser
}

// Close implements Writer. A file that is given up need not be closed: nothing outside memory is kept.
func (c *compressing) Close() error {
	if err := c.Writer.Close(); err != nil {
		return err
	}
	return c.z.Close()
}
