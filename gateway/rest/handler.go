package rest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// requestTimeout is how long a request may take: Kafka Connect's fixed 90 s.
const requestTimeout = 90 * time.Second

// warningKey is the metadata in which the control plane says that an answer may be stale.
const warningKey = "sluice-warning"

type hostKey struct{}

// Options say what else is served, and how.
type Options struct {
	// Loggers are this process's loggers; nil serves none.
	Loggers sluicev1.LoggerServiceServer
	// AdminApart keeps /admin/ off the main listeners.
	AdminApart bool
	CORS       CORS
	// Headers are added to every answer of the main listeners; Clock dates them.
	Headers []HeaderRule
	Clock   clock.Clock
	// Stopping ends the streams of events when it is closed; nil never does.
	Stopping <-chan struct{}
}

// Handlers serve the REST API. Safe for concurrent use.
type Handlers struct {
	// Main serves all, but for /admin/ where that is apart. Admin serves /admin/ alone.
	Main, Admin http.Handler
}

// NewHandlers serves the REST API over connections to the control plane.
func NewHandlers(ctx context.Context, conn grpc.ClientConnInterface, o Options) (Handlers, error) {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newMarshaler()),
		// An encoded slash belongs to the name; with UnescapingModeAllCharacters it would divide.
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved),
		runtime.WithErrorHandler(onError),
		runtime.WithRoutingErrorHandler(onRoutingError),
		runtime.WithForwardResponseOption(onResponse),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithDisablePathLengthFallback(),
	)
	up := &upstream{ClientConnInterface: conn}
	err := errors.Join(
		sluicev1.RegisterConnectorServiceHandlerClient(ctx, mux, sluicev1.NewConnectorServiceClient(up)),
		sluicev1.RegisterPluginServiceHandlerClient(ctx, mux, sluicev1.NewPluginServiceClient(up)),
		sluicev1.RegisterClusterServiceHandlerClient(ctx, mux, sluicev1.NewClusterServiceClient(up)))
	if o.Loggers != nil {
		err = errors.Join(err, sluicev1.RegisterLoggerServiceHandlerServer(ctx, mux, o.Loggers))
	}
	for _, r := range ownRoutes {
		err = errors.Join(err, mux.HandlePath(r.method, r.path, r.handle))
	}
	if err != nil {
		return Handlers{}, err
	}
	events := &eventStreams{cluster: sluicev1.NewClusterServiceClient(conn), clock: o.Clock, stopping: o.Stopping}
	all := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(mux, events, w, r) })
	out := Handlers{Main: all, Admin: webServer(only(all, isAdmin))}
	if o.AdminApart {
		out.Main = only(all, func(path string) bool { return !isAdmin(path) })
	}
	out.Main = webServer(addHeaders(o.Headers, o.Clock, o.CORS.around(out.Main)))
	return out, nil
}

func isAdmin(path string) bool { return path == "/admin" || strings.HasPrefix(path, "/admin/") }

