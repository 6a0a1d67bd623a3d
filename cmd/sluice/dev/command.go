package dev

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/sluice-project/sluice/cmd/internal/process"
	"github.com/sluice-project/sluice/cmd/sluice/demo"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/loglevel"
	"github.com/sluice-project/sluice/internal/props"
)

// flags are those of dev and demo.
type flags struct {
	rest, grpc, kafka, admin, data, bootstrap, worker, logLevel string
	profiles                                                    bool
}

func (f *flags) define(s *pflag.FlagSet) {
	s.StringVar(&f.rest, "rest-listen", "127.0.0.1:8083", "address of the REST API, where listeners does not say; port 0 takes a free one")
	s.StringVar(&f.grpc, "grpc-listen", "127.0.0.1:8082", "address of the control API (gRPC); port 0 takes a free one")
	s.StringVar(&f.kafka, "kafka-listen", "127.0.0.1:0", "address of the embedded Kafka-protocol broker; port 0 takes a free one")
	s.StringVar(&f.admin, "admin-listen", "", adminUsage)
	s.BoolVar(&f.profiles, "pprof", false, profilesUsage)
	s.StringVar(&f.data, "data-dir", "", "directory that keeps everything; without it nothing outlives the process")
	s.StringVar(&f.bootstrap, "bootstrap-servers", "", "your Kafka, instead of the embedded broker")
	s.StringVar(&f.worker, "worker-config", "", "a Kafka Connect worker properties file")
	s.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	workerFlags(s)
}

const (
	adminUsage    = "address of /livez, /readyz and /metrics; without it they are not served; port 0 takes a free one"
	profilesUsage = "serve /debug/pprof/ there too"
)

// workerFlags defines a flag for each worker key.
func workerFlags(s *pflag.FlagSet) {
	for _, k := range process.RESTDef.Keys() {
		s.String(k.Name, "", "worker key: "+strings.ReplaceAll(firstSentence(k.Doc), "`", "'"))
	}
	for _, k := range config.Definitions() {
		if s.Lookup(k.Name) == nil {
			s.String(k.Name, k.Default, "worker key: "+firstSentence(k.Doc))
		}
	}
}

func firstSentence(doc string) string {
	if i := strings.Index(doc, ". "); i > 0 {
		return doc[:i]
	}
	return strings.TrimSuffix(doc, ".")
}

// set are the worker keys that were given as flags.
func set(s *pflag.FlagSet) map[string]string {
	out := map[string]string{}
	known := map[string]bool{}
	for _, k := range config.Definitions() {
		known[k.Name] = true
	}
	for _, k := range process.RESTDef.Keys() {
		known[k.Name] = true
	}
	s.Visit(func(f *pflag.Flag) {
		if known[f.Name] {
			out[f.Name] = f.Value.String()
		}
	})
	return out
}

func logger(level string, c clock.Clock) (*slog.Logger, *loglevel.Levels, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, nil, fmt.Errorf("--log-level: %q: use debug, info, warn or error", level)
	}
	levels := loglevel.New(l, c)
	return slog.New(levels.Handler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: loglevel.Everything}))), levels, nil
}

// worker makes the worker's configuration: what a single process with a broker of one replica needs, below the
// user's file, environment and flags.
func (f *flags) load(given map[string]string, log *slog.Logger) (worker func(bootstrap string) (config.Worker, error), rest process.Settings, bootstrap string, err error) {
	var file []byte
	if f.worker != "" {
		if file, err = os.ReadFile(f.worker); err != nil {
			return nil, rest, "", fmt.Errorf("--worker-config: %w", err)
		}
	}
	if rest, err = process.LoadREST(file, os.Environ(), given); err != nil {
		return nil, rest, "", err
	}
	bootstrap = f.bootstrap
	if bootstrap == "" {
		bootstrap = given["bootstrap.servers"]
	}
	return func(kafka string) (config.Worker, error) {
		defaults := map[string]string{"group.id": "sluice-dev", "offset.storage.topic": "connect-offsets", "config.storage.topic": "connect-configs",
			"status.storage.topic": "connect-status", "offset.storage.replication.factor": "1", "config.storage.replication.factor": "1",
			"status.storage.replication.factor": "1", "key.converter": "org.apache.kafka.connect.storage.StringConverter",
			"value.converter": "org.apache.kafka.connect.storage.StringConverter", "offset.flush.interval.ms": "5000"}
		var text strings.Builder
		for k, v := range defaults {
			fmt.Fprintf(&text, "%s=%s\n", k, v)
		}
		text.WriteString("\n")
		text.Write(file) // later keys win
		all := map[string]string{}
		for k, v := range given {
			all[k] = v
		}
		all["bootstrap.servers"] = kafka
		w, warnings, err := loadWorker([]byte(text.String()), all)
		for _, warning := range warnings {
			log.Warn(warning)
		}
		return w, err
	}, rest, bootstrap, nil
}

