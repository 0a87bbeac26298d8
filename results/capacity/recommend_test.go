package capacity_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// system is a simulated system.
type system struct {
	law     capacity.USL
	sigma   float64 // noise of a trial, nine tenths of which a block shares
	nofile  int
	blocks  int
	limits  []float64
	slow    string // the stage that takes longer at higher limits
	p99     time.Duration
	failing func(limit int) int // out of 400 items
	change  func(limit int, t *results.Trial)
}

const itemsOfTrial = 400

// sweep returns the plan of a system without conclusions.
func (s system) sweep(t testing.TB) *capacity.Limits {
	t.Helper()
	if s.blocks == 0 {
		s.blocks = capacity.MinReachBlocks
	}
	if s.limits == nil {
		s.limits = powers
	}
	if s.nofile == 0 {
		s.nofile = 4096
	}
	l := &capacity.Limits{Kind: capacity.KindLimits, Sampled: true, Strategy: "bounded", MaxLimit: 1000, Seed: 1, Terms: capacity.NewTerms(s.p99, s.nofile, 4)}
	rng := rand.New(rand.NewPCG(3, 4))
	noise := make([]float64, s.blocks)
	for b := range noise {
		noise[b] = rng.NormFloat64()
	}
	alone := time.Duration(float64(time.Second) / s.law.At(1))
	for _, n := range s.limits {
		var trials []results.Trial
		for b := range s.blocks {
			x := s.law.At(n) * math.Exp(s.sigma*(noise[b]+0.1*rng.NormFloat64()))
			item, failed := time.Duration(n/x*float64(time.Second)), 0
			if s.failing != nil {
				failed = s.failing(int(n))
			}
			stage := map[string]time.Duration{"fetch": alone * 9 / 10, "write": alone / 10}
			stage[s.slow] += max(0, item-alone)
			trial := results.Trial{
				Index: len(trials), Block: b, Variant: "bounded", Items: itemsOfTrial, Outcome: results.OutcomeOK,
				Makespan:  time.Duration(itemsOfTrial / x * 1.2 * float64(time.Second)), // slots are empty at the end
				ItemsDone: new(itemsOfTrial - failed), ItemsFailed: &failed,
				Stages: map[string]results.Histogram{
					"queue": runtest.Constant(time.Millisecond, itemsOfTrial),
					"item":  runtest.Constant(item, itemsOfTrial), "fetch": runtest.Constant(stage["fetch"], itemsOfTrial), "write": runtest.Constant(stage["write"], itemsOfTrial),
				},
				Descriptors: results.Descriptors{
					Baseline: 8, Samples: 9, Peak: 8 + 2*int(n) + scenarios.MonitorConns,
					Inside: &results.Kinds{Upstream: int(n), Mongo: int(n) + scenarios.MonitorConns},
				},
				Documents: &results.Documents{},
			}
			queue := trial.Stages["queue"]
			queue.Max = time.Duration((itemsOfTrial - n) / x * float64(time.Second)) // the start of the last item
			trial.Stages["queue"] = queue
			if failed > 0 {
				trial.Errors = []results.ErrorCount{{Type: "timeout", Side: "mongo", Count: failed}}
			}
			if s.change != nil {
				s.change(int(n), &trial)
			}
			trials = append(trials, trial)
		}
		p, err := capacity.NewLimitPoint(int(n), l.Strategy, trials)
		if err != nil {
			t.Fatal(err)
		}
		l.Points = append(l.Points, p)
	}
	return l
}

// The model peaks at √(0.98/2e-4) = 70 and reaches 95 % of it from about 43: 64 is the
// first tested limit above.
var peaked = capacity.USL{Gamma: 40, Alpha: 0.02, Beta: 2e-4}

