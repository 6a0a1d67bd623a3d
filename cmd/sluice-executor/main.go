// Command sluice-executor: see --help.
package main

import "github.com/sluice-project/sluice/cmd/internal/process"

func main() { process.Main(kind()) }