// only serves the paths that are meant; no other exists.
func only(next http.Handler, meant func(path string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, err := plainPath(r.URL); err == nil && !meant(path) {
			containerError(w, http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serve does what Kafka Connect's container does before a resource is called, in its order: whether the type of the body
// can be read, path, method, type of the body, type of the answer.
func serve(next, events http.Handler, w http.ResponseWriter, r *http.Request) {
	path, err := plainPath(r.URL)
	if err != nil {
		writeError(w, http.StatusBadRequest, "The path of the request cannot be read: "+err.Error(), true)
		return
	}
	if given, ok := r.Header["Content-Type"]; ok {
		if _, _, readable := parseMedia(given[0], false); !readable {
			badRequest(w, r)
			return
		}
	}
	at, methods := find(r.Method, path)
	if methods == nil {
		containerError(w, http.StatusNotFound)
		return
	}
	if !slices.Contains(methods, r.Method) {
		containerError(w, http.StatusMethodNotAllowed)
		return
	}
	if refusedBody(w, r, at) {
		return
	}
	accepted, readable := parseAccept(r.Header.Values("Accept"))
	switch {
	case !readable:
		badRequest(w, r)
		return
	case r.Method == http.MethodOptions:
		options(w, methods, accepted)
		return
	case path == EventsPath && accepts(accepted, mediaEvents):
		events.ServeHTTP(w, r)
		return
	case path == EventsPath, !accepts(accepted, mediaJSON):
		containerError(w, http.StatusNotAcceptable)
		return
	}
	ctx := context.WithValue(context.WithValue(r.Context(), hostKey{}, base(r)), headersKey{}, r.Header)
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out := r.Clone(ctx)
	out.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if out.Method == http.MethodHead {
		out.Method = http.MethodGet // net/http drops the body
	}
	if out.Header.Get("Content-Type") != "" && !at.own {
		out.Header.Set("Content-Type", mediaJSON) // refusedBody has read it
	}
	setPath(out.URL, path)
	out.URL.RawQuery = knownQuery(r.URL.RawQuery).Encode()
	out.Form = nil
	next.ServeHTTP(w, out)
}

// base is what the Location of a new connector begins with.
func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// knownQuery keeps the parameters that Kafka Connect knows: any other would be read by grpc-gateway as
// a field of the request. The first of repeated values counts, but for expand. A semicolon divides nothing, and what
// cannot be decoded stays as it is.
func knownQuery(raw string) url.Values {
	q, out := url.Values{}, url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		q.Add(decoded(key), decoded(value))
	}
	for key, list := range queryKeys {
		v, ok := q[key]
		if !ok || v[0] == "" && key == "connectorsOnly" { // of which an empty one is the default
			continue
		}
		if !list {
			v = v[:1]
		}
		out[key] = v
	}
	return out
}

func decoded(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// onResponse sets the status and headers that proto annotations cannot say.
func onResponse(ctx context.Context, w http.ResponseWriter, m proto.Message) error {
	if md, ok := runtime.ServerMetadataFromContext(ctx); ok {
		for _, v := range md.HeaderMD.Get(warningKey) {
			w.Header().Add("Warning", `199 sluice "`+v+`"`)
		}
	}
	if tagged, ok := m.(interface{ GetEtag() string }); ok && tagged.GetEtag() != "" {
		w.Header().Set("ETag", tagged.GetEtag())
	}
	switch m := m.(type) {
	case *sluicev1.GetHealthResponse:
		if code, ok := healthCodes[m.GetStatus()]; ok {
			w.WriteHeader(code)
		}
	case *sluicev1.SetLoggerResponse:
		if m.GetElsewhere() {
			bodyless(w, http.StatusNoContent)
		}
	case *sluicev1.CreateConnectorResponse:
		created(ctx, w, m.GetConnector().GetName())
	case *sluicev1.PutConnectorConfigResponse:
		if m.GetCreated() {
			created(ctx, w, m.GetConnector().GetName())
		}
	case *sluicev1.RestartConnectorResponse:
		if m.GetStatus() != nil {
			w.WriteHeader(http.StatusAccepted)
		} else {
			bodyless(w, http.StatusNoContent)
		}
	case *sluicev1.PauseConnectorResponse, *sluicev1.ResumeConnectorResponse, *sluicev1.ResetConnectorTopicsResponse:
		bodyless(w, http.StatusAccepted)
	case *sluicev1.StopConnectorResponse, *sluicev1.DeleteConnectorResponse, *sluicev1.RestartTaskResponse:
		bodyless(w, http.StatusNoContent)
	}
	return nil
}

func created(ctx context.Context, w http.ResponseWriter, name string) {
	base, _ := ctx.Value(hostKey{}).(string)
	w.Header().Set("Location", base+"/connectors/"+escapeName(name))
	w.WriteHeader(http.StatusCreated)
}

func bodyless(w http.ResponseWriter, code int) {
	w.Header()["Content-Type"] = nil
	w.WriteHeader(code)
}

// escapeName encodes a name as Kafka Connect's Location does: what a URI path may hold stays, the
// slash too.
func escapeName(name string) string {
	const plain = "-._~!$&'()*+,;=:@/"
	var b strings.Builder
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		default:
			const hex = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
