package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func tasks(o *options) *cobra.Command {
	c := &cobra.Command{Use: "tasks", Aliases: []string{"task"}, Short: "List a connector's tasks, show what they do, and restart them"}
	c.AddCommand(
		watchable(o, &cobra.Command{Use: "list CONNECTOR", Short: "List tasks with their configs", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
					return c.connectors.ListTasks(ctx, &sluicev1.ListTasksRequest{Name: args[0]})
				}, func(w io.Writer, m proto.Message) {
					row(w, "TASK", "CONFIG")
					for _, t := range m.(*sluicev1.ListTasksResponse).GetTasks() {
						var pairs []string
						for _, e := range t.GetConfig().GetEntries() {
							pairs = append(pairs, e.GetKey()+"="+e.GetValue())
						}
						row(w, t.GetId().GetTask(), strings.Join(pairs, " "))
					}
				})
			}}),
		watchable(o, &cobra.Command{Use: "status CONNECTOR TASK", Short: "Show what a task does", Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				n, err := taskNumber(args[1])
				if err != nil {
					return err
				}
				return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
					return c.connectors.GetTaskStatus(ctx, &sluicev1.GetTaskStatusRequest{Name: args[0], Task: n})
				}, func(w io.Writer, m proto.Message) {
					s := m.(*sluicev1.GetTaskStatusResponse).GetStatus()
					row(w, "STATE", "EXECUTOR", "TRACE")
					row(w, word(s.GetState().String(), "STATE_"), s.GetWorkerId(), s.GetTrace())
				})
			}}),
		watchable(o, &cobra.Command{Use: "progress CONNECTOR", Short: "Show how fast tasks are, how late, when each last moved, and which are STALLED", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
					return c.connectors.GetConnectorProgress(ctx, &sluicev1.GetConnectorProgressRequest{Name: args[0]})
				}, o.progressTable)
			}}),
		&cobra.Command{Use: "restart CONNECTOR TASK", Short: "Restart a task", Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				n, err := taskNumber(args[1])
				if err != nil {
					return err
				}
				return o.do(cmd, func(ctx context.Context, c *client) (string, error) {
					_, err := c.connectors.RestartTask(ctx, &sluicev1.RestartTaskRequest{Name: args[0], Task: n})
					return "restarting " + args[0] + "/" + args[1], err
				})
			}},
	)
	return c
}

// progressTable says of each task what a person asks first.
func (o *options) progressTable(w io.Writer, m proto.Message) {
	now := o.clock.Now()
	ago := func(ms int64) string {
		if ms == 0 {
			return "-"
		}
		return max(now.Sub(time.UnixMilli(ms)), 0).Truncate(time.Second).String()
	}
	row(w, "TASK", "STATE", "RECORDS/S", "BYTES/S", "WAITING", "POLLED", "MOVED", "COMMITTED", "EXECUTOR", "REASON")
	for _, t := range m.(*sluicev1.GetConnectorProgressResponse).GetTasks() {
		if !t.GetKnown() {
			row(w, t.GetTask(), t.GetState(), "-", "-", "-", "-", "-", "-", t.GetExecutor(), t.GetReason())
			continue
		}
		row(w, t.GetTask(), t.GetState(), fmt.Sprintf("%.1f", t.GetRecordsPerSecond()), fmt.Sprintf("%.0f", t.GetBytesPerSecond()), t.GetUnacknowledged()+t.GetLagRecords(),
			ago(t.GetLastPolledMs()), ago(max(t.GetLastAcknowledgedMs(), t.GetLastPutMs())), ago(t.GetLastCommittedMs()), t.GetExecutor(), t.GetReason())
	}
}

func taskNumber(s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("task %q: a number from 0 is needed", s)
	}
	return int32(n), nil
}

