package rest_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/gateway/rest"
	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// eventPlane is a control plane whose streams of events send what is written down, one stream after the other, and end
// with an error.
type eventPlane struct {
	refuse
	mu      sync.Mutex
	asked   []string
	streams []eventScript
}

type eventScript struct {
	sends []*sluicev1.WatchEventsResponse
	err   error // nil is a stream that stays
}

func (p *eventPlane) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.streams[0]
	if len(p.streams) > 1 {
		p.streams = p.streams[1:]
	}
	return &scripted{plane: p, ctx: ctx, script: one}, nil
}

type scripted struct {
	plane  *eventPlane
	ctx    context.Context
	script eventScript
}

func (s *scripted) Header() (metadata.MD, error) { return nil, nil }
func (s *scripted) Trailer() metadata.MD         { return nil }
func (s *scripted) CloseSend() error             { return nil }
func (s *scripted) Context() context.Context     { return s.ctx }

func (s *scripted) SendMsg(m any) error {
	r := m.(*sluicev1.WatchEventsRequest)
	s.plane.mu.Lock()
	defer s.plane.mu.Unlock()
	s.plane.asked = append(s.plane.asked, r.GetConnector()+" after "+r.GetSince())
	return nil
}

func (s *scripted) RecvMsg(m any) error {
	if len(s.script.sends) > 0 {
		next := s.script.sends[0]
		s.script.sends = s.script.sends[1:]
		out := m.(*sluicev1.WatchEventsResponse)
		out.Id, out.Event = next.GetId(), next.GetEvent()
		return nil
	}
	if s.script.err != nil {
		return s.script.err
	}
	<-s.ctx.Done()
	return status.FromContextError(s.ctx.Err()).Err()
}

func created(id, connector string) *sluicev1.WatchEventsResponse {
	return &sluicev1.WatchEventsResponse{Id: id, Event: &sluicev1.Event{Type: "connector.created", Connector: connector}}
}

func serveEvents(t *testing.T, stopping <-chan struct{}, streams ...eventScript) (*eventPlane, string) {
	t.Helper()
	p := &eventPlane{streams: streams}
	h, err := rest.NewHandlers(t.Context(), p, rest.Options{Clock: clock.Real(), Stopping: stopping})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h.Main)
	t.Cleanup(func() {
		s.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return p, s.URL
}

// read reads a stream's answer until it ends, or until a line that is awaited.
func read(t *testing.T, url, awaited string, headers ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	var b strings.Builder
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		b.WriteString(lines.Text() + "\n")
		if awaited != "" && lines.Text() == awaited {
			return resp, b.String()
		}
	}
	if awaited != "" {
		t.Fatalf("it ended before %q: %s", awaited, b.String())
	}
	return resp, b.String()
}

func TestEvents_AnotherReplicaGoesOnAndTheClientSeesNothingOfIt(t *testing.T) {
	away := status.Error(codes.Unavailable, "connection refused")
	p, url := serveEvents(t, nil,
		eventScript{[]*sluicev1.WatchEventsResponse{{Id: "5"}, created("6.0", "a")}, away},
		eventScript{nil, away},
		eventScript{[]*sluicev1.WatchEventsResponse{{Id: "6.0"}, created("6", "b"), {Id: "9"}}, nil})
	resp, got := read(t, url+"/v1/events?connector=a&since=1", "id: 9", "Last-Event-ID: 5", "Accept: text/event-stream") //nolint:bodyclose // read closed it
	want := ": alive\nid: 5\n\nid: 6.0\nevent: connector.created\ndata: {\"type\":\"connector.created\",\"connector\":\"a\"}\n\n: alive\nid: 6.0\n\n" +
		"id: 6\nevent: connector.created\ndata: {\"type\":\"connector.created\",\"connector\":\"b\"}\n\n: alive\nid: 9\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Error(resp.StatusCode, resp.Header)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := cmp.Diff([]string{"a after 5", "a after 6.0", "a after 6.0"}, p.asked); d != "" {
		t.Error(d)
	}
}

func TestEvents_AnAnswerBeforeTheFirstIsAStatusAndAfterItTheLastEvent(t *testing.T) {
	_, url := serveEvents(t, nil, eventScript{nil, status.Error(codes.InvalidArgument, "since: no id")})
	if resp, got := read(t, url+"/v1/events?since=x", ""); resp.StatusCode != 400 || got != `{"error_code":400,"message":"since: no id"}`+"\n" { //nolint:bodyclose // read closed it
		t.Error(resp.StatusCode, got)
	}
	_, url = serveEvents(t, nil, eventScript{[]*sluicev1.WatchEventsResponse{{Id: "5"}}, status.Error(codes.ResourceExhausted, "too slow")})
	if _, got := read(t, url+"/v1/events", ""); !strings.HasSuffix(got, "event: closed\ndata: {\"reason\":\"resourceexhausted\",\"message\":\"too slow\"}\n\n") { //nolint:bodyclose // read closed it
		t.Error(got)
	}
}

func TestEvents_EndWhereTheGatewayStops(t *testing.T) {
	stopping := make(chan struct{})
	_, url := serveEvents(t, stopping, eventScript{[]*sluicev1.WatchEventsResponse{{Id: "5"}}, nil})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	close(stopping)
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != ": alive\nid: 5\n\n" {
		t.Errorf("%q %v", got, err)
	}
}

func TestEvents_AreNotJSONAndHaveAHead(t *testing.T) {
	p := &eventPlane{}
	h, err := rest.NewHandlers(t.Context(), p, rest.Options{Clock: clock.Real()})
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(t, h.Main, "GET", "/v1/events", "", "Accept: application/json"); w.Code != 406 {
		t.Error(w.Code)
	}
	if w := ask(t, h.Main, "HEAD", "/v1/events", ""); w.Code != 200 || w.Header().Get("Content-Type") != "text/event-stream" || w.Body.Len() > 0 {
		t.Error(w)
	}
	if w := ask(t, h.Main, "POST", "/v1/events", ""); w.Code != 405 {
		t.Error(w.Code)
	}
	if w := ask(t, h.Main, "OPTIONS", "/v1/events", ""); w.Header().Get("Allow") != "HEAD,GET,OPTIONS" {
		t.Error(w.Header())
	}
}
