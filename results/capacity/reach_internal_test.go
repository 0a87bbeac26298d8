package capacity

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// recordedNoise draws from the makespans of one variant that ran twice in every block, at a
// level that mostly waits.
func recordedNoise(t testing.TB) stats.Noise {
	t.Helper()
	text, err := os.ReadFile("../stats/testdata/noise.json")
	if err != nil {
		t.Fatal(err)
	}
	var recording struct{ Pairs map[string][]float64 }
	if err := json.Unmarshal(text, &recording); err != nil {
		t.Fatal(err)
	}
	noise, err := stats.RecordedNoise(recording.Pairs["items=100 upstream.latency.median=50ms"], 10)
	if err != nil {
		t.Fatal(err)
	}
	return noise
}

// program simulates a program whose throughput at each limit is a share of the highest one.
type program struct {
	shares map[int]float64
	noise  stats.Noise
	rng    *rand.Rand

	plan  *Limits
	block int
	drift float64 // of the machine, which the limits of a block share

	highest float64 // of the shares
	side    float64 // 1 or -1: which side of a recorded pair is which
}

func newProgram(noise stats.Noise, shares map[int]float64, seed uint64) *program {
	p := &program{shares: shares, noise: noise, rng: rand.New(rand.NewPCG(seed, 1)), side: float64(1 - 2*int(seed%2)), plan: &Limits{Strategy: "bounded", Terms: NewTerms(0, 4096, 2)}}
	limits := make([]int, 0, len(shares))
	for n := range shares {
		limits = append(limits, n)
	}
	slices.Sort(limits)
	for _, n := range limits {
		p.highest = max(p.highest, shares[n])
		p.plan.Points = append(p.plan.Points, LimitPoint{Limit: n})
	}
	return p
}

// run adds blocks of trials of the limits. The ratio to the highest one varies as in a
// recorded pair, whose sides are interchangeable.
func (p *program) run(limits []int, blocks int) {
	noise := map[int][]float64{}
	for _, n := range limits {
		if noise[n] = make([]float64, blocks); p.shares[n] < p.highest {
			noise[n] = p.noise(p.rng, blocks)
		}
	}
	for b := range blocks {
		p.drift = 0.9*p.drift + 0.03*p.rng.NormFloat64()
		for _, n := range limits {
			at := p.plan.Limit(n)
			at.Runs = append(at.Runs, LimitRun{Block: p.block, Throughput: 1000 * p.shares[n] * math.Exp(p.drift+p.side*noise[n][b])})
			at.Tried++
		}
		p.block++
	}
	for i := range p.plan.Points {
		p.plan.Points[i].Throughput = &stats.Interval{} // there are enough trials
	}
	p.conclude()
}

// conclude does what [Limits.Conclude] does for throughput, without fitting the model.
func (p *program) conclude() {
	effects := p.plan.effects()
	best := p.plan.best(effects)
	p.plan.compareThroughput(best, effects)
	p.plan.setViolations(best)
	p.plan.Recommendation = &Recommendation{Peak: best.Limit}
}

// search tries all limits in the first blocks, and then those that are wanted, and returns
// the recommended limit.
func (p *program) search() int {
	var all []int
	for n := range p.shares {
		all = append(all, n)
	}
	slices.Sort(all)
	p.run(all, MinReachBlocks)
	for limits, blocks := p.plan.Wanted(); limits != nil && p.block < 4*MaxReachBlocks; limits, blocks = p.plan.Wanted() {
		p.run(limits, blocks)
	}
	p.plan.Sampled = true
	p.conclude()
	return p.plan.Points[slices.IndexFunc(p.plan.Points, func(q LimitPoint) bool { return len(q.Violations) == 0 })].Limit
}

// On recorded noise, a limit of 90 % of the highest throughput is recommended in at most
// 2.5 % of the searches, and one of 97 % is found in at least 95 %.
func TestReachOnRecordedNoise(t *testing.T) {
	const searches = 500
	noise := recordedNoise(t)
	for name, test := range map[string]struct {
		shares   map[int]float64
		want     int // the smallest limit that reaches 95 %
		fewest   float64
		mostBad  float64
		boundary bool
	}{
		"90 % is too little":        {map[int]float64{4: 0.3, 8: 0.6, 16: 0.9, 32: 1, 64: 0.95}, 32, 0.975, 0.025, false},
		"two of 90 %":               {map[int]float64{8: 0.9, 16: 0.9, 32: 1}, 32, 0.975, 0.025, false},
		"97 % suffices":             {map[int]float64{4: 0.3, 8: 0.6, 16: 0.97, 32: 1, 64: 0.9}, 16, 0.95, 0.025, false},
		"97 % and 98 % suffice":     {map[int]float64{4: 0.3, 8: 0.97, 16: 0.98, 32: 1, 64: 1}, 8, 0.95, 0, false},
		"94.9 % is just too little": {map[int]float64{16: 0.949, 32: 1}, 32, 0, 0.025, true},
	} {
		t.Run(name, func(t *testing.T) {
			found, bad, blocks := 0, 0, 0
			for seed := range uint64(searches) {
				p := newProgram(noise, test.shares, seed)
				switch got := p.search(); {
				case got == test.want:
					found++
				case got < test.want:
					bad++
				}
				blocks += p.block
			}
			t.Logf("found in %.1f %%, too low in %.1f %%, %d blocks in the mean", 100*float64(found)/searches, 100*float64(bad)/searches, blocks/searches)
			if wrong, err := stats.Binomial(bad, searches, 0.95); err != nil || wrong.Low > test.mostBad || !test.boundary && wrong.Estimate > test.mostBad {
				t.Errorf("a limit that is too low was recommended in %+v of the searches, %v", wrong, err)
			}
			if float64(found) < test.fewest*searches {
				t.Errorf("%d was recommended in %d of %d searches", test.want, found, searches)
			}
		})
	}
}

