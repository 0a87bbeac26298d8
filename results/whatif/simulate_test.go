package whatif_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"floodgate/results/whatif"
	"floodgate/scenarios/pipeline"
)

func simulate(t interface {
	Helper()
	Fatal(...any)
}, m whatif.Model) whatif.Prediction {
	t.Helper()
	p, err := whatif.Simulate(m, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// constant returns a bounded pipeline whose items all take 20 ms + 5 ms.
func constant(items, limit int) whatif.Model {
	return whatif.Model{
		Items: items, Hosts: 1, Strategy: pipeline.Bounded(limit),
		Fetch: whatif.Constant(20 * time.Millisecond), Write: whatif.Constant(5 * time.Millisecond),
	}
}

func TestConstantServiceTakesWholeRounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items, limit := rapid.IntRange(1, 500).Draw(t, "items"), rapid.IntRange(1, 64).Draw(t, "limit")
		p := simulate(t, constant(items, limit))
		rounds := (items + limit - 1) / limit
		if want := time.Duration(rounds) * 25 * time.Millisecond; p.Makespan != want {
			t.Fatalf("%d items, limit %d: %v, want %v", items, limit, p.Makespan, want)
		}
		if p.Peak != min(items, limit) || p.Upstream != min(items, limit) || p.Mongo != min(items, limit) {
			t.Fatalf("%d items, limit %d: %+v", items, limit, p)
		}
		m := constant(items, limit)
		m.Strategy = pipeline.Sequential()
		if p := simulate(t, m); p.Makespan != time.Duration(items)*25*time.Millisecond || p.Peak != 1 {
			t.Fatalf("sequential, %d items: %+v", items, p)
		}
		m.Strategy = pipeline.Unbounded()
		if p := simulate(t, m); p.Makespan != 25*time.Millisecond || p.Peak != items {
			t.Fatalf("unbounded, %d items: %+v", items, p)
		}
	})
}

// Each case has constant service times, so its makespan can be calculated by hand.
func TestEveryPlaceToWait(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		change   func(m *whatif.Model)
		makespan time.Duration
		waits    string
	}{
		"joined: fetches in 10 rounds, then 100 writes":    {func(m *whatif.Model) { m.Strategy = pipeline.Joined(10) }, 10*20*ms + 100*5*ms, "waits for a writer"},
		"staged: the one writer is the bottleneck":         {func(m *whatif.Model) { m.Strategy = pipeline.Staged(10, 1, 5) }, 20*ms + 100*5*ms, "waits for a writer"},
		"staged without a queue":                           {func(m *whatif.Model) { m.Strategy = pipeline.Staged(10, 1, 0) }, 20*ms + 100*5*ms, "waits for a writer"},
		"staged: the fetches are the bottleneck":           {func(m *whatif.Model) { m.Strategy = pipeline.Staged(2, 1, 0) }, 50*20*ms + 2*5*ms, "waits for a writer"},
		"unbounded behind an upstream that serves 4":       {func(m *whatif.Model) { m.Strategy, m.Capacity = pipeline.Unbounded(), 4 }, 25*20*ms + 5*ms, "waits for the upstream's capacity"},
		"unbounded through 4 connections":                  {func(m *whatif.Model) { m.Strategy, m.Conns = pipeline.Unbounded(), 4 }, 25*20*ms + 5*ms, "waits for a connection to the upstream"},
		"unbounded through a pool of 2":                    {func(m *whatif.Model) { m.Strategy, m.Pool = pipeline.Unbounded(), 2 }, 20*ms + 50*5*ms, "waits for a connection to the database"},
		"unbounded to a database that writes 2":            {func(m *whatif.Model) { m.Strategy, m.Servers = pipeline.Unbounded(), 2 }, 20*ms + 50*5*ms, "waits for the database's capacity"},
		"unbounded at 100 a second: one each 10 ms":        {func(m *whatif.Model) { m.Strategy, m.Rate = pipeline.Unbounded(), 100 }, 99*10*ms + 25*ms, "waits for the upstream's rate limit"},
		"hosts of limit 10 share the items":                {func(m *whatif.Model) { m.Hosts = 5 }, 2 * 25 * ms, ""},
		"hosts share the upstream":                         {func(m *whatif.Model) { m.Hosts, m.Strategy, m.Capacity = 5, pipeline.Unbounded(), 4 }, 25*20*ms + 5*ms, "waits for the upstream's capacity"},
		"hosts have pools of their own":                    {func(m *whatif.Model) { m.Hosts, m.Strategy, m.Pool = 5, pipeline.Unbounded(), 2 }, 20*ms + 10*5*ms, "waits for a connection to the database"},
		"a connection that is not there yet takes a while": {func(m *whatif.Model) { m.Connect = whatif.Constant(3 * ms) }, 10*25*ms + 3*ms, "waits for a connection to the database"},
		"each checkout takes a while":                      {func(m *whatif.Model) { m.Checkout, m.Connect = whatif.Constant(ms), whatif.Constant(ms) }, 10 * 26 * ms, "waits for a connection to the database"},
	} {
		t.Run(name, func(t *testing.T) {
			m := constant(100, 10)
			c.change(&m)
			p := simulate(t, m)
			if p.Makespan != c.makespan {
				t.Errorf("makespan %v, want %v", p.Makespan, c.makespan)
			}
			waits := ""
			for _, s := range p.Stages {
				if s.Stage != "fetch" && s.Stage != "write" {
					waits += s.Stage
				}
			}
			if waits != c.waits {
				t.Errorf("%q, want %q", waits, c.waits)
			}
		})
	}
}

