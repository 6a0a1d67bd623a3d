package executor

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"slices"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/transform"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/executor/deadletter"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/planner"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/executor/sinktask"
	"github.com/sluice-project/sluice/executor/sourcetask"
	"github.com/sluice-project/sluice/executor/stage"
)

// configErrors are what another config helps against.
var configErrors = []error{planner.ErrConfig, planner.ErrTasks, sourcetask.ErrConfig, sourcetask.ErrTopic, sinktask.ErrConfig, stage.ErrConfig, deadletter.ErrConfig, kafkaio.ErrConfig, config.ErrOverride, secrets.ErrResolve}

// network are the errors of the operating system that a system brings which is away.
var network = []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
	syscall.EHOSTDOWN, syscall.ENETDOWN, io.ErrUnexpectedEOF, context.DeadlineExceeded, kafkaio.ErrTimeout}

// errorClass says what kind of trouble an error is: what a connector said (connectors.Classify, Retriable), and else what
// is known of errors of Kafka, gRPC, the network and the executor itself. What nothing is known of is not transient.
func errorClass(err error) connectors.ErrorClass {
	in := func(list []error) bool {
		return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
	}
	if plugin.Panicked(err) || errors.Is(err, plugin.ErrHung) || errors.Is(err, sourcetask.ErrHung) || errors.Is(err, sinktask.ErrHung) {
		return connectors.OtherError // a fault of the plugin's, whatever it was busy with
	}
	if c, ok := connectors.ClassOf(err); ok {
		return c
	}
	code := grpcCode(err)
	switch {
	case kafkaio.Unauthorised(err), errors.Is(err, fs.ErrPermission), code == codes.PermissionDenied, code == codes.Unauthenticated:
		return connectors.AuthorisationError
	case in(configErrors), as[*plugin.UnknownError](err):
		return connectors.ConfigError
	case errors.Is(err, stage.ErrTolerance), errors.Is(err, stage.ErrRecord), as[*transform.Error](err):
		return connectors.DataError
	case as[tls.AlertError](err): // it comes as an error of the network
		return connectors.OtherError
	case kafkaio.Retriable(err), in(network), as[*net.OpError](err), as[*net.DNSError](err), timedOut(err),
		code == codes.Unavailable, code == codes.DeadlineExceeded, code == codes.ResourceExhausted, code == codes.Aborted:
		return connectors.TransientError
	}
	return connectors.OtherError
}

func as[T error](err error) bool {
	var e T
	return errors.As(err, &e)
}

func timedOut(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// grpcCode is the code of a gRPC error, OK where it is none.
func grpcCode(err error) codes.Code {
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return codes.OK
}