func TestRecommendation(t *testing.T) {
	rising := capacity.USL{Gamma: 40}
	for name, test := range map[string]struct {
		system
		limit, upTo, peak int
		passed            bool
		binding           capacity.Resource
		detail            string
		exit              int
	}{
		"the peak was passed":       {system{law: peaked, sigma: 0.03, slow: "write"}, 64, 64, 64, true, capacity.Database, "a write took", 0},
		"fetches get slower":        {system{law: peaked, sigma: 0.03, slow: "fetch"}, 64, 64, 64, true, capacity.Upstream, "a fetch took", 0},
		"any from 64 on do":         {system{law: capacity.USL{Gamma: 40, Alpha: 0.3, Beta: 1e-6}, slow: "write"}, 64, 256, 256, false, capacity.Database, "", 0},
		"descriptors end it":        {system{law: peaked, sigma: 0.01, slow: "write", nofile: 100}, 16, 16, 64, true, capacity.Descriptors, "at 32, 74 open, more than 70 of 100", 1},
		"noise does not hide it":    {system{law: peaked, sigma: 0.2, slow: "write"}, 64, 64, 64, true, capacity.Database, "", 0},
		"nothing gives out":         {system{law: rising, sigma: 0.01, limits: powers[:6]}, 32, 32, 32, false, capacity.Limit, "no bottleneck up to 32", 3},
		"p99 is too long":           {system{law: peaked, sigma: 0.01, slow: "write", p99: 40 * time.Millisecond}, 16, 16, 64, true, capacity.Database, "", 1},
		"too few trials":            {system{law: peaked, blocks: 5}, 0, 0, 0, false, "", "", 3},
		"the SUT has no CPU left":   {system{law: peaked, sigma: 0.01, slow: "write", change: busy}, 64, 64, 64, true, capacity.CPU, "used 3.8 of 4 cores", 0},
		"items fail from 64 on":     {system{law: peaked, sigma: 0.01, slow: "write", failing: failing(64, 40)}, 32, 32, 32, true, capacity.Database, "failed", 0},
		"a few items may fail":      {system{law: peaked, sigma: 0.01, slow: "write", failing: failing(64, 4)}, 64, 64, 64, true, capacity.Database, "", 0},
		"documents are lost":        {system{law: peaked, sigma: 0.01, slow: "write", change: lost}, 32, 32, 64, true, capacity.Database, "", 1},
		"EMFILE":                    {system{law: peaked, sigma: 0.01, slow: "write", change: emfile, nofile: 128}, 1, 1, 1, false, capacity.Descriptors, "EMFILE", 0},
		"no port is left":           {system{law: peaked, sigma: 0.01, slow: "write", change: ports}, 1, 1, 1, false, capacity.Ports, "at 2, 400 items failed without a free local port (EADDRNOTAVAIL)", 0},
		"nothing could be measured": {system{law: peaked, change: crash}, 0, 0, 0, false, "", "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			l := test.sweep(t)
			l.Conclude()
			r := l.Recommendation
			if r == nil {
				if l.Exit != test.exit || test.peak != 0 {
					t.Fatalf("no recommendation, exit code %d", l.Exit)
				}
				return
			}
			if r.Limit != test.limit || r.UpTo != test.upTo || r.Peak != test.peak || r.Passed != test.passed || l.Exit != test.exit {
				t.Errorf("%d up to %d, peak at %d, passed %v, exit code %d, want %d up to %d, %d, %v, %d",
					r.Limit, r.UpTo, r.Peak, r.Passed, l.Exit, test.limit, test.upTo, test.peak, test.passed, test.exit)
			}
			if r.Bottleneck.Resource != test.binding || !strings.Contains(r.Bottleneck.Detail, test.detail) {
				t.Errorf("binding %+v, want %s with %q", r.Bottleneck, test.binding, test.detail)
			}
			if m := l.Model; m != nil && m.Peak != nil && (!test.passed || m.Peak.Estimate > float64(m.Residuals[len(m.Residuals)-1].Limit)) {
				t.Errorf("the model's peak is %v, passed %v, beyond the fitted range", m.Peak, test.passed)
			}
			if m := l.Model; name == "the peak was passed" && (m == nil || m.Peak == nil || math.Abs(m.Peak.Estimate-70) > 5) {
				t.Errorf("model %+v, want its peak at 70", m)
			}
			for _, p := range l.Points {
				t.Log(p.Limit, p.Violations)
			}
		})
	}
}

