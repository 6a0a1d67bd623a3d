package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// flags are what all of the commands have.
type flags struct {
	server, worker string
	timeout        time.Duration
}

// Command returns `sluice migrate`.
func Command(c clock.Clock) *cobra.Command {
	f := &flags{}
	root := &cobra.Command{Use: "migrate", Short: "Take a Kafka Connect cluster over, or hand it back"}
	p := root.PersistentFlags()
	p.StringVar(&f.server, "server", "127.0.0.1:8082", "gRPC address of the control plane, host:port")
	p.StringVar(&f.worker, "worker-properties", "", "the properties file of the Kafka Connect workers (required)")
	root.AddCommand(fromCommand(f, c), toCommand(f, c), undoCommand(f, c))
	return root
}

func (f *flags) limit(cmd *cobra.Command, d time.Duration, what string) {
	cmd.Flags().DurationVar(&f.timeout, "timeout", d, what)
}

func fromCommand(f *flags, c clock.Clock) *cobra.Command {
	var only []string
	var rest, executors string
	var dryRun, skip bool
	cmd := &cobra.Command{Use: "from-connect", Short: "Take a Kafka Connect cluster, or single connectors of it, over", Args: cobra.NoArgs,
		Long: `Reads the topics of a Kafka Connect cluster, reports what would not run, and changes nothing where something is in the way.

Then it takes the whole cluster over, once all of its workers are stopped; or single connectors, which it first stops over the old
cluster's REST API and leaves STOPPED there. Configs, target states and offsets come along as they stand. It can be called again.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), f.worker, executors, func(a api, old, new *cluster) error {
				t := &take{api: a, old: old, new: new, only: only, dryRun: dryRun, skip: skip, clock: c, out: cmd.OutOrStdout(), timeout: f.timeout}
				if rest != "" {
					t.rest = newREST(rest, c)
				}
				return t.run(cmd.Context())
			})
		}}
	f.limit(cmd, 2*time.Minute, "how long each call, and each wait for a connector to stop, may take")
	cmd.Flags().StringArrayVar(&only, "connector", nil, "take this connector alone; may be given several times, and needs --rest")
	cmd.Flags().StringVar(&rest, "rest", "", "URL of the old cluster's REST API, for --connector")
	cmd.Flags().StringVar(&executors, "executor-properties", "", "the worker properties of Sluice's executors (default: those of --worker-properties)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "report only")
	cmd.Flags().BoolVar(&skip, "skip-unsupported", false, "leave connectors out that would not run")
	return cmd
}

func toCommand(f *flags, c clock.Clock) *cobra.Command {
	cmd := &cobra.Command{Use: "to-connect", Short: "Hand the cluster back to Kafka Connect", Args: cobra.NoArgs,
		Long: `Has Sluice let go of every connector and task, waits until all is quiet and in Kafka's topics, and leaves topics from which a
Kafka Connect worker starts. Sluice's processes may go on: they hold nothing. It can be called again.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), f.worker, "", func(a api, old, _ *cluster) error {
				return (&back{api: a, kafka: old, clock: c, out: cmd.OutOrStdout(), timeout: f.timeout}).hand(cmd.Context())
			})
		}}
	f.limit(cmd, 5*time.Minute, "how long it may take until all is quiet and mirrored")
	return cmd
}

func undoCommand(f *flags, c clock.Clock) *cobra.Command {
	var discard bool
	cmd := &cobra.Command{Use: "undo", Short: "End a hand-back: Sluice runs what it had", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), f.worker, "", func(a api, old, _ *cluster) error {
				return (&back{api: a, kafka: old, clock: c, out: cmd.OutOrStdout(), timeout: f.timeout}).undo(cmd.Context(), discard)
			})
		}}
	f.limit(cmd, time.Minute, "how long each call may take")
	cmd.Flags().BoolVar(&discard, "discard-connect-changes", false, "go on with what Sluice had, though connectors were changed in Kafka Connect meanwhile")
	return cmd
}

// with connects to the control plane and to Kafka as the two files say; an empty second one is the first.
func (f *flags) with(ctx context.Context, worker, executors string, do func(a api, old, new *cluster) error) (err error) {
	old, err := load("--worker-properties", worker)
	if err != nil {
		return err
	}
	sluice := old
	if executors != "" {
		if sluice, err = load("--executor-properties", executors); err != nil {
			return err
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	conn, err := grpc.NewClient(f.server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("--server %s: %w", f.server, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	a := api{sluicev1.NewConnectorServiceClient(conn), sluicev1.NewPluginServiceClient(conn), sluicev1.NewClusterServiceClient(conn)}
	from, err := open(ctx, old, log)
	if err != nil {
		return err
	}
	defer from.admin.Close()
	to := from
	if executors != "" {
		if to, err = open(ctx, sluice, log); err != nil {
			return err
		}
		defer to.admin.Close()
	}
	err = do(a, from, to)
	if s, ok := status.FromError(err); ok && err != nil {
		return fmt.Errorf("%s (%s)", s.Message(), s.Code())
	}
	return err
}

// load reads a worker's properties. What only a Java worker needs is passed over.
func load(flag, path string) (config.Worker, error) {
	if path == "" {
		return config.Worker{}, fmt.Errorf("%s is missing: the properties file of the workers", flag)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return config.Worker{}, fmt.Errorf("%s: %w", flag, err)
	}
	w, _, err := config.Load(b, nil, nil)
	if err != nil {
		return config.Worker{}, fmt.Errorf("%s %s: %w", flag, path, err)
	}
	if w.Standalone() {
		return config.Worker{}, fmt.Errorf("%s %s: it is of a standalone worker, without group.id: create its connectors over the REST API", flag, path)
	}
	return w, nil
}
