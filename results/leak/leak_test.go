package leak_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results/leak"
)

// course makes the samples of a trial: reports arrive at a rate with noise,
// each holds some descriptors while it is in flight and leaves some behind;
// pools fill in the beginning.
func course(n int, held, lost float64, seed uint64) []leak.Sample {
	rng := rand.New(rand.NewPCG(seed, 1))
	var samples []leak.Sample
	inFlight, completed := 5.0, 0.0
	for i := range n {
		inFlight = max(0, inFlight+float64(rng.IntN(5)-2)+0.1*(8-inFlight))
		completed += float64(rng.IntN(3)) / 2
		pool := 10 * min(1, float64(i)/float64(n)*8)
		samples = append(samples, leak.Sample{
			At:          time.Duration(i) * 100 * time.Millisecond,
			Descriptors: 9 + pool + math.Round(held*inFlight+lost*completed+rng.NormFloat64()),
			InFlight:    inFlight, Completed: completed,
		})
	}
	return samples
}

func TestInjectedLeakIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lost := rapid.Float64Range(0.5, 8).Draw(t, "lost")
		held := rapid.Float64Range(0, 4).Draw(t, "held")
		f, err := leak.Regress(course(300, held, lost, rapid.Uint64().Draw(t, "seed")), 0.95, 1)
		if err != nil {
			t.Fatal(err)
		}
		if c := f.Cause(); c != leak.Leak && c != leak.Both {
			t.Fatalf("%v lost, %v held a report: cause %s, lost %+v", lost, held, c, f.PerCompleted)
		}
		if got := f.PerCompleted.Estimate; math.Abs(got-lost) > 0.1 {
			t.Fatalf("%v lost a report, found %v", lost, got)
		}
	})
}

func TestLoadIsNoLeak(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		held := rapid.Float64Range(0.5, 30).Draw(t, "held")
		f, err := leak.Regress(course(300, held, 0, rapid.Uint64().Draw(t, "seed")), 0.95, 1)
		if err != nil {
			t.Fatal(err)
		}
		if c := f.Cause(); c != leak.Load {
			t.Fatalf("%v held a report, none lost: cause %s, held %+v, lost %+v", held, c, f.PerInFlight, f.PerCompleted)
		}
	})
}

func TestSteadyIsNeither(t *testing.T) {
	f, err := leak.Regress(course(300, 0, 0, 3), 0.95, 1)
	if err != nil || f.Cause() != leak.Neither {
		t.Errorf("cause %v, %v, want neither", f.Cause(), err)
	}
	if _, hit := f.Completed(256); hit {
		t.Error("the limit is hit without a leak")
	}
}

// The case of 2017: 4 descriptors a report, limit 256, EMFILE at the 55th report.
func TestLeakOf2017(t *testing.T) {
	var samples []leak.Sample
	for i := range 200 {
		at := time.Duration(i) * 100 * time.Millisecond
		completed := math.Floor(2 * at.Seconds())
		inFlight := 1 + float64(i%5%3)
		samples = append(samples, leak.Sample{At: at, Descriptors: 30 + 4*completed + 2*inFlight, InFlight: inFlight, Completed: completed})
	}
	f, err := leak.Regress(samples, 0.95, 1)
	if err != nil {
		t.Fatal(err)
	}
	got := f.Describe(f.Cause(), "report", 256)
	if !strings.HasPrefix(got, "4.0 descriptors leaked per completed report: EMFILE at the 56th report at any load") {
		t.Errorf("%q", got)
	}
	if n, _ := f.Completed(256); math.Abs(n-55.5) > 1 {
		t.Errorf("limit hit after %v reports, want about 56", n)
	}
	if at, hits := f.HitAt(256); !hits || math.Abs(at.Seconds()-27.5) > 1 {
		t.Errorf("limit hit at %v, %v, want about 27.5s", at, hits)
	}
}

func TestDescribeLoad(t *testing.T) {
	f, err := leak.Regress(course(300, 2, 0, 5), 0.95, 1)
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := f.InFlight(256); !ok || math.Abs(n-118) > 3 {
		t.Errorf("limit hit at %v in flight, %v, want about 118", n, ok)
	}
	if got := f.Describe(f.Cause(), "item", 256); !strings.HasPrefix(got, "2.0 descriptors per item in flight: EMFILE at 11") {
		t.Errorf("%q", got)
	}
}

// In flight and completed grow together, as under overload, so they are indistinguishable.
func TestTogetherIsUndecided(t *testing.T) {
	var samples []leak.Sample
	for i := range 300 {
		n := float64(i)
		samples = append(samples, leak.Sample{At: time.Duration(i) * time.Second, Descriptors: 10 + 2*n, InFlight: n, Completed: 3 * n})
	}
	if _, err := leak.Regress(samples, 0.95, 1); !errors.Is(err, leak.ErrTooFew) {
		t.Errorf("error %v, want that it cannot tell", err)
	}
}

func TestTooFew(t *testing.T) {
	for name, samples := range map[string][]leak.Sample{"none": nil, "few": course(20, 1, 1, 1), "nothing happens": make([]leak.Sample, 100)} {
		if _, err := leak.Regress(samples, 0.95, 1); !errors.Is(err, leak.ErrTooFew) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSameSeedSameFit(t *testing.T) {
	samples := course(200, 1, 1, 9)
	a, err1 := leak.Regress(samples, 0.95, 4)
	b, err2 := leak.Regress(samples, 0.95, 4)
	if err1 != nil || err2 != nil || *a.PerCompleted != *b.PerCompleted || *a.PerInFlight != *b.PerInFlight {
		t.Errorf("%+v and %+v", a, b)
	}
}
