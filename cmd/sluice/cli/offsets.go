package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// offsets are the commands about a connector's offsets and topics.
func offsets(o *options) []*cobra.Command {
	return []*cobra.Command{
		watchable(o, &cobra.Command{Use: "offsets NAME", Short: "Show a connector's offsets", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
					return c.connectors.GetConnectorOffsets(ctx, &sluicev1.GetConnectorOffsetsRequest{Name: args[0]})
				}, func(w io.Writer, m proto.Message) {
					row(w, "PARTITION", "OFFSET")
					for _, p := range m.(*sluicev1.GetConnectorOffsetsResponse).GetOffsets() {
						row(w, orNull(p.Partition), orNull(p.Offset))
					}
				})
			}}),
		{Use: "alter-offsets NAME FILE", Short: "Alter offsets of a stopped connector from a JSON file like the answer of GET /connectors/NAME/offsets (- is stdin)", Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				changes, err := readOffsets(cmd.InOrStdin(), args[1])
				if err != nil {
					return err
				}
				return o.do(cmd, func(ctx context.Context, c *client) (string, error) {
					r, err := c.connectors.AlterConnectorOffsets(ctx, &sluicev1.AlterConnectorOffsetsRequest{Name: args[0], Offsets: changes})
					return r.GetMessage(), err
				})
			}},
		{Use: "reset-offsets NAME", Short: "Forget all offsets of a stopped connector", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.do(cmd, func(ctx context.Context, c *client) (string, error) {
					r, err := c.connectors.ResetConnectorOffsets(ctx, &sluicev1.ResetConnectorOffsetsRequest{Name: args[0]})
					return r.GetMessage(), err
				})
			}},
		watchable(o, &cobra.Command{Use: "topics NAME", Short: "List the topics that a connector has used", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.show(cmd, func(ctx context.Context, c *client) (proto.Message, error) {
					return c.connectors.GetConnectorTopics(ctx, &sluicev1.GetConnectorTopicsRequest{Name: args[0]})
				}, func(w io.Writer, m proto.Message) {
					row(w, "TOPIC")
					for _, topic := range m.(*sluicev1.GetConnectorTopicsResponse).GetTopics() {
						row(w, topic)
					}
				})
			}}),
		simple(o, "reset-topics", "Forget the topics that a connector has used; those that it uses come back", "forgot the topics of", func(ctx context.Context, c *client, name string) error {
			_, err := c.connectors.ResetConnectorTopics(ctx, &sluicev1.ResetConnectorTopicsRequest{Name: name})
			return err
		}),
	}
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// readOffsets reads {"offsets":[{"partition":{…},"offset":{…}}]}, numbers as they are written.
func readOffsets(stdin io.Reader, path string) ([]*sluicev1.PartitionOffset, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // read only
		in = f
	}
	var body struct {
		Offsets []struct {
			Partition json.RawMessage `json:"partition"`
			Offset    json.RawMessage `json:"offset"`
		} `json:"offsets"`
	}
	d := json.NewDecoder(in)
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return nil, fmt.Errorf(`%s: a JSON object such as {"offsets":[{"partition":{…},"offset":{…}}]} is needed: %w`, path, err)
	}
	var out []*sluicev1.PartitionOffset
	for _, e := range body.Offsets {
		out = append(out, &sluicev1.PartitionOffset{Partition: text(e.Partition), Offset: text(e.Offset)})
	}
	return out, nil
}

func text(b json.RawMessage) *string {
	if len(b) == 0 || bytes.Equal(b, []byte("null")) {
		return nil
	}
	s := string(b)
	return &s
}
