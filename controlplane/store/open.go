package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// EtcdConfig says how etcd is reached.
type EtcdConfig struct {
	// Endpoints are http://host:port or https://host:port, at least one.
	Endpoints []string
	// TLS is for https endpoints; nil takes the system's authorities.
	TLS *tls.Config
	// Username and Password are empty where etcd asks for none.
	Username, Password string
	Logger             *slog.Logger
}

// EtcdClient is a client of etcd. Close it.
type EtcdClient struct{ *clientv3.Client }

// OpenEtcd makes a client. It does not wait for etcd, and goes to another member where one is gone or cut off.
func OpenEtcd(c EtcdConfig) (*EtcdClient, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: c.Endpoints, TLS: c.TLS, Username: c.Username, Password: c.Password, Logger: zap.NewNop(),
		// A member that is cut off is given up after the sum of these.
		DialTimeout: 2 * time.Second, DialKeepAliveTime: 2 * time.Second, DialKeepAliveTimeout: time.Second,
		MaxCallSendMsgSize: 4 << 20, BackoffWaitBetween: 50 * time.Millisecond,
	})
	if err != nil {
		return nil, denied(err)
	}
	return &EtcdClient{client}, nil
}

// denied marks what asking again does not cure.
func denied(err error) error {
	for _, e := range []error{rpctypes.ErrAuthFailed, rpctypes.ErrPermissionDenied, rpctypes.ErrUserEmpty, rpctypes.ErrInvalidAuthToken, rpctypes.ErrUserNotFound} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", ErrDenied, err)
		}
	}
	if c := status.Code(err); c == codes.PermissionDenied || c == codes.Unauthenticated {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}

// full says whether etcd refused a write because its quota is used up.
func full(err error) bool { return errors.Is(err, rpctypes.ErrNoSpace) }
