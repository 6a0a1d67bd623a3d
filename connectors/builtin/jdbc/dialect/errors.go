package dialect

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"syscall"
)

// ErrURL is wrapped where a connection URL is not understood. It never has the URL in it, which may have a password.
var ErrURL = errors.New("the connection URL cannot be used")

// ErrName is wrapped where the name of a table cannot be read.
var ErrName = errors.New("not the name of a table")

// ErrValue is wrapped where the database has a value that does not fit the column's schema, or a record one that no column
// takes.
var ErrValue = errors.New("jdbc: a value cannot be converted")

// Error is an error of the database, its text without passwords.
type Error struct {
	text string
	err  error
}

func (e *Error) Error() string { return e.text }

// Unwrap returns the driver's error, which may have passwords in its text.
func (e *Error) Unwrap() error { return e.err }

// transport says whether the database could not be reached, or went away.
func transport(err error) bool {
	for _, e := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, context.DeadlineExceeded, syscall.ECONNREFUSED, syscall.ECONNRESET,
		syscall.EPIPE, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	var n net.Error
	var o *net.OpError
	var dns *net.DNSError
	return errors.As(err, &o) || errors.As(err, &dns) || errors.As(err, &n) && n.Timeout()
}
