package rest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// healthTimeout is how long GET /health waits: as a Kafka Connect worker does.
const healthTimeout = 10 * time.Second

// upstream is the control plane as requests see it: it adds what only their headers say, and answers for the health of
// one that does not answer.
type upstream struct {
	grpc.ClientConnInterface
	reached atomic.Bool // the control plane has answered once
}

type headersKey struct{}

// Invoke implements grpc.ClientConnInterface.
func (u *upstream) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	if h, ok := ctx.Value(headersKey{}).(http.Header); ok {
		conditions(h, args)
	}
	if health, ok := reply.(*sluicev1.GetHealthResponse); ok {
		u.health(ctx, method, args, health, opts)
		return nil
	}
	err := u.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
	if err == nil {
		u.reached.Store(true)
	}
	return err
}

// conditions takes If-Match and Idempotency-Key into a request. The same key with another body is another request.
func conditions(h http.Header, args any) {
	switch r := args.(type) {
	case *sluicev1.PutConnectorConfigRequest:
		r.IfMatch = strings.Join(h.Values("If-Match"), ",")
	case *sluicev1.PatchConnectorConfigRequest:
		r.IfMatch = strings.Join(h.Values("If-Match"), ",")
	case *sluicev1.CreateConnectorRequest:
		key := h.Get("Idempotency-Key")
		if key == "" {
			return
		}
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
		if err != nil {
			return // text that is not UTF-8: the call fails for that
		}
		sum := sha256.Sum256(append([]byte(key+"\x00"), body...))
		r.RequestId = "key-" + base64.RawURLEncoding.EncodeToString(sum[:])
	}
}

// health asks the control plane. A worker that does not answer is starting until it first has.
func (u *upstream) health(ctx context.Context, method string, args any, out *sluicev1.GetHealthResponse, opts []grpc.CallOption) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	err := u.ClientConnInterface.Invoke(ctx, method, args, out, opts...)
	if err == nil {
		u.reached.Store(true)
		return
	}
	why := " The control plane does not answer: " + status.Convert(err).Message()
	out.Status, out.Message = "starting", "Worker is still starting up."+why
	if u.reached.Load() {
		out.Status, out.Message = "unhealthy", "Worker was unable to handle this request and may be unable to handle other requests."+why
	}
}

// healthCodes are the statuses of GET /health.
var healthCodes = map[string]int{"starting": http.StatusServiceUnavailable, "unhealthy": http.StatusInternalServerError}