func busy(limit int, t *results.Trial) {
	t.Resources.UserCPU = time.Duration(float64(t.Makespan) * min(3.8, float64(limit)))
}

func lost(limit int, t *results.Trial) { t.Documents.Lost = limit / 64 }

func crash(_ int, t *results.Trial) { t.Outcome, t.Reason = results.OutcomeCrashed, "exit status 2" }

func emfile(limit int, t *results.Trial) {
	if limit >= 2 {
		*t.ItemsDone, t.ItemsFailed = itemsOfTrial-50, new(50)
		t.Errors = []results.ErrorCount{{Type: "emfile", Side: "mongo", Count: 50}}
	}
}

func ports(limit int, t *results.Trial) {
	if limit >= 2 {
		*t.ItemsDone, t.ItemsFailed = itemsOfTrial-50, new(50)
		t.Errors = []results.ErrorCount{{Type: "ports", Side: "upstream", Count: 20}, {Type: "ports", Side: "mongo", Count: 30}}
	}
}

func failing(from, items int) func(int) int {
	return func(limit int) int {
		if limit >= from {
			return items
		}
		return 0
	}
}

// An upstream that refuses requests above its rate at once, in the middle of a trial,
// does not increase throughput, however early the items end.
func TestRefusalsAreNoThroughput(t *testing.T) {
	l := system{law: peaked, sigma: 0.01, limits: []float64{1, 4, 16, 64}, change: func(limit int, t *results.Trial) {
		if limit < 16 {
			return
		}
		queue := t.Stages["queue"]
		queue.Max /= 20 // all items have started after a moment
		t.Stages["queue"] = queue
		t.Makespan /= 4
		t.ItemsDone, t.ItemsFailed = new(20), new(itemsOfTrial-20)
		t.Errors = []results.ErrorCount{{Type: "http_4xx", Side: "upstream", Count: itemsOfTrial - 20}}
	}}.sweep(t)
	l.Conclude()
	for _, p := range l.Points[2:] {
		trial := float64(p.Items) / p.Throughput.Estimate
		if done := 20 / p.Throughput.Estimate; p.Throughput.Estimate > l.Points[1].Throughput.Estimate || done < 0.01 || trial < 0.1 {
			t.Errorf("%d: %.3g/s, and 20 of 400 items were done", p.Limit, p.Throughput.Estimate)
		}
	}
	r := l.Recommendation
	if r.Limit != 4 || r.Peak != 4 || l.Exit != 0 || r.Bottleneck.Resource != capacity.Upstream || !strings.Contains(r.Bottleneck.Detail, "upstream http_4xx") {
		t.Errorf("%+v, exit code %d", r, l.Exit)
	}
	if low, high, ok := l.Gap(); !ok || low != 4 || high != 16 || !strings.Contains(strings.Join(r.Notes, ""), "no limit between 4 and 16 was tested") {
		t.Errorf("gap %d to %d, %v; notes %q", low, high, ok, r.Notes)
	}
}

// A trial whose program exceeded its limit, or did not fetch its items, is not a
// measurement: it is fast for the wrong reason.
func TestDoubtfulTrialsAreNotMeasured(t *testing.T) {
	for want, change := range map[string]func(*results.Trial){
		"exceeded its declared limit":           func(t *results.Trial) { t.Overrun = &results.Overrun{} },
		"did not fetch every item":              func(t *results.Trial) { t.Upstream = &results.UpstreamStats{} },
		"reported more items than it was given": func(t *results.Trial) { t.ItemsDone = new(itemsOfTrial + 1) },
	} {
		l := system{law: peaked, sigma: 0.01, limits: []float64{1, 16, 64}, change: func(limit int, t *results.Trial) {
			if limit == 64 {
				change(t)
			}
		}}.sweep(t)
		l.Conclude()
		p := l.Points[2]
		if p.Throughput != nil || !slices.Equal(p.Why, []string{want}) || l.Recommendation.Limit == 64 {
			t.Errorf("%s: throughput %v, reasons %q, recommended %d", want, p.Throughput, p.Why, l.Recommendation.Limit)
		}
	}
}

