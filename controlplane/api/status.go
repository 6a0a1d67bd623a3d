package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/controlplane/command"
	"github.com/sluice-project/sluice/controlplane/session"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

// Domain is the domain of the ErrorInfo in every status with a reason.
const Domain = "sluice"

// Status turns an error into the gRPC status that a caller gets. nil stays nil.
func Status(err error) error {
	if err == nil {
		return nil
	}
	var known *errs.Error
	if errors.As(err, &known) {
		return withReason(known.Reason, known.Message)
	}
	switch {
	case errors.Is(err, store.ErrFull):
		return withReason(errs.StoreFull, "etcd's quota is used up, and nothing was changed: compact and defragment etcd, then disarm its NOSPACE alarm")
	case errors.Is(err, store.ErrUnavailable):
		return withReason(errs.StoreUnavailable, "The store is not available, so nothing was changed or it is not known whether it was: try again")
	case errors.Is(err, store.ErrConflict):
		return withReason(errs.Conflict, "Cannot complete request because of a conflicting operation: try again")
	case errors.Is(err, store.ErrTooLarge):
		return withReason(errs.ConfigTooLarge, err.Error())
	case errors.Is(err, store.ErrLapsed):
		return withReason(errs.SessionLapsed, err.Error())
	case errors.Is(err, store.ErrPlanStale):
		return withReason(errs.PlanStale, err.Error())
	// These carry no reason: the other side goes on by itself.
	case errors.Is(err, command.ErrNoStream), errors.Is(err, command.ErrNotWaiting):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, command.ErrStreamLost):
		return status.Error(codes.Aborted, err.Error())
	case errors.Is(err, session.ErrStopping):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "Request timed out")
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "Request cancelled")
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return withReason(errs.Internal, err.Error())
}

func withReason(r errs.Reason, message string) error {
	s := status.New(errs.Lookup(r).GRPC, message)
	detailed, err := s.WithDetails(&errdetails.ErrorInfo{Reason: string(r), Domain: Domain})
	if err != nil {
		return s.Err() // a code that is OK cannot carry details; no reason has one
	}
	return detailed.Err()
}

// Unary makes statuses of errors and errors of panics.
func Unary(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
		err = run.Call(func() (err error) { resp, err = handler(ctx, req); return err })
		return resp, Status(recovered(log, info.FullMethod, err))
	}
}

// Stream is Unary for streams.
func Stream(log *slog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, g grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		err := run.Call(func() error { return handler(srv, g) })
		return Status(recovered(log, info.FullMethod, err))
	}
}

// recovered logs a panic, whose stack is not for the caller, and answers with what is.
func recovered(log *slog.Logger, method string, err error) error {
	var p *run.PanicError
	if !errors.As(err, &p) {
		return err
	}
	log.Error("a call panicked", "method", method, logkey.Err, err)
	return errs.New(errs.Internal, "%s", fmt.Sprintf("The call %s failed inside the control plane (bug): its log has the details", method))
}
