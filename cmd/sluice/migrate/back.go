package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// errDiffers says that the topics do not say what Sluice has.
var errDiffers = errors.New("connect-configs does not say what Sluice has")

// back hands a cluster back, or ends that.
type back struct {
	api     api
	kafka   *cluster
	clock   clock.Clock
	out     io.Writer
	timeout time.Duration
}

func (b *back) say(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

// hand has Sluice let go of everything and leaves topics from which a Kafka Connect worker starts. Done again, it goes on.
func (b *back) hand(parent context.Context) error {
	if err := b.kafka.vacant(parent); err != nil {
		return fmt.Errorf("%w: they are started once the cluster is handed back", err)
	}
	ctx, cancel := context.WithTimeout(parent, b.timeout)
	defer cancel()
	if _, err := b.api.cluster.HandBack(ctx, &sluicev1.HandBackRequest{}); err != nil {
		return err
	}
	if err := b.await(ctx); err != nil {
		return err
	}
	n, err := b.kafka.rewriteAborted(parent)
	if err != nil {
		return err
	}
	b.say("%d offsets were written again over records of aborted transactions", n)
	// Everything is mirrored: what a worker will read is what Sluice has.
	differs, alien, err := b.compare(parent)
	if err != nil {
		return err
	}
	if len(differs) > 0 {
		return fmt.Errorf("%w: %s", errDiffers, strings.Join(differs, "; "))
	}
	if len(alien) > 0 {
		b.say("connectors that Sluice never had, and that Kafka Connect will run again: %s", strings.Join(alien, ", "))
	}
	b.say("done: start the Kafka Connect workers. Sluice grants nothing until `sluice migrate from-connect` or `sluice migrate undo`")
	return nil
}

// await waits until nobody of Sluice acts any more and all is mirrored.
func (b *back) await(ctx context.Context) error {
	last := ""
	for {
		r, err := b.api.cluster.GetHandBack(ctx, &sluicev1.GetHandBackRequest{})
		switch {
		case err == nil && !r.GetHandedBack():
			return errors.New("the hand-back was ended by somebody else")
		case err == nil && r.GetDone():
			b.say("all is quiet and mirrored")
			return nil
		}
		now := progress(r, err)
		if now != last {
			last = now
			b.say("%s", now)
		}
		select {
		case <-b.clock.After(500 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("not done within %s: %s. The hand-back goes on: call this again, or `sluice migrate undo`", b.timeout, last)
		}
	}
}

func progress(r *sluicev1.GetHandBackResponse, err error) string {
	some := func(list []string, n int32) string {
		if s := strings.Join(list[:min(len(list), 5)], ", "); int(n) > 5 {
			return s + ", …"
		} else {
			return s
		}
	}
	switch {
	case err != nil:
		return "waiting for the control plane: " + err.Error()
	case r.GetLapsedCount() > 0:
		return fmt.Sprintf("waiting for %d units that are held and %d whose last holder is not known to be gone: %s", r.GetHeldCount(), r.GetLapsedCount(), some(r.GetLapsed(), r.GetLapsedCount()))
	case r.GetHeldCount() > 0:
		return fmt.Sprintf("waiting for %d units that are held: %s", r.GetHeldCount(), some(r.GetHeld(), r.GetHeldCount()))
	}
	return "waiting for an executor to mirror what is left: is one alive?"
}

// compare says how the topic differs from what Sluice has, and which connectors the topic alone has.
func (b *back) compare(parent context.Context) (differs, alien []string, err error) {
	list, _, err := b.kafka.configs(parent)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(parent, b.timeout)
	defer cancel()
	have, err := connectors(ctx, b.api)
	if err != nil {
		return nil, nil, err
	}
	differs, alien = differences(list, have)
	return differs, alien, nil
}

func differences(list []topics.LoggedConnector, have map[string]*sluicev1.ConnectorInfo) (out, alien []string) {
	found := map[string]bool{}
	for _, c := range list {
		found[c.Name] = true
		config := &sluicev1.Config{}
		for _, e := range c.Config {
			config.Entries = append(config.Entries, &sluicev1.ConfigEntry{Key: e.Key, Value: e.Value})
		}
		switch mine, ok := have[c.Name]; {
		case !ok:
			alien = append(alien, c.Name) // Sluice tombstones what it deleted: this one is not its own
		case !sameConfig(mine.GetConfig(), config):
			out = append(out, fmt.Sprintf("connector %s has another config there", c.Name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if !found[name] {
			out = append(out, fmt.Sprintf("connector %s is not there", name))
		}
	}
	return out, alien
}

// undo ends a hand-back: Sluice runs what it had. Where Kafka Connect changed something meanwhile it is refused.
func (b *back) undo(parent context.Context, discard bool) error {
	if err := b.kafka.vacant(parent); err != nil {
		return err
	}
	differs, alien, err := b.compare(parent)
	if err != nil {
		return err
	}
	for _, name := range alien {
		differs = append(differs, fmt.Sprintf("connector %s is there only", name))
	}
	if len(differs) > 0 && !discard {
		return fmt.Errorf("%w: %s. `sluice migrate from-connect` takes what Kafka Connect has; --discard-connect-changes goes on with what Sluice had", errDiffers, strings.Join(differs, "; "))
	}
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(parent, migrationKey, "1"), b.timeout)
	defer cancel()
	if _, err := b.api.cluster.EndHandBack(ctx, &sluicev1.EndHandBackRequest{}); err != nil {
		return err
	}
	b.say("the hand-back is ended: Sluice runs its connectors again")
	return nil
}
