package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/fx"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/version"
)

// Kind is one of the three processes.
type Kind struct {
	Name, Short, Long string
	Def               *configdef.Def
	Worker            bool // it takes the worker's keys too
	// Compose makes the process, not started. What it opened before an error is closed.
	Compose func(ctx context.Context, s Settings, c clock.Clock, log *slog.Logger) (*Process, error)
}

// Process is a composed process.
type Process struct {
	App *fx.App
	// Failed is closed when the process is of no use any more; Err says why. Only after a start.
	Failed func() <-chan struct{}
	Err    func() error
	// Ready is the line that is printed once everything has started.
	Ready func() string
}

// Main runs a process until it is told to end, and exits.
func Main(k Kind) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := Command(k, clock.Real()).ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", k.Name, err)
		os.Exit(1)
	}
}

// Command is the command line of a process.
func Command(k Kind, c clock.Clock) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: k.Name, Short: k.Short, Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		Version: fmt.Sprintf("%s (commit %s, speaks Kafka Connect %s)", version.Version, version.Commit(), version.Connect),
		Long: k.Short + ".\n\n" + k.Long + "\n\nKeys are given in a properties file (--config), in the environment and as flags, the later over the earlier. The variable\n" +
			"of a key is SLUICE_ and the key in capitals, with _ for a dot: SLUICE_LOG_LEVEL. One Kafka Connect worker file may be given\n" +
			"to all of Sluice's processes: each takes its part.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := map[string]string{}
			cmd.Flags().Visit(func(f *pflag.Flag) {
				if known(f.Name) {
					given[f.Name] = f.Value.String()
				}
			})
			s, err := load(k, file, os.Environ(), given)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), k, s, c, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&file, "config", "", "a Java properties file, for example a Kafka Connect worker's")
	for _, d := range k.Def.Keys() {
		def := ""
		if d.Default != nil {
			def = *d.Default
		}
		f.String(d.Name, def, d.Doc)
	}
	if k.Worker {
		for _, d := range config.Definitions() {
			if f.Lookup(d.Name) == nil {
				f.String(d.Name, d.Default, d.Doc)
			}
		}
	}
	f.VisitAll(func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "'") })
	return cmd
}

// serve starts the process, and ends it when ctx does or it has failed.
func serve(ctx context.Context, k Kind, s Settings, c clock.Clock, out io.Writer) error {
	log, levels := s.logger(c)
	s.Levels = levels
	for _, w := range s.warnings {
		log.Warn(w)
	}
	p, err := k.Compose(ctx, s, c, log)
	if err != nil {
		return err
	}
	if err := p.App.Err(); err != nil {
		return err
	}
	err = p.App.Start(ctx)
	if err == nil {
		log.Info("started", "version", version.Version, "process", k.Name)
		fmt.Fprintln(out, p.Ready())
		select {
		case <-ctx.Done():
			log.Info("stopping", "within", s.MS(stopTimeout).String())
		case <-p.Failed():
			err = errors.Join(errors.New("the process has ended by itself"), p.Err())
		}
	} else if ctx.Err() != nil {
		err = nil // it was stopped before it had started
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.MS(stopTimeout))
	defer cancel()
	err = errors.Join(err, p.App.Stop(stop))
	log.Info("stopped")
	return err
}
