package leak_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"floodgate/results/leak"
)

// process simulates a watch: a pool whose size wanders and returns within tau
// seconds, requests in progress that hold descriptors, and a leak.
type process struct {
	seconds     int
	noise, tau  float64 // of the pool: deviation, and seconds to return
	load, trend float64 // requests in progress, and their growth a minute
	held, leaks float64 // descriptors a request, and a minute
	step        float64 // descriptors more from 40 % of the watch on
	fills       float64 // descriptors of a pool that fills as 1−exp(−t/(T/5))
	imprecisely float64 // deviation of the requests as they are seen
}

func (p process) watch(seed uint64) []leak.Observation {
	rng := rand.New(rand.NewPCG(seed, 7))
	keep := math.Exp(-1 / max(p.tau, 1e-9))
	pool, wave := rng.NormFloat64()*p.noise, rng.NormFloat64()
	var seen []leak.Observation
	for i := range p.seconds {
		t := float64(i)
		pool = keep*pool + math.Sqrt(1-keep*keep)*p.noise*rng.NormFloat64()
		wave = 0.9*wave + math.Sqrt(1-0.81)*rng.NormFloat64()
		work := math.Round(max(0, p.load+p.trend*t/60+0.2*p.load*wave))
		d := 40 + pool + p.held*work + p.leaks*t/60 + p.fills*(1-math.Exp(-5*t/float64(p.seconds)))
		if i >= 2*p.seconds/5 {
			d += p.step
		}
		seen = append(seen, leak.Observation{
			At: time.Duration(i) * time.Second, Descriptors: math.Round(d), InProgress: math.Round(max(0, work+p.imprecisely*rng.NormFloat64())),
		})
	}
	return seen
}

// verdicts counts the causes that n watches are found to have.
func (p process) verdicts(n uint64) map[leak.Cause]int {
	count := map[leak.Cause]int{}
	for seed := range n {
		count[leak.EstimateGrowth(p.watch(seed), 1).Cause]++
	}
	return count
}

func TestEstimateGrowth(t *testing.T) {
	const n = 50
	for name, c := range map[string]struct {
		process
		want  leak.Cause
		least int
	}{
		"leak":                         {process{seconds: 600, noise: 3, tau: 5, load: 18, leaks: 3.2}, leak.Leak, 48},
		"fast leak in two minutes":     {process{seconds: 120, noise: 1, tau: 2, leaks: 60}, leak.Leak, 50},
		"leak on an idle process":      {process{seconds: 300, leaks: 2}, leak.Leak, 50},
		"load":                         {process{seconds: 600, noise: 2, tau: 5, load: 18, held: 3}, leak.Load, 48},
		"both":                         {process{seconds: 600, noise: 2, tau: 5, load: 18, held: 3, leaks: 6}, leak.Both, 48},
		"neither":                      {process{seconds: 600, noise: 3, tau: 5, load: 18}, leak.Neither, 48},
		"nothing happens":              {process{seconds: 60}, leak.Neither, 50},
		"load that grows":              {process{seconds: 600, noise: 1, tau: 2, load: 10, trend: 5, held: 2}, leak.Load, 45},
		"leak while the load declines": {process{seconds: 600, noise: 2, tau: 5, load: 60, trend: -4, held: 2, leaks: 6}, leak.Both, 45},
	} {
		if got := c.verdicts(n); got[c.want] < c.least {
			t.Errorf("%s: %v, want at least %d times %s", name, got, c.least, c.want)
		}
	}
}

// A two-sided 95 % interval lies above zero by chance in at most 2.5 % of the
// watches of a process that does not leak.
func TestFalseAlarmsOfGrowth(t *testing.T) {
	const n = 200
	for name, p := range map[string]process{
		"independent":                  {seconds: 120, noise: 3, load: 18},
		"a pool that wanders":          {seconds: 200, noise: 5, tau: 3, load: 18},
		"slow, to 3 % of the watch":    {seconds: 200, noise: 5, tau: 6, load: 18},
		"load":                         {seconds: 200, noise: 2, tau: 5, load: 18, held: 3},
		"load seen imprecisely":        {seconds: 200, noise: 2, tau: 5, load: 18, held: 3, imprecisely: 4},
		"growing load, imprecisely":    {seconds: 200, noise: 2, tau: 5, load: 10, trend: 9, held: 3, imprecisely: 6},
		"a pool grows once":            {seconds: 200, noise: 0.5, tau: 2, load: 18, step: 20},
		"a pool grows once, exactly":   {seconds: 200, step: 20},
		"a pool fills up":              {seconds: 200, noise: 1, tau: 2, fills: 50},
		"a pool fills, in two minutes": {seconds: 120, noise: 1, tau: 2, fills: 50},
	} {
		got := p.verdicts(n)
		t.Logf("%s: %v", name, got)
		if alarms := got[leak.Leak] + got[leak.Both]; float64(alarms) > 0.025*n {
			t.Errorf("%s: %d false alarms of %d watches, want at most 2.5 %%: %v", name, alarms, n, got)
		}
	}
}

// The true slope lies in the interval in 95 % of the watches, and the limit is
// reached within the bounds of the forecast.
func TestPredictedExhaustionCoversTheTruth(t *testing.T) {
	const n, limit = 400, 1024
	p := process{seconds: 120, noise: 1, tau: 1, leaks: 60}
	truth := (limit - 40.0) - 119 // seconds after the last observation
	covered, near := 0, 0
	for seed := range uint64(n) {
		g := leak.EstimateGrowth(p.watch(seed), 1)
		f, ok := g.PredictExhaustion(limit)
		if !ok {
			t.Fatalf("seed %d: no forecast of %+v", seed, g)
		}
		if f.Low.Seconds() <= truth+2 && truth-2 <= f.High.Seconds() {
			covered++
		}
		if math.Abs(f.In.Seconds()-truth) <= 0.1*truth {
			near++
		}
	}
	if covered < 93*n/100 || near < n {
		t.Errorf("%d of %d forecasts cover the truth, %d are within 10 %%", covered, n, near)
	}
}

func TestShortWatchIsInconclusive(t *testing.T) {
	p := process{seconds: 12, leaks: 60}
	g := leak.EstimateGrowth(p.watch(1), 1)
	if g.Cause != leak.Undecided || g.Longer != 18*time.Second || g.PerMinute != nil {
		t.Errorf("%+v, want inconclusive, and 18 s longer", g)
	}
	if _, ok := g.PredictExhaustion(100); ok {
		t.Error("a forecast without a leak")
	}
	if g := leak.EstimateGrowth(nil, 1); g.Cause != leak.Undecided || g.Longer != 0 {
		t.Errorf("no observations: %+v", g)
	}
}

func TestExhaustionOfASlowLeakDoesNotOverflow(t *testing.T) {
	g := leak.EstimateGrowth(process{seconds: 3600, leaks: 0.2}.watch(1), 1)
	if f, ok := g.PredictExhaustion(1e9); ok {
		t.Errorf("cause %s, limit reached in %v, want never", g.Cause, f.In)
	}
}
