package executor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/sourcetask"
	"github.com/sluice-project/sluice/executor/stage"
	"github.com/sluice-project/sluice/internal/run"
)

func TestErrorClass_WhatAConnectorSaysAndElseWhatIsKnown(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("starting: %w", err) }
	kafkaErr := func(code int) error { return &kafkaio.Error{Code: code, Text: "x"} } // codes of Kafka's protocol
	plain := errors.New("boom")
	for name, c := range map[string]struct {
		err  error
		want connectors.ErrorClass
	}{
		"nothing is known":                  {plain, connectors.OtherError},
		"retriable":                         {connectors.Retriable(plain), connectors.TransientError},
		"marked":                            {connectors.Classify(connectors.AuthorisationError, plain), connectors.AuthorisationError},
		"the outermost mark":                {connectors.Classify(connectors.ConfigError, wrap(connectors.Retriable(plain))), connectors.ConfigError},
		"a mark outdoes what is known":      {connectors.Classify(connectors.DataError, syscall.ECONNREFUSED), connectors.DataError},
		"a panic":                           {&run.PanicError{Value: connectors.Retriable(plain)}, connectors.OtherError},
		"a plugin that hangs":               {fmt.Errorf("%w: %w", plugin.ErrHung, context.DeadlineExceeded), connectors.OtherError},
		"refused connection":                {&net.OpError{Op: "dial", Err: &os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}}, connectors.TransientError},
		"a bare errno":                      {syscall.ECONNRESET, connectors.TransientError},
		"no such host":                      {&url.Error{Op: "Get", URL: "http://x", Err: &net.DNSError{Name: "x", IsNotFound: true}}, connectors.TransientError},
		"an URL that is none":               {&url.Error{Op: "Get", URL: "x", Err: errors.New("unsupported protocol scheme")}, connectors.OtherError},
		"a bad certificate":                 {&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, connectors.OtherError},
		"a deadline":                        {context.DeadlineExceeded, connectors.TransientError},
		"a cancelled context":               {context.Canceled, connectors.OtherError},
		"no permission":                     {&fs.PathError{Op: "open", Err: syscall.EACCES}, connectors.AuthorisationError},
		"Kafka is away":                     {fmt.Errorf("%w: %w", sourcetask.ErrProduce, kafkaErr(13)), connectors.TransientError},
		"Kafka does not answer":             {kafkaio.ErrTimeout, connectors.TransientError},
		"Kafka refuses the topic":           {kafkaErr(29), connectors.AuthorisationError},
		"Kafka refuses the password":        {kafkaErr(58), connectors.AuthorisationError},
		"a record that is too large":        {kafkaErr(10), connectors.OtherError},
		"a config that cannot be used":      {kafkaio.ErrConfig, connectors.ConfigError},
		"a record that cannot be converted": {fmt.Errorf("%w: %w", stage.ErrTolerance, plain), connectors.DataError},
		"a retriable error of a stage":      {fmt.Errorf("%w: %w", stage.ErrTolerance, connectors.Retriable(plain)), connectors.TransientError},
		"the control plane is away":         {status.Error(codes.Unavailable, "x"), connectors.TransientError},
		"gRPC refuses":                      {status.Error(codes.PermissionDenied, "x"), connectors.AuthorisationError},
	} {
		if got := errorClass(wrap(c.err)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if connectors.Classify(connectors.DataError, nil) != nil {
		t.Error("no error is an error")
	}
}
