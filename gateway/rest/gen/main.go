// Command gen writes what is generated of the REST API: the OpenAPI document that the gateway serves, and its reference.
// It reads the protos' descriptors with their comments, as `buf build proto -o -` writes them. Run it by `make generate`.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sluice-project/sluice/gateway/rest"
)

func main() {
	dir := flag.String("dir", ".", "the root of the tree in which to write")
	flag.Parse()
	if err := generate(os.Stdin, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func generate(protos io.Reader, dir string) error {
	b, err := io.ReadAll(protos)
	if err != nil {
		return err
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(b, set); err != nil {
		return fmt.Errorf("the descriptors: %w", err)
	}
	d, err := rest.Document(set)
	if err != nil {
		return err
	}
	document, err := d.JSON()
	if err != nil {
		return err
	}
	words, err := reference(d)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"gateway/rest/openapi.json": document, "docs/rest.md": []byte(words)} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