func (f *flags) start(cmd *cobra.Command, c clock.Clock) (*Process, error) {
	log, levels, err := logger(f.logLevel, c)
	if err != nil {
		return nil, err
	}
	worker, rest, bootstrap, err := f.load(set(cmd.Flags()), log)
	if err != nil {
		return nil, err
	}
	return Start(cmd.Context(), Options{RESTListen: restListen(rest, f.rest, cmd.Flags()), REST: rest, GRPCListen: f.grpc, KafkaListen: f.kafka, AdminListen: f.admin, Profiles: f.profiles, DataDir: f.data, Bootstrap: bootstrap,
		Worker: worker, Clock: c, Logger: log, Levels: levels})
}

// restListen is empty where the key listeners says where the REST API is, and no flag says otherwise.
func restListen(s process.Settings, flag string, flags *pflag.FlagSet) string {
	if _, given := s.Props.Values[process.Listeners]; given && !flags.Changed("rest-listen") {
		return ""
	}
	return cmp.Or(flag, "127.0.0.1:8083")
}

// loadWorker reads a worker's keys. Those of the REST API are the gateway's.
func loadWorker(file []byte, flags map[string]string) (config.Worker, []string, error) {
	p, err := props.Merge(file, os.Environ(), flags, config.Known)
	if err != nil {
		return config.Worker{}, nil, fmt.Errorf("%w: %w", config.ErrInvalid, err)
	}
	rest := []string{process.ListenersTLS, process.AdminListenersTLS}
	for _, k := range process.RESTDef.Keys() {
		rest = append(rest, k.Name)
	}
	return config.FromProps(p, rest)
}

// stop ends a process within the time that its parts need at most.
func stop(cmd *cobra.Command, p *Process) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), stopTimeout)
	defer cancel()
	return p.Stop(ctx)
}

// Command is `sluice dev`.
func Command(c clock.Clock) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run every part of Sluice in this process, with an embedded etcd and Kafka-protocol broker",
		Long: "Runs the control plane, the gateway and one executor in this process, on an embedded etcd and an embedded\n" +
			"Kafka-protocol broker, or on your Kafka with --bootstrap-servers. Prints one line\n" +
			"  ready rest=… grpc=… kafka=…\nonce it serves. Worker keys can be given in a file, in the environment (SLUICE_OFFSET_FLUSH_INTERVAL_MS=…) or as flags.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.start(cmd, c)
			if err != nil {
				return err
			}
			p.Announce(cmd.OutOrStdout())
			err = p.Wait(cmd.Context())
			if serr := stop(cmd, p); err == nil {
				err = serr
			}
			return err
		},
	}
	f.define(cmd.Flags())
	return cmd
}

// DemoCommand is `sluice demo`.
func DemoCommand(c clock.Clock) *cobra.Command {
	f := &flags{}
	var file string
	var lines int
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run dev and move a real text through Kafka: file -> topic -> file, twice",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.start(cmd, c)
			if err != nil {
				return err
			}
			defer func() { _ = stop(cmd, p) }() //nolint:errcheck // the verdict is what counts
			p.Announce(cmd.OutOrStdout())
			dir := filepath.Join(p.DataDir, "demo")
			if err := os.MkdirAll(dir, 0o750); err != nil {
				return err
			}
			err = demo.Run(cmd.Context(), demo.Options{REST: p.REST, GRPC: p.GRPC, Kafka: p.Kafka, File: file, Lines: lines, Dir: dir,
				Deadline: 2 * time.Minute, Terminal: term.IsTerminal(int(os.Stdout.Fd())), Out: cmd.OutOrStdout(), Clock: c}) //nolint:gosec // a descriptor fits
			if err != nil || once {
				return err
			}
			return p.Wait(cmd.Context())
		},
	}
	f.define(cmd.Flags())
	cmd.Flags().Lookup("log-level").DefValue, f.logLevel = "warn", "warn"
	cmd.Flags().StringVar(&file, "file", "", "the text to move; without it this project's documents")
	cmd.Flags().IntVar(&lines, "lines", 100_000, "how many lines the documents are repeated to")
	cmd.Flags().BoolVar(&once, "once", false, "exit with the verdict instead of staying up")
	return cmd
}
