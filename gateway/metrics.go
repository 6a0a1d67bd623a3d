package gateway

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-project/sluice/gateway/rest"
)

// Metrics count requests. The zero Metrics is ready to use. Safe for concurrent use.
type Metrics struct {
	once     sync.Once
	requests *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func (m *Metrics) init() {
	m.once.Do(func() {
		m.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_gateway_request_duration_seconds",
			Help: "Requests of the REST API, by method and status, in seconds.", Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 90}}, []string{"method", "code"})
		m.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_gateway_requests_in_flight", Help: "Requests that are being answered."})
	})
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.init()
	m.requests.Describe(ch)
	m.inFlight.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.init()
	m.requests.Collect(ch)
	m.inFlight.Collect(ch)
}

// around counts the requests to next.
func (m *Metrics) around(next http.Handler) http.Handler {
	m.init()
	timed := promhttp.InstrumentHandlerDuration(m.requests, next)
	return promhttp.InstrumentHandlerInFlight(m.inFlight, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == rest.EventsPath { // it lasts as long as its reader likes
			next.ServeHTTP(w, r)
			return
		}
		timed.ServeHTTP(w, r)
	}))
}
