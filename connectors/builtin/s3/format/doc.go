// Package format writes records into files: JSON lines, CSV, raw bytes, Avro object containers and Parquet.
//
// The one idea: a Writer takes one record after another and is done with its memory when Write returns. What
// becomes of a record depends on the record alone, so that a file that is written again holds the same. How a file is compressed is
// either the format's own (Avro, Parquet) or a stream around it (Compressed).
package format
