package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/telemetry"
	"github.com/sluice-project/sluice/internal/version"
)

// Admin serves the health and the metrics of a process.
type Admin struct {
	listener net.Listener
	server   *http.Server
	mux      *http.ServeMux
	group    *run.Group
	registry *prometheus.Registry
	unexport telemetry.Stop // nil where nothing is exported
}

// NewAdmin listens. ready says why the process is not ready, or nil; it is asked at each request and must not block.
func NewAdmin(ctx context.Context, address string, ready func() error, metrics ...prometheus.Collector) (*Admin, error) {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_build_info", Help: "Always 1; its labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": version.Version, "commit": version.Commit()}}, func() float64 { return 1 })
	for _, c := range append(metrics, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})) {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", AdminListen, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return &Admin{listener: l, registry: registry, group: run.New(context.Background(), "admin"), mux: mux,
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 8 << 10}}, nil
}

// Profile serves profiles too. Before Start.
func (a *Admin) Profile() {
	a.mux.HandleFunc("GET /debug/pprof/", pprof.Index) // by name: heap, allocs, goroutine, …
	a.mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	a.mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	a.mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// Apply does what the process's keys ask of it beside: metrics by OTLP, until Stop, and profiles. Before Start.
func (a *Admin) Apply(ctx context.Context, s Settings, service string, log *slog.Logger) (err error) {
	if s.Values.Bool(profiles) {
		a.Profile()
	}
	if s.Values.Bool(otlpMetrics) {
		a.unexport, err = telemetry.Metrics(ctx, service, a.registry, log)
	}
	return err
}

// Addr is where it listens, host:port.
func (a *Admin) Addr() net.Addr { return a.listener.Addr() }

// Start serves.
func (a *Admin) Start(context.Context) error {
	return a.group.Go(func(context.Context) error {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// Stop ends the requests under way.
func (a *Admin) Stop(ctx context.Context) error {
	err := errors.Join(a.server.Close(), a.group.Stop(ctx))
	if a.unexport != nil {
		err = errors.Join(err, a.unexport(ctx))
	}
	return err
}
