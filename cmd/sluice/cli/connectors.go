package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func connectors(o *options) *cobra.Command {
	c := &cobra.Command{Use: "connectors", Aliases: []string{"connector"}, Short: "List, create, change and restart connectors"}
	c.AddCommand(
		watchable(o, &cobra.Command{Use: "list", Short: "List connectors with their states", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
					return c.connectors.ListConnectors(ctx, &sluicev1.ListConnectorsRequest{Expand: []string{"info", "status"}})
				}, listTable)
			}}),
		watchable(o, &cobra.Command{Use: "status NAME", Short: "Show what a connector and its tasks do", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
					return c.connectors.GetConnectorStatus(ctx, &sluicev1.GetConnectorStatusRequest{Name: args[0]})
				}, statusTable)
			}}),
		&cobra.Command{Use: "config NAME", Short: "Print a connector's config", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
					return c.connectors.GetConnectorConfig(ctx, &sluicev1.GetConnectorConfigRequest{Name: args[0]})
				}, func(w io.Writer, m proto.Message) {
					for _, e := range m.(*sluicev1.GetConnectorConfigResponse).GetConfig().GetEntries() {
						row(w, e.GetKey(), e.GetValue())
					}
				})
			}},
		&cobra.Command{Use: "put NAME FILE", Short: "Create a connector or replace its config from a JSON file (- is stdin)", Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				config, err := readConfig(cmd.InOrStdin(), args[1])
				if err != nil {
					return err
				}
				return o.do(cmd, func(ctx context.Context, c *client) (string, error) {
					r, err := c.connectors.PutConnectorConfig(ctx, &sluicev1.PutConnectorConfigRequest{Name: args[0], Config: config})
					if r.GetCreated() {
						return "created " + args[0], err
					}
					return "updated " + args[0], err
				})
			}},
		simple(o, "delete", "Delete a connector; its offsets stay", "deleted", func(ctx context.Context, c *client, name string) error {
			_, err := c.connectors.DeleteConnector(ctx, &sluicev1.DeleteConnectorRequest{Name: name})
			return err
		}),
		simple(o, "pause", "Pause a connector and its tasks", "pausing", func(ctx context.Context, c *client, name string) error {
			_, err := c.connectors.PauseConnector(ctx, &sluicev1.PauseConnectorRequest{Name: name})
			return err
		}),
		simple(o, "resume", "Start a paused or stopped connector", "resuming", func(ctx context.Context, c *client, name string) error {
			_, err := c.connectors.ResumeConnector(ctx, &sluicev1.ResumeConnectorRequest{Name: name})
			return err
		}),
		simple(o, "stop", "Stop a connector: it has no tasks then", "stopping", func(ctx context.Context, c *client, name string) error {
			_, err := c.connectors.StopConnector(ctx, &sluicev1.StopConnectorRequest{Name: name})
			return err
		}),
		restart(o),
	)
	c.AddCommand(offsets(o)...)
	return c
}

func restart(o *options) *cobra.Command {
	var tasks, failed bool
	c := simple(o, "restart", "Restart the connector instance, and with --tasks its tasks", "restarting", func(ctx context.Context, c *client, name string) error {
		_, err := c.connectors.RestartConnector(ctx, &sluicev1.RestartConnectorRequest{
			Name: name, IncludeTasks: strconv.FormatBool(tasks), OnlyFailed: strconv.FormatBool(failed)})
		return err
	})
	c.Flags().BoolVar(&tasks, "tasks", false, "restart the tasks too")
	c.Flags().BoolVar(&failed, "only-failed", false, "restart only what is FAILED")
	return c
}

// simple is a command that does one thing to one connector.
func simple(o *options, verb, short, done string, f func(context.Context, *client, string) error) *cobra.Command {
	return &cobra.Command{Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.do(cmd, func(ctx context.Context, c *client) (string, error) {
				return done + " " + args[0], f(ctx, c, args[0])
			})
		}}
}

// do makes one change and says so.
func (o *options) do(cmd *cobra.Command, f func(context.Context, *client) (string, error)) error {
	return o.call(cmd.Context(), func(ctx context.Context, c *client) error {
		done, err := f(ctx, c)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), done)
		return err
	})
}

// readConfig reads a flat JSON object, keys sorted; {"name":…,"config":{…}} is taken too.
func readConfig(stdin io.Reader, path string) (*sluicev1.Config, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // read only
		in = f
	}
	d := json.NewDecoder(in)
	d.UseNumber()
	var raw map[string]any
	if err := d.Decode(&raw); err != nil {
		return nil, fmt.Errorf("%s: a JSON object of the connector's config is needed: %w", path, err)
	}
	if inner, ok := raw["config"].(map[string]any); ok {
		raw = inner
	}
	config := &sluicev1.Config{}
	for _, k := range sortedKeys(raw) {
		e := &sluicev1.ConfigEntry{Key: k}
		switch v := raw[k].(type) {
		case nil:
		case map[string]any, []any:
			return nil, fmt.Errorf("%s: %s must be a string", path, k)
		default:
			s := fmt.Sprint(v)
			e.Value = &s
		}
		config.Entries = append(config.Entries, e)
	}
	return config, nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func listTable(w io.Writer, m proto.Message) {
	row(w, "NAME", "TYPE", "STATE", "TASKS", "EXECUTOR")
	for _, c := range m.(*sluicev1.ListConnectorsResponse).GetConnectors() {
		running := 0
		for _, t := range c.GetStatus().GetTasks() {
			if t.GetState() == sluicev1.State_STATE_RUNNING {
				running++
			}
		}
		s := c.GetStatus().GetConnector()
		row(w, c.GetName(), word(c.GetInfo().GetType().String(), "CONNECTOR_TYPE_"), word(s.GetState().String(), "STATE_"),
			fmt.Sprintf("%d/%d running", running, len(c.GetInfo().GetTasks())), s.GetWorkerId())
	}
}

func statusTable(w io.Writer, m proto.Message) {
	s := m.(*sluicev1.GetConnectorStatusResponse).GetStatus()
	row(w, "UNIT", "STATE", "EXECUTOR", "VERSION", "AGAIN", "TRACE")
	state := func(unit string, i *sluicev1.InstanceState) {
		first, _, _ := strings.Cut(i.GetTrace(), "\n")
		row(w, unit, word(i.GetState().String(), "STATE_"), i.GetWorkerId(), i.GetVersion(), again(i.GetAutoRestart()), first)
	}
	state("connector", s.GetConnector())
	for _, t := range s.GetTasks() {
		state("task "+strconv.Itoa(int(t.GetTask())), t)
	}
}

// again says how a failed unit is started again by itself.
func again(r *sluicev1.AutoRestart) string {
	switch {
	case r == nil:
		return ""
	case r.GetNextMs() == 0:
		return "no (" + r.GetErrorClass() + ")"
	}
	return fmt.Sprintf("%d/%d at %s (%s)", r.GetAttempt(), r.GetAttempts(), time.UnixMilli(r.GetNextMs()).UTC().Format(time.RFC3339), r.GetErrorClass())
}

func word(s, prefix string) string { return strings.TrimPrefix(s, prefix) }
