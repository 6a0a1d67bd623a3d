// Package docs carries this project's documents in the binary: they are the text that the demo moves.
package docs

import "embed"

// Files are the documents.
//
//go:embed *.md adr/*.md
var Files embed.FS