// If other programs keep the machine busy, its CPU is not reported as our bottleneck.
func TestWorkOfOtherProgramsIsNotCounted(t *testing.T) {
	for others, want := range map[float64]capacity.Resource{0.02: capacity.CPU, 0.6: capacity.Database} {
		l := system{law: peaked, sigma: 0.01, slow: "write", change: func(_ int, t *results.Trial) {
			t.Machine = &results.Conditions{Span: t.Makespan, Others: &others}
		}}.sweep(t)
		for i := range l.Points {
			busy := map[int]float64{}
			for _, r := range l.Points[i].Runs {
				busy[r.Trial] = 0.99
			}
			l.Points[i].SetBusy(busy)
		}
		l.Conclude()
		if b := l.Recommendation.Bottleneck; b.Resource != want || strings.Contains(b.Detail, "other programs used 60 %") != (others > 0.5) {
			t.Errorf("others %v: %+v, want %s", others, b, want)
		}
	}
}

// The settings are the measured ones of the limit.
func TestConfig(t *testing.T) {
	l := system{law: peaked, sigma: 0.01, slow: "write"}.sweep(t)
	l.Conclude()
	want := &capacity.Config{MaxConnsPerHost: 64, MaxPoolSize: 64, Open: 138, NoFile: 256} // 138 descriptors open of 198 allowed
	if diff := cmp.Diff(want, l.Recommendation.Config); diff != "" {
		t.Error(diff)
	}
	if got, want := l.Recommendation.FreeDescriptors, 2867-138; got != want {
		t.Errorf("%d free, want %d", got, want)
	}
}

// Little's law shows that not all slots were in use.
func TestLittle(t *testing.T) {
	l := system{law: peaked, change: func(limit int, t *results.Trial) {
		if limit == 64 {
			queue := t.Stages["queue"]
			queue.Max += queue.Max / 10
			t.Stages["queue"] = queue
		}
	}}.sweep(t)
	for _, p := range l.Points {
		want := p.Limit == 64
		if p.Idle() != want || p.LittleDeviation == nil || math.Abs(p.InFlight-float64(p.Limit)*(1+*p.LittleDeviation)) > 1e-9 {
			t.Errorf("%d: %v in flight, off by %v", p.Limit, p.InFlight, *p.LittleDeviation)
		}
	}
}

// A recommended limit violates nothing, and each lower limit violates something. A stored
// plan leads to the same conclusions.
func TestRecommendationHolds(t *testing.T) {
	for seed := range uint64(10) { // few seeds, because each plan is fitted twice
		r := rand.New(rand.NewPCG(seed, 1))
		s := system{
			law:   capacity.USL{Gamma: 40, Alpha: r.Float64() / 2, Beta: r.Float64() / 100},
			sigma: r.Float64() / 5, nofile: 20 + r.IntN(500), p99: time.Duration(r.IntN(100)) * time.Millisecond,
			slow: "fetch", limits: powers[:5],
		}
		l := s.sweep(t)
		l.Conclude()
		rec := l.Recommendation
		below := true
		for _, p := range l.Points {
			switch {
			case p.Limit == rec.Limit && rec.Compromise:
				below = false
			case p.Limit == rec.Limit:
				below = false
				if len(p.Violations) > 0 || p.Limit != rec.Peak && p.Reach.Share.Low < 0.95 {
					t.Fatalf("%d is recommended: %v", p.Limit, p.Violations)
				}
			case below && len(p.Violations) == 0:
				t.Fatalf("%d breaks nothing, %d is recommended", p.Limit, rec.Limit)
			}
		}
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		var again capacity.Limits
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(again.Points)
		again.Conclude()
		if diff := cmp.Diff(l, &again); diff != "" {
			t.Fatal(diff)
		}
	}
}

// An interrupted search has the results so far and its own exit code.
func TestInterruptedSweep(t *testing.T) {
	l := system{law: peaked, sigma: 0.01}.sweep(t)
	l.Interrupted = true
	if l.Conclude(); l.Exit != 4 || l.Recommendation == nil || l.Recommendation.Limit != 64 {
		t.Errorf("exit code %d, %+v", l.Exit, l.Recommendation)
	}
}
