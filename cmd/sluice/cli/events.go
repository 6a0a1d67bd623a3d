package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sluice-project/sluice/internal/replicas"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func eventsCommand(o *options) *cobra.Command {
	var connector, since string
	c := &cobra.Command{Use: "events", Short: "Print what changes, as it does, until Ctrl-C", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := grpc.NewClient(o.server, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				return fmt.Errorf("--server %s: %w", o.server, err)
			}
			err = o.events(cmd, sluicev1.NewClusterServiceClient(conn), &sluicev1.WatchEventsRequest{Connector: connector, Since: since})
			return errors.Join(err, conn.Close())
		}}
	c.Flags().StringVar(&connector, "connector", "", "only events of this connector")
	c.Flags().StringVar(&since, "since", "", "begin after the event with this id, where it is still known")
	return c
}

// events prints events until the context ends; a replica that goes away is waited for.
func (o *options) events(cmd *cobra.Command, cluster sluicev1.ClusterServiceClient, req *sluicev1.WatchEventsRequest) error {
	ctx, began := cmd.Context(), false
	for {
		stream, err := cluster.WatchEvents(ctx, req)
		for err == nil {
			var m *sluicev1.WatchEventsResponse
			if m, err = stream.Recv(); err != nil {
				break
			}
			if began, req.Since = true, m.GetId(); m.GetEvent() != nil {
				if err := o.printEvent(cmd.OutOrStdout(), m); err != nil {
					return err
				}
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was stopped
		case !errors.Is(err, io.EOF) && (!began || !replicas.Lost(err)):
			s := status.Convert(err)
			return fmt.Errorf("%s (%s)", s.Message(), s.Code())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-o.clock.After(time.Second):
		}
	}
}

// printEvent prints one line.
func (o *options) printEvent(w io.Writer, m *sluicev1.WatchEventsResponse) error {
	if o.output == "json" {
		b, err := protojson.Marshal(m)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	}
	e := m.GetEvent()
	words := []string{o.clock.Now().Format(time.TimeOnly), m.GetId(), e.GetType()}
	for _, s := range []string{first(e.GetUnit(), e.GetConnector()), e.GetExecutor(), detail(e)} {
		if s != "" {
			words = append(words, s)
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(words, "  "))
	return err
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// detail is what is worth a few words on the line.
func detail(e *sluicev1.Event) string {
	switch d := e.GetDetail().(type) {
	case *sluicev1.Event_Config:
		return strings.Join(d.Config.GetChangedKeys(), ",")
	case *sluicev1.Event_Target:
		return word(d.Target.GetTo().String(), "TARGET_STATE_")
	case *sluicev1.Event_Tasks:
		return fmt.Sprintf("%d tasks", d.Tasks.GetCount())
	case *sluicev1.Event_Status:
		out := word(d.Status.GetTo().String(), "STATE_")
		if line, _, _ := strings.Cut(d.Status.GetTrace(), "\n"); line != "" {
			out += "  " + line
		}
		if next := again(d.Status.GetAutoRestart()); next != "" {
			out += "  again: " + next
		}
		return out
	case *sluicev1.Event_Assignment:
		if d.Assignment.GetFrom() != "" {
			return "from " + d.Assignment.GetFrom()
		}
		return d.Assignment.GetHow()
	case *sluicev1.Event_Member:
		return d.Member.GetPool()
	case *sluicev1.Event_Leader:
		return d.Leader.GetReplica()
	case *sluicev1.Event_Offsets:
		return d.Offsets.GetReason()
	case *sluicev1.Event_Gap:
		return d.Gap.GetReason()
	}
	return ""
}