// anyModel draws a model with spread service times.
func anyModel(t *rapid.T) whatif.Model {
	small := func(name string) int { return rapid.IntRange(0, 6).Draw(t, name) }
	limit := rapid.IntRange(1, 20).Draw(t, "limit")
	m := whatif.Model{
		Items: rapid.IntRange(1, 300).Draw(t, "items"), Hosts: rapid.IntRange(1, 5).Draw(t, "hosts"),
		Fetch: spread(20 * time.Millisecond), Write: spread(4 * time.Millisecond), Checkout: spread(time.Microsecond), Connect: spread(time.Millisecond),
		Conns: small("conns"), Pool: small("pool"), Capacity: small("capacity"), Servers: small("servers"),
		Rate: rapid.SampledFrom([]float64{0, 50, 1e4}).Draw(t, "rate"),
	}
	m.Strategy = rapid.SampledFrom([]pipeline.Strategy{
		pipeline.Sequential(), pipeline.Joined(limit), pipeline.Unbounded(), pipeline.Bounded(limit),
		pipeline.Staged(limit, 1+small("writers"), small("queue")),
	}).Draw(t, "strategy")
	return m
}

// spread returns a roughly exponential distribution with the mean d.
func spread(d time.Duration) whatif.Distribution {
	return whatif.Quantiles(func(u float64) time.Duration { return time.Duration(-math.Log1p(-u) * float64(d)) })
}

func TestEverySimulation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anyModel(t)
		p := simulate(t, m)
		within := func(name string, value, limit int) {
			if limit > 0 && value > limit {
				t.Fatalf("%s: %d, limit %d", name, value, limit)
			}
		}
		within("connections", p.Upstream, m.Conns)
		within("pool", p.Mongo, m.Pool)
		switch s := m.Strategy; s.Kind {
		case pipeline.KindSequential:
			within("in flight", p.PeakHost, 1)
		case pipeline.KindBounded:
			within("in flight", p.PeakHost, s.Limit)
		case pipeline.KindStaged:
			within("in flight", p.PeakHost, s.Limit+s.Writers+s.Queue)
			within("fetches", p.Upstream, s.Limit)
			within("writes", p.Mongo, s.Writers)
		}
		within("in flight in all", p.Peak, m.Hosts*p.PeakHost)
		// Little's law: the area below the items in flight agrees with the items' own
		// times.
		if little := p.Throughput * p.Mean.Seconds(); math.Abs(little-p.InFlight) > 1e-6*p.InFlight {
			t.Fatalf("%v in flight, Little's law says %v", p.InFlight, little)
		}
		sum := time.Duration(0)
		for _, s := range p.Stages {
			sum += s.Mean
		}
		if d := sum - p.Mean; d < -10 || d > 10 {
			t.Fatalf("stages add up to %v, items take %v", sum, p.Mean)
		}
		if again := simulate(t, m); again.Makespan != p.Makespan || again.P99 != p.P99 {
			t.Fatal("the same seed gave something else")
		}
	})
}

