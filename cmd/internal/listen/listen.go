// Package listen makes the gateway's part of a process from a worker's keys: listeners, admin.listeners, access.control.*
// and response.http.headers.config. sluice-gateway and the modes that are all in one share it.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/sluice-project/sluice/cmd/internal/process"
	"github.com/sluice-project/sluice/gateway"
	"github.com/sluice-project/sluice/gateway/rest"
)

// Open opens the listeners, on main instead of the key `listeners` where it is given (host:port), and fills in what they
// serve. What it opened before an error is closed.
func Open(ctx context.Context, s process.Settings, main string) (conf gateway.Config, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, Close(conf))
			conf = gateway.Config{}
		}
	}()
	if conf.CORS, err = rest.ParseCORS(s.Values.String(process.AllowOrigin), s.Values.String(process.AllowMethods)); err != nil {
		return conf, err
	}
	if conf.Headers, err = rest.ParseHeaderRules(s.Values.String(process.ResponseHeaders)); err != nil {
		return conf, err
	}
	addresses := []string{main}
	if main == "" {
		if addresses, err = process.Addresses(s.Values.String(process.Listeners)); err != nil {
			return conf, fmt.Errorf("%s: %w", process.Listeners, err)
		}
	}
	if conf.Listeners, err = open(ctx, process.Listeners, addresses); err != nil {
		return conf, err
	}
	// Present and empty is not absent: then nobody serves /admin/.
	if conf.AdminApart = s.Values.Has(process.AdminListeners); conf.AdminApart && s.Values.String(process.AdminListeners) != "" {
		if addresses, err = process.Addresses(s.Values.String(process.AdminListeners)); err != nil {
			return conf, fmt.Errorf("%s: %w", process.AdminListeners, err)
		}
		conf.Admin, err = open(ctx, process.AdminListeners, addresses)
	}
	return conf, err
}

func open(ctx context.Context, key string, addresses []string) ([]net.Listener, error) {
	var out []net.Listener
	for _, a := range addresses {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", a)
		if err != nil {
			return out, fmt.Errorf("%s: %w", key, err)
		}
		out = append(out, l)
	}
	return out, nil
}

// Close closes the listeners of a gateway that was not started.
func Close(conf gateway.Config) error {
	var err error
	for _, l := range append(conf.Listeners, conf.Admin...) {
		err = errors.Join(err, l.Close())
	}
	return err
}
