package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// options are the flags that every command has.
type options struct {
	server  string
	output  string
	watch   bool
	timeout time.Duration
	clock   clock.Clock
}

// client is a connection to the control plane.
type client struct {
	connectors sluicev1.ConnectorServiceClient
	plugins    sluicev1.PluginServiceClient
	cluster    sluicev1.ClusterServiceClient
}

// Commands returns the command groups, to be added to the root command.
func Commands(c clock.Clock) []*cobra.Command {
	o := &options{clock: c}
	groups := []*cobra.Command{connectors(o), tasks(o), executors(o), units(o), assignments(o), plugins(o), eventsCommand(o)}
	for _, g := range groups {
		f := g.PersistentFlags()
		f.StringVar(&o.server, "server", "127.0.0.1:8082", "gRPC address of the control plane, host:port")
		f.StringVarP(&o.output, "output", "o", "table", "table for people, json for programs")
		f.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long a call may take")
		g.PersistentPreRunE = func(*cobra.Command, []string) error {
			if o.output != "table" && o.output != "json" {
				return fmt.Errorf("--output: %q is not known: table or json", o.output)
			}
			return nil
		}
	}
	return groups
}

// watchable adds --watch to a command that reads.
func watchable(o *options, c *cobra.Command) *cobra.Command {
	c.Flags().BoolVarP(&o.watch, "watch", "w", false, "print again whenever something changes, until Ctrl-C")
	return c
}

// call runs f with a connection and a deadline.
func (o *options) call(ctx context.Context, f func(context.Context, *client) error) (err error) {
	conn, err := grpc.NewClient(o.server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("--server %s: %w", o.server, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	err = f(ctx, &client{
		connectors: sluicev1.NewConnectorServiceClient(conn),
		plugins:    sluicev1.NewPluginServiceClient(conn),
		cluster:    sluicev1.NewClusterServiceClient(conn),
	})
	if s, ok := status.FromError(err); ok && err != nil {
		return fmt.Errorf("%s (%s)", s.Message(), s.Code())
	}
	return err
}

// show prints what get returns: once, or with --watch whenever it is different.
func (o *options) show(cmd *cobra.Command, get func(context.Context, *client) (proto.Message, error), table func(io.Writer, proto.Message)) error {
	var last []byte
	for {
		var b bytes.Buffer
		err := o.call(cmd.Context(), func(ctx context.Context, c *client) error {
			m, err := get(ctx, c)
			if err != nil {
				return err
			}
			return o.print(&b, m, table)
		})
		if err != nil && !o.watch {
			return err
		}
		if err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), err)
		} else if !bytes.Equal(b.Bytes(), last) {
			if last != nil {
				fmt.Fprintln(cmd.OutOrStdout())
			}
			last = b.Bytes()
			if _, err := cmd.OutOrStdout().Write(last); err != nil {
				return err
			}
		}
		if !o.watch {
			return nil
		}
		select {
		case <-cmd.Context().Done():
			return nil
		case <-o.clock.After(time.Second):
		}
	}
}

func (o *options) print(w io.Writer, m proto.Message, table func(io.Writer, proto.Message)) error {
	if o.output == "json" {
		b, err := protojson.MarshalOptions{Multiline: true, EmitUnpopulated: true}.Marshal(m)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	table(t, m)
	return t.Flush()
}

// row writes one line of a table.
func row(w io.Writer, cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, c)
	}
	fmt.Fprintln(w)
}
