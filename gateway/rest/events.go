package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/replicas"
	"github.com/sluice-project/sluice/internal/run"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// EventsPath is the one path that is answered with a stream.
const EventsPath = "/v1/events"

const (
	// eventsWrite is how long a client may take no byte.
	eventsWrite = 30 * time.Second
	// eventsAgain is how long after a lost replica another is asked, eventsPatience how long until that is given up.
	eventsAgain    = 100 * time.Millisecond
	eventsPatience = 10 * time.Second
)

// eventStreams serves /v1/events as server-sent events. A replica that goes away is followed by another one, with the
// last id; the client sees nothing of it.
type eventStreams struct {
	cluster  sluicev1.ClusterServiceClient
	clock    clock.Clock
	stopping <-chan struct{}
}

// eventsCall is a stream of the control plane, its last id, and the response it goes into.
type eventsCall struct {
	*eventStreams
	request *sluicev1.WatchEventsRequest
	w       http.ResponseWriter
	out     *http.ResponseController
	begun   bool
}

func (s *eventStreams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if s.stopping != nil {
		// Shutdown waits for requests, and this one would not end.
		watch := run.New(ctx, "events")
		if err := watch.Go(func(ctx context.Context) error {
			select {
			case <-s.stopping:
				cancel()
			case <-ctx.Done():
			}
			return nil
		}); err != nil {
			return // a group that is new is not stopped
		}
		defer func() { cancel(); _ = watch.Wait(context.WithoutCancel(ctx)) }() // nothing fails there
	}
	since := r.URL.Query().Get("since")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		since = last // a browser that comes again has the address of the first time
	}
	c := &eventsCall{eventStreams: s, w: w, out: http.NewResponseController(w),
		request: &sluicev1.WatchEventsRequest{Connector: r.URL.Query().Get("connector"), Since: since}}
	if r.Method == http.MethodHead {
		c.begin()
		return
	}
	// The server's limits are for requests that end.
	_ = c.out.SetReadDeadline(time.Time{}) // not every writer has one
	c.run(ctx)
}

// run streams until the client, the gateway or the control plane ends it.
func (c *eventsCall) run(ctx context.Context) {
	var lost <-chan time.Time
	for {
		err := c.follow(ctx, func() { lost = nil })
		switch {
		case ctx.Err() != nil, errors.Is(err, errGone):
			return
		case err != nil && !replicas.Lost(err):
			c.end(err)
			return
		}
		if lost == nil {
			lost = c.clock.After(eventsPatience)
		}
		select {
		case <-ctx.Done():
			return
		case <-lost:
			c.end(errs.New(errs.NoReplica, "No replica of the control plane can be reached: try again"))
			return
		case <-c.clock.After(eventsAgain):
		}
	}
}

// errGone says that the client takes no more.
var errGone = errors.New("rest: the client is gone")

// follow writes what one replica sends; nil where that one stops.
func (c *eventsCall) follow(ctx context.Context, heard func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.cluster.WatchEvents(ctx, c.request)
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		heard()
		c.begin()
		if err := c.write(m); err != nil {
			return errGone
		}
		c.request.Since = m.GetId()
	}
}

func (c *eventsCall) begin() {
	if c.begun {
		return
	}
	c.begun = true
	h := c.w.Header()
	h.Set("Content-Type", mediaEvents)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy in between must not wait for more
	c.w.WriteHeader(http.StatusOK)
}

// write sends a message: an id alone is a sign of life, which a browser keeps and tells nobody of.
func (c *eventsCall) write(m *sluicev1.WatchEventsResponse) error {
	var b bytes.Buffer
	if m.GetEvent() == nil {
		fmt.Fprintf(&b, ": alive\nid: %s\n\n", m.GetId())
	} else {
		data, err := eventJSON(m.GetEvent())
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "id: %s\nevent: %s\ndata: %s\n\n", m.GetId(), m.GetEvent().GetType(), data)
	}
	return c.flush(b.Bytes())
}

func (c *eventsCall) flush(b []byte) error {
	_ = c.out.SetWriteDeadline(c.clock.Now().Add(eventsWrite)) // not every writer has one
	if _, err := c.w.Write(b); err != nil {
		return err
	}
	return c.out.Flush()
}

// eventJSON is one line.
func eventJSON(e *sluicev1.Event) ([]byte, error) {
	raw, err := protojson.Marshal(e)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Compact(&out, raw) // protojson sets blanks now so, now so
	return out.Bytes(), err
}

// end says why there is no more: as an error's answer, or where the stream has begun as its last event.
func (c *eventsCall) end(err error) {
	if !c.begun {
		onError(context.Background(), nil, nil, c.w, nil, err)
		return
	}
	reason, message := reasonOf(err)
	data, err := json.Marshal(struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}{reason, message})
	if err == nil { // two strings always encode
		_ = c.flush(fmt.Appendf(nil, "event: closed\ndata: %s\n\n", data)) // the client may be gone
	}
}

func reasonOf(err error) (reason, message string) {
	var own *errs.Error
	if errors.As(err, &own) {
		return string(own.Reason), own.Message
	}
	s := status.Convert(err)
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason(), s.Message()
		}
	}
	return strings.ToLower(s.Code().String()), s.Message()
}
