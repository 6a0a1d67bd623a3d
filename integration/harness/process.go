package harness

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is one program that may be killed, stopped, continued and started again. Its log is a file per life.
type Process struct {
	Name string
	t    testing.TB
	dir  string
	bin  string
	args []string

	mu    sync.Mutex
	cmd   *exec.Cmd
	ready map[string]string // of the ready line
	ended chan struct{}
	lives int
}

// Run starts any program; it is killed when the test ends, where it still runs.
func Run(t testing.TB, name, program string, args ...string) *Process {
	t.Helper()
	p := &Process{Name: name, t: t, dir: t.TempDir(), bin: program, args: args}
	p.Start()
	t.Cleanup(p.Kill)
	return p
}

// Start starts it, and does not wait.
func (p *Process) Start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lives++
	log, err := os.Create(p.log(p.lives))
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(p.bin, p.args...) //nolint:noctx // it outlives any one context: the harness ends it
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("%s: %v", p.Name, err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended, p.ready = cmd, ended, nil
	read := make(chan struct{})
	go func() { // ends with the process
		defer close(read)
		p.read(io.TeeReader(out, log), cmd)
	}()
	go func() { // ends with the process
		<-read
		_ = cmd.Wait() // how it ended is asked of its state
		_ = log.Close()
		close(ended)
	}()
}

// read notes the ready line: `ready key=value …`.
func (p *Process) read(r io.Reader, cmd *exec.Cmd) {
	for s := bufio.NewScanner(r); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) == 0 || f[0] != "ready" {
			continue
		}
		ready := map[string]string{}
		for _, kv := range f[1:] {
			k, v, _ := strings.Cut(kv, "=")
			ready[k] = v
		}
		p.mu.Lock()
		if p.cmd == cmd {
			p.ready = ready
		}
		p.mu.Unlock()
	}
}

func (p *Process) log(life int) string {
	return filepath.Join(p.dir, fmt.Sprintf("%s.%d.log", p.Name, life))
}

// Logs are the paths of all lives' logs.
func (p *Process) Logs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for i := 1; i <= p.lives; i++ {
		out = append(out, p.log(i))
	}
	return out
}

// Ready is a field of the ready line; empty until it came.
func (p *Process) Ready(key string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready[key]
}

// AwaitReady waits for the ready line.
func (p *Process) AwaitReady() {
	p.t.Helper()
	Await(p.t, p.Name+" is ready", time.Minute, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		select {
		case <-p.ended:
			p.t.Fatalf("%s has ended: %s", p.Name, tail(p.log(p.lives)))
		default:
		}
		return p.ready != nil
	})
}

func tail(path string) string {
	b, _ := os.ReadFile(path) // an unreadable log has no tail
	return string(b[max(0, len(b)-2000):])
}

// PID is the present life's.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

func (p *Process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) } // one that has ended needs none

// Kill is kill -9.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
}

// Term sends SIGTERM and does not wait.
func (p *Process) Term() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signal(syscall.SIGTERM)
}

// Stop sends SIGTERM, waits and wants exit code 0.
func (p *Process) Stop() {
	p.t.Helper()
	p.Term()
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.t.Errorf("%s does not stop", p.Name)
		p.Kill()
		return
	}
	if c := p.cmd.ProcessState.ExitCode(); c != 0 {
		p.t.Errorf("%s stopped with code %d: %s", p.Name, c, tail(p.log(p.lives)))
	}
}

// Pause is SIGSTOP, Continue SIGCONT.
func (p *Process) Pause() { p.mu.Lock(); defer p.mu.Unlock(); p.signal(syscall.SIGSTOP) }

// Continue lets a paused process run.
func (p *Process) Continue() { p.mu.Lock(); defer p.mu.Unlock(); p.signal(syscall.SIGCONT) }

// Await asks f every 20 ms until it holds.
func Await(t testing.TB, what string, limit time.Duration, f func() bool) {
	t.Helper()
	deadline, tick := time.After(limit), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waiting in vain for %s: %s", limit, what)
		}
	}
}

// AwaitEnd waits until the process has ended, however.
func (p *Process) AwaitEnd() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.t.Fatalf("%s does not end", p.Name)
	}
}
