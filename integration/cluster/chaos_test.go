//go:build integration

package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// TestChaos is the story with CHAOS_KILLS misfortunes in an order that CHAOS_SEED gives: `make chaos`. Without
// CHAOS_KILLS three, so that it cannot rot.
func TestChaos_EveryLineArrivesWhateverDiesInWhateverOrder(t *testing.T) {
	kills, _ := strconv.Atoi(os.Getenv("CHAOS_KILLS"))            // none where it is not set
	seed, _ := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64) // 0 where it is not set
	if kills == 0 {
		kills = 3
	}
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // to be repeated
	s := begin(t, 1_000_000)
	s.more(5_000)
	s.create()
	s.awaitLines(s.sofar(), time.Minute)
	trickling, stop := context.WithCancel(t.Context())
	wait := s.trickle(trickling)
	users := s.users(trickling)
	scaled, verified := s.scale(trickling), s.verify()
	pick := func(all []*harness.Process) *harness.Process { return all[random.IntN(len(all))] }
	again := func(p *harness.Process) { p.Kill(); p.Start() }
	misfortunes := []struct {
		name string
		f    func() string
	}{
		{"kill -9 executor", func() string { x := pick(s.Executors); again(x); s.AwaitHealthy(x); return x.Name }},
		{"kill -9 two executors", func() string {
			i := random.IntN(len(s.Executors))
			x, y := s.Executors[i], s.Executors[(i+1)%len(s.Executors)]
			x.Kill()
			y.Kill()
			x.Start()
			y.Start()
			s.AwaitHealthy(x)
			s.AwaitHealthy(y)
			return x.Name + " " + y.Name
		}},
		{"kill -9 leader", func() string { l := s.leader(); again(l); l.AwaitReady(); return l.Name }},
		{"kill -9 replica", func() string { r := pick(s.Replicas); again(r); r.AwaitReady(); return r.Name }},
		{"kill -9 gateway", func() string { g := pick(s.Gateways); again(g); g.AwaitReady(); return g.Name }},
		{"kill -9 member of etcd", func() string { e := pick(s.Etcd); again(e); return e.Name }},
		{"SIGTERM executor", func() string { x := pick(s.Executors); x.Stop(); x.Start(); s.AwaitHealthy(x); return x.Name }},
		{"SIGSTOP executor past its lease", func() string {
			x := pick(s.Executors)
			x.Pause()
			s.pass(ttl + margin + time.Second)
			x.Continue()
			s.AwaitHealthy(x)
			return x.Name
		}},
		{"SIGSTOP replica", func() string {
			r := pick(s.Replicas)
			r.Pause()
			s.pass(ttl)
			r.Continue()
			return r.Name
		}},
		{"cut executor off from the control plane", func() string {
			i := random.IntN(len(s.Executors))
			for _, p := range s.ToControlPlane[i] {
				p.Cut()
			}
			s.pass(time.Duration(random.IntN(int(ttl + 2*margin))))
			for _, p := range s.ToControlPlane[i] {
				p.Heal()
			}
			s.AwaitHealthy(s.Executors[i])
			return s.Executors[i].Name
		}},
		{"cut executor off from Kafka", func() string {
			s.kafka.Proxy.Cut()
			s.pass(time.Duration(random.IntN(int(10 * time.Second))))
			s.kafka.Proxy.Heal()
			return s.Executors[len(s.Executors)-1].Name
		}},
		{"all replicas killed", func() string {
			for _, r := range s.Replicas {
				r.Kill()
			}
			s.pass(time.Duration(random.IntN(int(2 * (ttl + margin)))))
			for _, r := range s.Replicas {
				r.Start()
			}
			for _, r := range s.Replicas {
				r.AwaitReady()
			}
			return "3"
		}},
	}
	for n := range kills {
		m := misfortunes[random.IntN(len(misfortunes))]
		began := time.Now()
		who := m.f()
		s.awaitLines(min(s.sofar()+500, s.lines), 2*time.Minute)
		t.Logf("%3d %-45s %-22s %5.1f s", n+1, m.name, who, time.Since(began).Seconds())
		if n%10 == 9 {
			s.check()
		}
	}
	stop()
	wait()
	users()
	scaled()
	verified()
	twice := s.awaitLines(s.sofar(), 2*time.Minute)
	t.Logf("seed %d, %d misfortunes: %d lines of %d lanes arrived, %d came twice", seed, kills, lanes*s.sofar(), lanes, twice)
	s.check()
}

// pass lets a time pass: how long something lasts is what the misfortune is.
func (s *story) pass(d time.Duration) {
	s.t.Helper()
	began := time.Now()
	harness.Await(s.t, fmt.Sprintf("%s are over", d), 2*d+time.Minute, func() bool { return time.Since(began) > d })
}
