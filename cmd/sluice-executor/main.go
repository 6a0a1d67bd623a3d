// Command sluice-executor: see --help.
package main

import "github.com/sluice-project/sluice/cmd/executormain"

func main() { executormain.Main(plugins()...) }
