// Package telemetry exports metrics and traces by OTLP over gRPC: the bridge from what a process has in Prometheus' form,
// and the one place that sets an exporter up. Where to and how is said by OpenTelemetry's own variables
// (OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _CERTIFICATE, OTEL_METRIC_EXPORT_INTERVAL, OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME,
// …); whether at all is a key of Sluice's. A collector that is away costs nothing but what it misses: nobody waits for it.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/version"
)

// stopTimeout is how long the last export may take.
const stopTimeout = 3 * time.Second

// Stop ends an export, after a last one that may take three seconds.
type Stop func(ctx context.Context) error

// Metrics exports what g gathers, every minute or every OTEL_METRIC_EXPORT_INTERVAL.
func Metrics(ctx context.Context, service string, g prometheus.Gatherer, log *slog.Logger) (Stop, error) {
	res, err := begin(service, log, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL")
	if err != nil {
		return nil, err
	}
	exporter, err := otlpmetricgrpc.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("metrics by OTLP: %w", err)
	}
	p := metric.NewMeterProvider(metric.WithResource(res), metric.WithReader(metric.NewPeriodicReader(exporter,
		metric.WithProducer(bridge.NewMetricProducer(bridge.WithGatherer(g))))))
	return limited(p.Shutdown), nil
}

// Traces exports the spans of the tracer that it returns. Every span is: what is traced at all is the caller's to decide.
func Traces(ctx context.Context, service string, log *slog.Logger) (trace.Tracer, Stop, error) {
	res, err := begin(service, log, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if err != nil {
		return nil, nil, err
	}
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("traces by OTLP: %w", err)
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(exporter), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	return p.Tracer("github.com/sluice-project/sluice"), limited(p.Shutdown), nil
}

// begin checks what the environment says, and says who this is.
func begin(service string, log *slog.Logger, protocolKey string) (*resource.Resource, error) {
	for _, key := range []string{protocolKey, "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if v := os.Getenv(key); v != "" && v != "grpc" {
			return nil, fmt.Errorf("%s: %q: this version exports by grpc alone", key, v)
		}
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("exporting by OTLP failed", logkey.Component, "telemetry", logkey.Err, err)
	}))
	// The environment's attributes come last: they win.
	own := resource.NewSchemaless(attribute.String("service.name", service), attribute.String("service.version", version.Version))
	res, err := resource.Merge(own, resource.Environment())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return res, nil
}

func limited(shutdown func(ctx context.Context) error) Stop {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		if err := shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			otel.Handle(err) // the collector is away: no reason not to end well
		}
		return nil
	}
}