func executors(o *options) *cobra.Command {
	c := &cobra.Command{Use: "executors", Aliases: []string{"executor"}, Short: "List, cordon and drain executors"}
	c.AddCommand(watchable(o, &cobra.Command{Use: "list", Short: "List executors with a live session", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
				return c.cluster.ListExecutors(ctx, &sluicev1.ListExecutorsRequest{})
			}, func(w io.Writer, m proto.Message) {
				row(w, "EXECUTOR", "POOL", "UNITS", "CAPACITY", "CORDONED", "DRAINING", "REPLICA", "VERSION")
				for _, e := range m.(*sluicev1.ListExecutorsResponse).GetExecutors() {
					row(w, e.GetId(), e.GetPool(), e.GetUnits(), e.GetCapacity(), e.GetCordoned(), e.GetDraining(), e.GetReplica(), e.GetVersion())
				}
			})
		}}))
	one := func(use, short, done string, f func(ctx context.Context, c *client, executor string) error) *cobra.Command {
		return &cobra.Command{Use: use + " EXECUTOR", Short: short, Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.do(cmd, func(ctx context.Context, c *client) (string, error) { return done + " " + args[0], f(ctx, c, args[0]) })
			}}
	}
	c.AddCommand(
		one("cordon", "Grant an executor no more units; it keeps its own", "cordoned", func(ctx context.Context, c *client, x string) error {
			_, err := c.cluster.CordonExecutor(ctx, &sluicev1.CordonExecutorRequest{Executor: x})
			return err
		}),
		one("uncordon", "End a cordon or a drain", "uncordoned", func(ctx context.Context, c *client, x string) error {
			_, err := c.cluster.CordonExecutor(ctx, &sluicev1.CordonExecutorRequest{Executor: x, Uncordon: true})
			return err
		}),
		one("drain", "Cordon an executor and move its units to others, one after the other", "draining", func(ctx context.Context, c *client, x string) error {
			_, err := c.cluster.DrainExecutor(ctx, &sluicev1.DrainExecutorRequest{Executor: x})
			return err
		}))
	return c
}

// units is what an operator may say of single units.
func units(o *options) *cobra.Command {
	c := &cobra.Command{Use: "units", Aliases: []string{"unit"}, Short: "Declare a unit's last holder dead"}
	c.AddCommand(&cobra.Command{Use: "forget UNIT", Short: "Wait no more for the fence of a lapsed unit, as task:orders/0: only where its last holder is known to be gone", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.do(cmd, func(ctx context.Context, c *client) (string, error) {
				_, err := c.cluster.ForgetUnit(ctx, &sluicev1.ForgetUnitRequest{Unit: args[0]})
				return "forgot the last holder of " + args[0], err
			})
		}})
	return c
}

func assignments(o *options) *cobra.Command {
	var connector string
	c := &cobra.Command{Use: "assignments", Aliases: []string{"assignment"}, Short: "List who holds which unit"}
	list := watchable(o, &cobra.Command{Use: "list", Short: "List assignments with their epochs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
				return c.cluster.ListAssignments(ctx, &sluicev1.ListAssignmentsRequest{Connector: connector})
			}, func(w io.Writer, m proto.Message) {
				row(w, "UNIT", "EXECUTOR", "EPOCH", "CLASS", "LAPSED", "RELEASING")
				for _, a := range m.(*sluicev1.ListAssignmentsResponse).GetAssignments() {
					row(w, a.GetUnit(), a.GetExecutor(), fmt.Sprintf("%d.%d", a.GetEpoch().GetEra(), a.GetEpoch().GetRevision()),
						word(a.GetClass().String(), "UNIT_CLASS_"), a.GetLapsed(), a.GetReleasing())
				}
			})
		}})
	list.Flags().StringVar(&connector, "connector", "", "only units of this connector")
	c.AddCommand(list)
	return c
}

func plugins(o *options) *cobra.Command {
	var all bool
	c := &cobra.Command{Use: "plugins", Aliases: []string{"plugin"}, Short: "List plugins and validate configs"}
	list := watchable(o, &cobra.Command{Use: "list", Short: "List the connector plugins that executors carry", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
				only := strconv.FormatBool(!all)
				return c.plugins.ListPlugins(ctx, &sluicev1.ListPluginsRequest{ConnectorsOnly: &only})
			}, func(w io.Writer, m proto.Message) {
				row(w, "CLASS", "TYPE", "VERSION")
				for _, p := range m.(*sluicev1.ListPluginsResponse).GetPlugins() {
					row(w, p.GetClass(), strings.ToLower(word(p.GetType().String(), "PLUGIN_TYPE_")), p.GetVersion())
				}
			})
		}})
	list.Flags().BoolVar(&all, "all", false, "converters, transforms and predicates too")
	c.AddCommand(list, &cobra.Command{Use: "validate CLASS FILE", Short: "Validate a connector config from a JSON file (- is stdin)", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := readConfig(cmd.InOrStdin(), args[1])
			if err != nil {
				return err
			}
			return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
				return c.plugins.ValidateConfig(ctx, &sluicev1.ValidateConfigRequest{Plugin: args[0], Config: config})
			}, func(w io.Writer, m proto.Message) {
				v := m.(*sluicev1.ValidateConfigResponse)
				row(w, "errors:", v.GetErrorCount())
				for _, c := range v.GetConfigs() {
					for _, e := range c.GetValue().GetErrors() {
						row(w, c.GetValue().GetName(), e)
					}
				}
				for _, t := range v.GetWarnings() {
					row(w, "warning:", t)
				}
			})
		}})
	return c
}
