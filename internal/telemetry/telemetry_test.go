package telemetry_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/internal/telemetry"
)

// collector is an OTLP receiver that keeps what it gets, as text.
type collector struct {
	metricspb.UnimplementedMetricsServiceServer
	mu  sync.Mutex
	got strings.Builder
}

func (c *collector) Export(_ context.Context, r *metricspb.ExportMetricsServiceRequest) (*metricspb.ExportMetricsServiceResponse, error) {
	c.keep(r.String())
	return &metricspb.ExportMetricsServiceResponse{}, nil
}

func (c *collector) keep(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got.WriteString(s)
}

func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.String()
}

type traces struct {
	tracepb.UnimplementedTraceServiceServer
	*collector
}

func (t traces) Export(_ context.Context, r *tracepb.ExportTraceServiceRequest) (*tracepb.ExportTraceServiceResponse, error) {
	t.keep(r.String())
	return &tracepb.ExportTraceServiceResponse{}, nil
}

func listen(t *testing.T) *collector {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, g := &collector{}, grpc.NewServer()
	metricspb.RegisterMetricsServiceServer(g, c)
	tracepb.RegisterTraceServiceServer(g, traces{collector: c})
	done := make(chan error, 1)
	go func() { done <- g.Serve(l) }()
	t.Cleanup(func() { g.Stop(); <-done }) //nolint:errcheck // its end is waited for
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test,service.version=mine")
	return c
}

var quiet = slog.New(slog.DiscardHandler)

func TestExport_BringsMetricsAndTracesWithWhatTheEnvironmentSays(t *testing.T) {
	c := listen(t)
	reg := prometheus.NewRegistry()
	n := prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_things_total", Help: "h"})
	n.Add(41)
	reg.MustRegister(n)
	stop, err := telemetry.Metrics(t.Context(), "sluice-x", reg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	tracer, stopTraces, err := telemetry.Traces(t.Context(), "sluice-x", quiet)
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Start(t.Context(), "record orders")
	span.End()
	for _, stop := range []telemetry.Stop{stop, stopTraces} { // each exports what is left
		if err := stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	got := c.text()
	for _, want := range []string{"sluice_things_total", "41", "record orders", "sluice-x", "deployment.environment", "mine"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
}

func TestExport_ACollectorThatIsAwayHoldsNobodyUp(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	tracer, stop, err := telemetry.Traces(t.Context(), "sluice-x", quiet)
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Start(t.Context(), "lost")
	span.End()
	begin := time.Now()
	if err := stop(t.Context()); err != nil || time.Since(begin) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}

func TestExport_AnotherProtocolIsRefusedByName(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
	_, err := telemetry.Metrics(t.Context(), "sluice-x", prometheus.NewRegistry(), quiet)
	if err == nil || err.Error() != `OTEL_EXPORTER_OTLP_PROTOCOL: "http/json": this version exports by grpc alone` {
		t.Error(err)
	}
}
