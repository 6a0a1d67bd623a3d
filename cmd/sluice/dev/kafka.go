package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// startKafka runs the embedded broker. Its data is in the data directory where the user named one.
func (p *Process) startKafka(o Options) error {
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.ClusterID("sluice-dev"), kfake.DefaultNumPartitions(1)}
	if o.KafkaListen != "" {
		host, port, err := net.SplitHostPort(o.KafkaListen)
		n, perr := strconv.Atoi(port)
		if err != nil || perr != nil || host != "127.0.0.1" && host != "localhost" {
			return fmt.Errorf("--kafka-listen: %q: the embedded broker listens on 127.0.0.1:<port> only", o.KafkaListen)
		}
		if n != 0 {
			opts = append(opts, kfake.Ports(n))
		}
	}
	if o.DataDir != "" {
		dir := filepath.Join(o.DataDir, "kafka")
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return fmt.Errorf("--data-dir: %w", err)
		}
		opts = append(opts, kfake.DataDir(dir), kfake.SyncWrites())
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		return fmt.Errorf("embedded Kafka-protocol broker: %w", err)
	}
	autoCreate(c, o)
	p.onStop(func(context.Context) error { c.Close(); return nil })
	p.Kafka = strings.Join(c.ListenAddrs(), ",")
	return nil
}

// autoCreate creates topics that clients ask for, as brokers do. kfake's own option keeps such topics in memory only: after a
// kill they would be gone, and their records with them.
func autoCreate(c *kfake.Cluster, o Options) {
	c.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake's signature
		req, ok := r.(*kmsg.MetadataRequest)
		if !ok || !req.AllowAutoTopicCreation {
			return nil, nil, false
		}
		var missing []string
		for _, t := range req.Topics {
			if t.Topic != nil && *t.Topic != "" {
				missing = append(missing, *t.Topic)
			}
		}
		if len(missing) > 0 {
			// Topics are created by the broker's loop, which runs this function too.
			c.SleepControl(func() {
				for _, t := range missing {
					if c.TopicInfo(t) != nil {
						continue
					}
					if err := c.CreateTopic(t, 1, nil); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
						o.Logger.Warn("the embedded broker cannot create a topic", "topic", t, "err", err)
					}
				}
			})
		}
		return nil, nil, false
	})
}
