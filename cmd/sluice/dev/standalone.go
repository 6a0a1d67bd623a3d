package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/magiconair/properties"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/cmd/internal/process"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/replicas"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// StandaloneCommand is `sluice standalone`: Kafka Connect's standalone mode.
func StandaloneCommand(c clock.Clock) *cobra.Command {
	var rest, grpc, admin, level string
	var profiles bool
	cmd := &cobra.Command{
		Use:   "standalone worker.properties connector.properties…",
		Short: "Run connectors from files in this process, as connect-standalone.sh does",
		Long: "Runs a worker with its state in memory and source offsets in offset.storage.file.filename. Connector files are\n" +
			"properties files, or JSON: a flat object, {\"name\":…,\"config\":…}. A connector that cannot be created ends the process.\n" +
			"A connector that exists in the files is made again at every start; what was made over REST is gone.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, levels, err := logger(level, c)
			if err != nil {
				return err
			}
			file, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("worker.properties: %w", err)
			}
			w, warnings, err := loadWorker(file, set(cmd.Flags()))
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			for _, warning := range warnings {
				log.Warn(warning)
			}
			if !w.Standalone() {
				return fmt.Errorf("%s: offset.storage.file.filename is missing: standalone mode keeps source offsets in that file (and has no group.id)", args[0])
			}
			var connectors []connectorFile
			for _, path := range args[1:] {
				f, err := readConnector(path)
				if err != nil {
					return err
				}
				connectors = append(connectors, f)
			}
			kafka, _ := w.Get("bootstrap.servers")
			keys, err := process.LoadREST(file, os.Environ(), set(cmd.Flags()))
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			p, err := Start(cmd.Context(), Options{RESTListen: restListen(keys, rest, cmd.Flags()), REST: keys, GRPCListen: grpc, AdminListen: admin, Profiles: profiles, Bootstrap: kafka, Standalone: true,
				Worker: func(string) (config.Worker, error) { return w, nil }, Clock: c, Logger: log, Levels: levels})
			if err != nil {
				return err
			}
			for _, f := range connectors {
				if err = f.create(cmd.Context(), p.GRPC); err != nil {
					break
				}
				log.Info("connector created", "connector", f.Name, "file", f.path)
			}
			if err == nil {
				p.Announce(cmd.OutOrStdout())
				err = p.Wait(cmd.Context())
			}
			return errors.Join(err, stop(cmd, p))
		},
	}
	cmd.Flags().StringVar(&rest, "rest-listen", "", "address of the REST API; default is that of the key listeners, or 127.0.0.1:8083")
	cmd.Flags().StringVar(&grpc, "grpc-listen", "127.0.0.1:0", "address of the control API (gRPC); port 0 takes a free one")
	cmd.Flags().StringVar(&admin, "admin-listen", "", adminUsage)
	cmd.Flags().BoolVar(&profiles, "pprof", false, profilesUsage)
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	workerFlags(cmd.Flags())
	return cmd
}

// connectorFile is a connector that a file defines.
type connectorFile struct {
	path   string
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
}

// readConnector reads a properties file or JSON, as Kafka Connect's standalone mode does: which of the two is found by
// trying.
func readConnector(path string) (connectorFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return connectorFile{}, fmt.Errorf("connector file: %w", err)
	}
	return parseConnector(path, b)
}

func parseConnector(path string, b []byte) (connectorFile, error) {
	f := connectorFile{path: path}
	if json.Unmarshal(b, &f) == nil && f.Config != nil {
		if f.Name == "" {
			return f, fmt.Errorf("connector file %s: name is missing", path)
		}
		f.Config["name"] = f.Name
		return f, nil
	}
	if flat := map[string]string{}; json.Unmarshal(b, &flat) == nil {
		f.Config = flat
	} else {
		p, err := (&properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}).LoadBytes(b)
		if err != nil {
			return f, fmt.Errorf("connector file %s: %w", path, err)
		}
		f.Config = p.Map()
	}
	if f.Name = f.Config["name"]; f.Name == "" {
		return f, fmt.Errorf("connector file %s: the key name is missing: it is the connector's name", filepath.Base(path))
	}
	return f, nil
}

// create makes the connector over the control API, whatever certificates the REST API wants.
func (f connectorFile) create(parent context.Context, address string) (err error) {
	ctx, cancel := context.WithTimeout(parent, time.Minute)
	defer cancel()
	conn, err := replicas.Dial([]string{address}, replicas.One, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	config := &sluicev1.Config{}
	for _, k := range slices.Sorted(maps.Keys(f.Config)) {
		v := f.Config[k]
		config.Entries = append(config.Entries, &sluicev1.ConfigEntry{Key: k, Value: &v})
	}
	if _, err := sluicev1.NewConnectorServiceClient(conn).CreateConnector(ctx, &sluicev1.CreateConnectorRequest{Name: f.Name, Config: config}); err != nil {
		return fmt.Errorf("creating connector %q of %s: %s", f.Name, f.path, status.Convert(err).Message())
	}
	return nil
}
