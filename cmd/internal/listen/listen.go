// Package listen makes the gateway's part of a process from a worker's keys: listeners, admin.listeners, ssl.*, access.control.*
// and response.http.headers.config. sluice-gateway and the modes that are all in one share it.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

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
	listeners := []process.Listener{{Address: main}}
	if main == "" {
		if listeners, err = process.ParseListeners(s.Values.String(process.Listeners)); err != nil {
			return conf, fmt.Errorf("%s: %w", process.Listeners, err)
		}
	}
	if conf.Listeners, err = open(ctx, s, process.Listeners, process.ListenersTLS, listeners); err != nil {
		return conf, err
	}
	// Present and empty is not absent: then nobody serves /admin/.
	if conf.AdminApart = s.Values.Has(process.AdminListeners); conf.AdminApart && s.Values.String(process.AdminListeners) != "" {
		if listeners, err = process.ParseListeners(s.Values.String(process.AdminListeners)); err != nil {
			return conf, fmt.Errorf("%s: %w", process.AdminListeners, err)
		}
		conf.Admin, err = open(ctx, s, process.AdminListeners, process.AdminListenersTLS, listeners)
	}
	return conf, err
}

func open(ctx context.Context, s process.Settings, key, prefix string, listeners []process.Listener) (out []net.Listener, err error) {
	var conf *tls.Config
	if slices.ContainsFunc(listeners, func(l process.Listener) bool { return l.Secure }) {
		if conf, err = serverTLS(s.Props.Values, prefix); err != nil {
			return nil, fmt.Errorf("%s: https: %w", key, err)
		}
	}
	for _, one := range listeners {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", one.Address)
		if err != nil {
			return out, fmt.Errorf("%s: %w", key, err)
		}
		if one.Secure {
			l = secure{tls.NewListener(l, conf)}
		}
		out = append(out, l)
	}
	return out, nil
}

// secure is a listener that speaks TLS.
type secure struct{ net.Listener }

// URL is where a listener of Open can be reached.
func URL(l net.Listener) string {
	if _, ok := l.(secure); ok {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// Close closes the listeners of a gateway that was not started.
func Close(conf gateway.Config) error {
	var err error
	for _, l := range append(conf.Listeners, conf.Admin...) {
		err = errors.Join(err, l.Close())
	}
	return err
}
