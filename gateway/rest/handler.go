package rest

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// requestTimeout is how long a request may take: Kafka Connect's fixed 90 s.
const requestTimeout = 90 * time.Second

// warningKey is the metadata in which the control plane says that an answer may be stale.
const warningKey = "sluice-warning"

type hostKey struct{}

// NewHandler serves the REST API over connections to the control plane. Safe for concurrent use.
func NewHandler(ctx context.Context, conn grpc.ClientConnInterface) (http.Handler, error) {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newMarshaler()),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters),
		runtime.WithErrorHandler(onError),
		runtime.WithRoutingErrorHandler(onRoutingError),
		runtime.WithForwardResponseOption(onResponse),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithDisablePathLengthFallback(),
	)
	if err := sluicev1.RegisterConnectorServiceHandlerClient(ctx, mux, sluicev1.NewConnectorServiceClient(conn)); err != nil {
		return nil, err
	}
	if err := sluicev1.RegisterPluginServiceHandlerClient(ctx, mux, sluicev1.NewPluginServiceClient(conn)); err != nil {
		return nil, err
	}
	if err := sluicev1.RegisterClusterServiceHandlerClient(ctx, mux, sluicev1.NewClusterServiceClient(conn)); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(mux, w, r) }), nil
}

// serve does what Kafka Connect's container does before a resource is called.
func serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if !acceptsJSON(r.Header.Values("Accept")) {
		containerError(w, http.StatusNotAcceptable)
		return
	}
	if hasBody(r) && !strings.HasPrefix(r.URL.Path, "/v1/") {
		given := r.Header.Get("Content-Type")
		if media, _, err := mime.ParseMediaType(given); err != nil || media != "application/json" {
			writeError(w, http.StatusUnsupportedMediaType, containerText(http.StatusUnsupportedMediaType), given == "")
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), hostKey{}, r.Host), requestTimeout)
	defer cancel()
	out := r.Clone(ctx)
	out.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if out.Method == http.MethodHead {
		out.Method = http.MethodGet // net/http drops the body
	}
	if p := out.URL.EscapedPath(); len(p) > 1 && strings.HasSuffix(p, "/") {
		out.URL.Path, out.URL.RawPath = strings.TrimSuffix(out.URL.Path, "/"), strings.TrimSuffix(out.URL.RawPath, "/")
	}
	out.URL.RawQuery = knownQuery(r.URL.Query()).Encode()
	out.Form = nil
	next.ServeHTTP(w, out)
}

func hasBody(r *http.Request) bool {
	return (r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch) && r.ContentLength != 0
}

// knownQuery keeps the parameters that Kafka Connect knows: any other would be read by grpc-gateway as
// a field of the request. The first of repeated values counts, but for expand.
func knownQuery(q url.Values) url.Values {
	out := url.Values{}
	for _, key := range []string{"connectorsOnly", "includeTasks", "onlyFailed", "connector"} {
		if v, ok := q[key]; ok {
			out[key] = v[:1]
		}
	}
	if v, ok := q["expand"]; ok {
		out["expand"] = v
	}
	return out
}

func acceptsJSON(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			media, _, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case "", "*/*", "application/*", "application/json":
				return true
			}
		}
	}
	return false
}

// onResponse sets the status and headers that proto annotations cannot say.
func onResponse(ctx context.Context, w http.ResponseWriter, m proto.Message) error {
	if md, ok := runtime.ServerMetadataFromContext(ctx); ok {
		for _, v := range md.HeaderMD.Get(warningKey) {
			w.Header().Add("Warning", `199 sluice "`+v+`"`)
		}
	}
	switch m := m.(type) {
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
	host, _ := ctx.Value(hostKey{}).(string)
	w.Header().Set("Location", "http://"+host+"/connectors/"+escapeName(name))
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
