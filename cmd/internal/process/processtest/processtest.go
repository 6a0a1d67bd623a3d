// Package processtest is what the tests of the three mains have in common: the program itself, run by its own test
// binary, and composed inside the test.
package processtest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-project/sluice/cmd/internal/process"
	"github.com/sluice-project/sluice/internal/clock"
)

const (
	again = "SLUICE_PROCESSTEST" // set where the test binary is the program
	limit = time.Minute
)

// Main is a TestMain: it is the program where Run has started the test binary again.
func Main(m *testing.M, program func()) {
	if os.Getenv(again) != "" {
		_ = os.Unsetenv(again) // the program would take it for a key
		program()
		return
	}
	os.Exit(m.Run())
}

// Run runs the program until it ends by itself, or has said it is ready and then been sent SIGTERM. It returns the
// program's error stream and exit code.
func Run(t *testing.T, args ...string) (stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), again+"=1")
	var out bytes.Buffer
	cmd.Stderr = &out
	cmd.Stdout = onReady(func() { _ = cmd.Process.Signal(syscall.SIGTERM) }) // one that has ended needs none
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// onReady is called where the ready line is written.
type onReady func()

func (f onReady) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("ready ")) {
		f()
	}
	return len(b), nil
}

// Whole composes a process, starts it, waits until it is ready and stops it, all of which must succeed: so its fx
// application lacks nothing.
func Whole(t *testing.T, k process.Kind, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ready := false
	cmd := process.Command(k, clock.Real())
	cmd.SetArgs(args)
	cmd.SetOut(onReady(func() { ready = true; cancel() }))
	if err := cmd.ExecuteContext(ctx); err != nil || !ready {
		t.Errorf("%s: ready %t, %v", k.Name, ready, err)
	}
}

// Taken is an address on which somebody listens.
func Taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own listener
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// Fails runs a program that must end with code 1 and, but for its log, exactly these words.
func Fails(t *testing.T, want string, args ...string) {
	t.Helper()
	out, code := Run(t, args...)
	said := ""
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "time=") {
			said += line
		}
	}
	if said != want+"\n" || code != 1 {
		t.Errorf("%s: code %d: %s\nwant %s", strings.Join(args, " "), code, out, want)
	}
}