func TestMoreNeverTakesLonger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := constant(rapid.IntRange(1, 300).Draw(t, "items"), rapid.IntRange(1, 30).Draw(t, "limit"))
		m.Pool, m.Capacity = rapid.IntRange(0, 5).Draw(t, "pool"), rapid.IntRange(0, 5).Draw(t, "capacity")
		more := m
		more.Strategy.Limit++
		if a, b := simulate(t, m).Makespan, simulate(t, more).Makespan; b > a {
			t.Fatalf("limit %d: %v, limit %d: %v", m.Strategy.Limit, a, more.Strategy.Limit, b)
		}
	})
}

// The mean wait of a closed system with one server, two kinds of exponential
// times and n customers has a product form; mean value analysis (M. Reiser,
// S. S. Lavenberg, J. ACM 27(2), 1980) computes its throughput.
func TestAgreesWithMeanValueAnalysis(t *testing.T) {
	const items, limit, fetch, write = 60_000, 12, 20e-3, 2.5e-3
	queue, want := 0.0, 0.0
	for n := 1; n <= limit; n++ {
		response := write * (1 + queue)
		want = float64(n) / (fetch + response)
		queue = want * response
	}
	m := whatif.Model{Items: items, Hosts: 1, Strategy: pipeline.Bounded(limit), Servers: 1,
		Fetch: spread(20 * time.Millisecond), Write: spread(2500 * time.Microsecond)}
	if got := simulate(t, m).Throughput; math.Abs(got/want-1) > 0.01 {
		t.Errorf("%.1f items a second, mean value analysis says %.1f", got, want)
	}
}

func TestImpossibleModels(t *testing.T) {
	for want, change := range map[string]func(m *whatif.Model){
		"simulate 0 items: out of range (want 1 to 10000000)":                                      func(m *whatif.Model) { m.Items = 0 },
		"simulate 0 hosts: out of range (want 1 to 10000)":                                         func(m *whatif.Model) { m.Hosts = 0 },
		"simulate -1 connections to the database: out of range (want 0 to 1000000)":                func(m *whatif.Model) { m.Pool = -1 },
		"strategy bounded: limit must be from 1 to 1000000 (got 0)":                                func(m *whatif.Model) { m.Strategy.Limit = 0 },
		"simulate a rate of NaN/s: out of range (want 0, which means no limit, to 1e+09)":          func(m *whatif.Model) { m.Rate = math.NaN() },
		`cannot simulate strategy "batched" (want sequential, joined, unbounded, bounded, staged)`: func(m *whatif.Model) { m.Strategy = pipeline.Batched(1, 1, 1, 0) },
		"simulate 100 items: it may take 3e+03 years (at most 30)":                                 func(m *whatif.Model) { m.Rate = 1e-9 },
	} {
		m := constant(100, 10)
		change(&m)
		if _, err := whatif.Simulate(m, 1); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func BenchmarkMillionItems(b *testing.B) {
	for name, s := range map[string]pipeline.Strategy{"bounded-64": pipeline.Bounded(64), "staged-64-32": pipeline.Staged(64, 32, 64), "unbounded": pipeline.Unbounded()} {
		b.Run("strategy="+name, func(b *testing.B) {
			m := whatif.Model{Items: 1_000_000, Hosts: 40, Strategy: s, Fetch: spread(80 * time.Millisecond), Write: spread(4 * time.Millisecond), Checkout: spread(time.Microsecond)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := whatif.Simulate(m, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
