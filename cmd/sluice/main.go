// Command sluice is the command line of Sluice: the CLI over the control API.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sluice-project/sluice/cmd/sluice/cli"
	"github.com/sluice-project/sluice/cmd/sluice/dev"
	"github.com/sluice-project/sluice/cmd/sluice/migrate"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "Runs Kafka connectors: Kafka Connect's API, a replicated control plane, stateless executors",
		Version:       fmt.Sprintf("%s (commit %s, speaks Kafka Connect %s)", version.Version, version.Commit(), version.Connect),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(dev.Command(clock.Real()), dev.DemoCommand(clock.Real()), dev.StandaloneCommand(clock.Real()))
	root.AddCommand(cli.Commands(clock.Real())...)
	root.AddCommand(migrate.Command(clock.Real()))
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "sluice:", err)
		os.Exit(1)
	}
}
