package harness

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy is a TCP proxy that can be slow, and be cut: connections stay open and carry nothing, as where a network is
// partitioned; and new ones are accepted by nobody behind it.
type Proxy struct {
	listener net.Listener
	target   string

	delay atomic.Int64 // ns

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
	heal  chan struct{}
}

// NewProxy forwards a free port to target.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own listener
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, conns: map[net.Conn]bool{}, heal: make(chan struct{})}
	close(p.heal)
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			done.Add(1)
			go func() { defer done.Done(); p.serve(c) }()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		p.Heal()
		p.drop()
		done.Wait()
	})
	return p
}

// Addr is where it listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Slow has everything that is sent take so much longer, each way; 0 is no longer.
func (p *Proxy) Slow(by time.Duration) { p.delay.Store(int64(by)) }

// Cut lets nothing through from now on.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cut {
		p.cut, p.heal = true, make(chan struct{})
	}
}

// Heal lets everything through again, on new connections: what was on its way over the old ones is lost.
func (p *Proxy) Heal() {
	p.mu.Lock()
	was := p.cut
	if p.cut {
		p.cut = false
		close(p.heal)
	}
	p.mu.Unlock()
	if was {
		p.drop()
	}
}

func (p *Proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// through waits until nothing is cut.
func (p *Proxy) through() {
	p.mu.Lock()
	heal := p.heal
	p.mu.Unlock()
	<-heal
}

func (p *Proxy) add(c net.Conn) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
		_ = c.Close()
	}
}

func (p *Proxy) serve(c net.Conn) {
	defer p.add(c)()
	p.through()
	out, err := net.Dial("tcp", p.target) //nolint:noctx // both ends are on this machine
	if err != nil {
		return
	}
	defer p.add(out)()
	done := make(chan struct{}, 2)
	go func() { p.copy(out, c); done <- struct{}{} }()
	go func() { p.copy(c, out); done <- struct{}{} }()
	<-done
	_, _ = c.Close(), out.Close()
	<-done
}

func (p *Proxy) copy(to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		time.Sleep(time.Duration(p.delay.Load())) // it is what is asked for
		p.through()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
