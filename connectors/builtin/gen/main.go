// Command gen writes the references of what is built in: docs/connectors/*.md and docs/transforms/*.md, one
// page a plugin and an index, and one of the keys that every connector has. The tables come from the config definitions, the words above them from text/, one file a
// page. Its output depends on nothing else. Run it in the root of the repository:
//
//	go run ./connectors/builtin/gen
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluice-project/sluice/connectors/builtin/all"
)

func main() {
	dir := flag.String("dir", "docs", "the directory below which to write")
	flag.Parse()
	if err := generate(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func generate(dir string) error {
	files, err := pages(all.Plugins())
	if err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "connectors"), files); err != nil {
		return err
	}
	return write(filepath.Join(dir, "transforms"), chainPages())
}
