package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/internal/errs"
)

// errorBody is Kafka Connect's ErrorMessage.
type errorBody struct {
	ErrorCode int    `json:"error_code"`
	Message   string `json:"message"`
}

// writeError answers with Kafka Connect's error body. typed says whether a Content-Type goes with it:
// errors of the container (404, 405, 406, 415) have none there, and clients were recorded against that.
func writeError(w http.ResponseWriter, code int, message string, typed bool) {
	if typed {
		w.Header().Set("Content-Type", "application/json")
	} else {
		w.Header()["Content-Type"] = nil
	}
	w.WriteHeader(code)
	var b bytes.Buffer
	if err := writeJSON(&b, errorBody{code, message}); err != nil {
		return // an int and a string always encode
	}
	_, _ = w.Write(b.Bytes()) // the client is gone: there is nobody to tell
}

// containerError answers as the container in front of Kafka Connect's resources does.
func containerError(w http.ResponseWriter, code int) {
	writeError(w, code, containerText(code), false)
}

func containerText(code int) string {
	return fmt.Sprintf("HTTP %d %s", code, http.StatusText(code))
}

// httpCode is the status for a gRPC error: by its registered reason, else by its code.
func httpCode(s *status.Status) int {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return errs.Lookup(errs.Reason(info.GetReason())).HTTP
		}
	}
	switch s.Code() {
	case codes.InvalidArgument, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.NotFound:
		return http.StatusNotFound
	case codes.AlreadyExists, codes.Aborted, codes.FailedPrecondition:
		return http.StatusConflict
	case codes.Unavailable, codes.ResourceExhausted, codes.Canceled:
		return http.StatusServiceUnavailable
	case codes.PermissionDenied:
		return http.StatusForbidden
	default:
		return http.StatusInternalServerError
	}
}

func onError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	var custom *runtime.HTTPStatusError
	if errors.As(err, &custom) {
		err = custom.Err
	}
	var own *errs.Error
	if errors.As(err, &own) { // the gateway's, not the control plane's
		writeError(w, errs.Lookup(own.Reason).HTTP, own.Message, true)
		return
	}
	s := status.Convert(err)
	// A task that is no number is a path that does not exist, for Kafka Connect.
	if s.Code() == codes.InvalidArgument && strings.HasPrefix(s.Message(), "type mismatch, parameter: task") {
		writeError(w, http.StatusNotFound, containerText(http.StatusNotFound), true)
		return
	}
	message := s.Message()
	if s.Code() == codes.DeadlineExceeded {
		message = "Request timed out"
	}
	writeError(w, httpCode(s), message, true)
}

func onRoutingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, code int) {
	if code == http.StatusBadRequest {
		code = http.StatusNotFound
	}
	containerError(w, code)
}