// No two of ten searches in a row contradict each other: none finds that a limit reaches
// the required share where another finds that it does not.
func TestSearchesAgree(t *testing.T) {
	const rows = 25
	noise := recordedNoise(t)
	shares := map[int]float64{2: 0.2, 4: 0.4, 8: 0.7, 16: 0.9, 32: 0.97, 64: 1}
	for row := range uint64(rows) {
		said := map[int]map[verdict.Word]bool{}
		for i := range uint64(10) {
			p := newProgram(noise, shares, 10*row+i)
			p.search()
			for _, q := range p.plan.Points {
				if q.Reach == nil {
					continue
				}
				if said[q.Limit] == nil {
					said[q.Limit] = map[verdict.Word]bool{}
				}
				said[q.Limit][q.Reach.Decision] = true
			}
		}
		for n, words := range said {
			if words[verdict.Worse] && words[verdict.NotWorse] {
				t.Errorf("row %d: limit %d both reaches 95 %% and does not", row, n)
			}
		}
	}
}

// The state of the machine in a block does not count as that of its limits.
func TestEffectsIgnoreBlocks(t *testing.T) {
	l := &Limits{Points: []LimitPoint{
		{Limit: 1, Runs: []LimitRun{{Block: 0, Throughput: 10}, {Block: 1, Throughput: 20}}},
		{Limit: 2, Runs: []LimitRun{{Block: 0, Throughput: 15}, {Block: 1, Throughput: 30}}},
		{Limit: 4, Runs: []LimitRun{{Block: 1, Throughput: 24}}}, // only in the fast block
	}}
	e := l.effects()
	for n, want := range map[int]float64{1: 1, 2: 1.5, 4: 1.2} {
		if got := math.Exp(e[n] - e[1]); math.Abs(got-want) > 1e-9 {
			t.Errorf("limit %d: %v times limit 1, want %v", n, got, want)
		}
	}
}

// Only limits that may be recommended get further blocks.
func TestWanted(t *testing.T) {
	quiet := stats.NormalNoise(0.001)
	for name, test := range map[string]struct {
		noise  stats.Noise
		shares map[int]float64
		change func(*Limits)
		want   []int
		blocks int
	}{
		"all decided":                    {quiet, map[int]float64{4: 0.5, 8: 0.97, 16: 1}, nil, nil, 0},
		"one is close":                   {stats.NormalNoise(0.05), map[int]float64{4: 0.5, 8: 0.95, 16: 1}, nil, []int{8, 16}, 12},
		"one below one that falls short": {stats.NormalNoise(0.02), map[int]float64{4: 0.95, 8: 0.8, 16: 1}, nil, nil, 0},
		"above the highest":              {stats.NormalNoise(0.05), map[int]float64{8: 1.2, 16: 1.14}, nil, nil, 0},
		"one that violates another term": {stats.NormalNoise(0.05), map[int]float64{8: 0.95, 16: 1}, func(l *Limits) { l.Points[0].Corrupt = 1 }, nil, 0},
		"one that violates another term, above one that may suffice": {stats.NormalNoise(0.05), map[int]float64{4: 0.95, 8: 0.95, 16: 1}, func(l *Limits) { l.Points[1].Corrupt = 1 }, []int{4, 8, 16}, 12},
		"one that was never in its block": {stats.NormalNoise(0.001), map[int]float64{8: 0.97, 16: 1}, func(l *Limits) {
			for i := range l.Points[0].Runs {
				l.Points[0].Runs[i].Block += 100
			}
		}, []int{8, 16}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(test.noise, test.shares, 5)
			var all []int
			for n := range p.shares {
				all = append(all, n)
			}
			slices.Sort(all)
			p.run(all, MinReachBlocks)
			if test.change != nil {
				test.change(p.plan)
				p.conclude()
			}
			if limits, blocks := p.plan.Wanted(); !slices.Equal(limits, test.want) || blocks != test.blocks {
				t.Errorf("%v for %d blocks, want %v for %d", limits, blocks, test.want, test.blocks)
			}
		})
	}
}

// What stays open says about how many blocks would decide it.
func TestUndecidedSaysHowManyBlocks(t *testing.T) {
	p := newProgram(stats.NormalNoise(0.05), map[int]float64{8: 0.97, 16: 1}, 5)
	p.run([]int{8, 16}, MinReachBlocks)
	p.plan.Sampled = true
	p.conclude()
	r := p.plan.Points[0].Reach
	if r.Decision != verdict.Undecided || r.More < 20 {
		t.Fatalf("%+v", r)
	}
	said := p.plan.Points[0].Violations[0].Detail
	if !strings.Contains(said, "is not decided") || !strings.Contains(said, "needs about") {
		t.Error(said)
	}
}
