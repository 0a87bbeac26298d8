package search_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"floodgate/bench/search"
	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results/capacity"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

func drawnBounds(t *rapid.T) search.RateBounds {
	least := rapid.Float64Range(0.1, 10).Draw(t, "least")
	start := least * rapid.Float64Range(1, 20).Draw(t, "start")
	return search.RateBounds{
		Min: least, Start: start, Max: start * rapid.Float64Range(1, 500).Draw(t, "most"),
		Window: 5 * time.Second, Confirm: 15 * time.Second, Repeats: rapid.IntRange(1, 5).Draw(t, "repeats"),
	}
}

// searched runs a search against a system and checks its invariants.
func searched(t *rapid.T, o search.RateBounds, system func(search.Probe) verdict.Decision) capacity.Rate {
	s, err := search.NewRateSearch(o)
	if err != nil {
		t.Fatal(err)
	}
	most, err := o.Probes()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		p, more := s.Next()
		if !more {
			break
		}
		if n++; n > most {
			t.Fatalf("more than %d probes", most)
		}
		if r := s.Result(); r.End != capacity.Unfinished || r.Confirmed != 0 || len(r.Points) != n-1 {
			t.Fatalf("in the middle, after %d points: %+v", n-1, r)
		}
		if p.Rate < o.Min || p.Rate > o.Max || p.Confirms != (p.Window == o.Confirm) {
			t.Fatalf("probe %+v outside %v to %v", p, o.Min, o.Max)
		}
		s.Add(capacity.Point{Decision: system(p)})
	}
	r := s.Result()
	if len(r.Points) != n {
		t.Fatalf("%d points of %d probes", len(r.Points), n)
	}
	checkRate(t, o, r)
	return r
}

// checkRate compares the result with its points.
func checkRate(t *rapid.T, o search.RateBounds, r capacity.Rate) {
	last := r.Points[len(r.Points)-1]
	switch r.End {
	case capacity.Confirmed, capacity.AtLeast:
		if repeats := max(o.Repeats, 1); r.Confirmations != repeats || len(r.Points) < repeats {
			t.Fatalf("confirmed by %d windows, want %d", r.Confirmations, repeats)
		}
		for _, p := range r.Points[len(r.Points)-r.Confirmations:] {
			if !p.Confirms || p.Decision != verdict.Passed || p.Rate != r.Confirmed {
				t.Fatalf("confirmed %v by %d windows, one of which is %+v", r.Confirmed, r.Confirmations, p)
			}
		}
		if r.End == capacity.AtLeast && (r.Confirmed != o.Max || r.Failed != 0) {
			t.Fatalf("at least %v of %v, %v failed", r.Confirmed, o.Max, r.Failed)
		}
		if r.End == capacity.Confirmed && r.Failed <= r.Confirmed {
			t.Fatalf("confirmed %v, failed %v", r.Confirmed, r.Failed)
		}
		if limit := 1.25; r.End == capacity.Confirmed && r.Failed/r.Confirmed > limit {
			t.Fatalf("confirmed %v, failed %v: more than %v apart", r.Confirmed, r.Failed, limit)
		}
	case capacity.Below:
		if last.Rate != o.Min || last.Decision != verdict.Failed {
			t.Fatalf("below %v, the last point is %+v", o.Min, last)
		}
	case capacity.Undecided:
		if last := invalid(r); last == 0 {
			t.Fatal("undecided, though no point was invalid")
		}
	}
	if r.Confirmed != 0 && r.End != capacity.Confirmed && r.End != capacity.AtLeast {
		t.Fatalf("%s, and yet a rate: %v", r.End, r.Confirmed)
	}
}

func invalid(r capacity.Rate) (n int) {
	for _, p := range r.Points {
		if p.Decision == verdict.Inconclusive {
			n++
		}
	}
	return n
}

// A sharp capacity is found within the ratio.
func TestRateSearchFindsASharpCapacity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawnBounds(t)
		sharp := o.Min * math.Exp(rapid.Float64Range(-1, math.Log(o.Max/o.Min)+1).Draw(t, "capacity"))
		r := searched(t, o, func(p search.Probe) verdict.Decision {
			if p.Rate <= sharp {
				return verdict.Passed
			}
			return verdict.Failed
		})
		switch {
		case sharp < o.Min:
			if r.End != capacity.Below {
				t.Fatalf("capacity %v below %v: %+v", sharp, o.Min, r)
			}
		case sharp >= o.Max:
			if r.End != capacity.AtLeast {
				t.Fatalf("capacity %v above %v: %+v", sharp, o.Max, r)
			}
		case r.End != capacity.Confirmed || r.Confirmed > sharp || r.Failed <= sharp || r.Failed > r.Confirmed*1.1:
			t.Fatalf("capacity %v: %+v", sharp, r)
		}
	})
}

// A short window hides a slowly growing queue; the longer window reveals it.
func TestRateSearchStepsDownWhenTheLongerWindowFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawnBounds(t)
		o.Min, o.Max = o.Start/100, o.Start*100
		sustained := o.Start * rapid.Float64Range(0.1, 10).Draw(t, "capacity")
		hidden := rapid.Float64Range(1, 1.5).Draw(t, "hidden")
		r := searched(t, o, func(p search.Probe) verdict.Decision {
			if p.Rate <= sustained || !p.Confirms && p.Rate <= sustained*hidden {
				return verdict.Passed
			}
			return verdict.Failed
		})
		if r.End != capacity.Confirmed || r.Confirmed > sustained || r.Confirmed < sustained*0.88 {
			t.Fatalf("capacity %v, hidden up to %v: %+v", sustained, sustained*hidden, r)
		}
	})
}

// The result is within 10 % of the highest rate that meets a p99 for the longer window, for
// a service with slots: above its capacity, the queue grows by the excess.
func TestRateSearchOfAServiceWithSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.Float64Range(20, 400).Draw(t, "capacity")
		wait := rapid.Float64Range(0.02, 0.3).Draw(t, "wait that meets the p99, in seconds")
		highest := func(window time.Duration) float64 { return slots * (1 + wait/(0.99*window.Seconds())) }
		o := search.RateBounds{Min: 1, Start: rapid.Float64Range(1, 200).Draw(t, "start"), Max: 1000, Window: 5 * time.Second, Confirm: 15 * time.Second}
		r := searched(t, o, func(p search.Probe) verdict.Decision {
			if p.Rate <= highest(p.Window) {
				return verdict.Passed
			}
			return verdict.Failed
		})
		if want := highest(o.Confirm); r.End != capacity.Confirmed || r.Confirmed > want || r.Confirmed < 0.9*want {
			t.Fatalf("the service sustains %v: %+v", want, r)
		}
	})
}

// A rate at which a share of the windows passes that [capacity.Rates.PassingWindows] excludes
// is confirmed with a probability of at most 5 %.
func TestConfirmationsExclude(t *testing.T) {
	const searches, repeats = 2000, 5
	plan := capacity.Rates{Repeats: repeats}
	rng, confirmed := rand.New(rand.NewPCG(1, 2)), 0
	for range searches {
		s, err := search.NewRateSearch(search.RateBounds{Min: 1, Start: 10, Max: 10, Window: time.Second, Confirm: 3 * time.Second, Repeats: repeats, Confirmations: 1})
		if err != nil {
			t.Fatal(err)
		}
		for p, more := s.Next(); more; p, more = s.Next() {
			decision := verdict.Passed
			if p.Confirms && rng.Float64() > plan.PassingWindows() {
				decision = verdict.Failed
			}
			s.Add(capacity.Point{Decision: decision})
		}
		if s.Result().Confirmed > 0 {
			confirmed++
		}
	}
	if i, err := stats.Binomial(confirmed, searches, 0.99); err != nil || i.Low > 0.05 || i.High < 0.05 {
		t.Errorf("confirmed in %d of %d searches: %+v, %v, want 5 %%", confirmed, searches, i, err)
	}
}

// With any system, the search ends, and its result agrees with its points.
func TestRateSearchOfANoisySystem(t *testing.T) {
	ends := map[capacity.End]int{}
	rapid.Check(t, func(t *rapid.T) {
		o := drawnBounds(t)
		middle := o.Min * math.Exp(rapid.Float64Range(-1, math.Log(o.Max/o.Min)+1).Draw(t, "middle"))
		slope := rapid.Float64Range(0.5, 30).Draw(t, "slope")
		doubt := rapid.SampledFrom([]float64{0, 0, 0.02, 0.3}).Draw(t, "doubt")
		r := searched(t, o, func(p search.Probe) verdict.Decision {
			if rapid.Float64Range(0, 1).Draw(t, "valid") < doubt {
				return verdict.Inconclusive
			}
			if rapid.Float64Range(0, 1).Draw(t, "luck")*(1+math.Pow(p.Rate/middle, slope)) < 1 {
				return verdict.Passed
			}
			return verdict.Failed
		})
		ends[r.End]++
	})
	t.Log(ends)
}

// Rates above the capacity of the generator or the mock are inconclusive, so there is no
// result unless a rate fails below that.
func TestRateSearchBelowWhatCanBeMeasured(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawnBounds(t)
		o.Min, o.Max = o.Start/100, o.Start*100
		sharp := o.Start * rapid.Float64Range(0.1, 10).Draw(t, "capacity")
		measurable := o.Start * rapid.Float64Range(0.1, 10).Draw(t, "measurable")
		r := searched(t, o, func(p search.Probe) verdict.Decision {
			switch {
			case p.Rate > measurable:
				return verdict.Inconclusive
			case p.Rate > sharp:
				return verdict.Failed
			}
			return verdict.Passed
		})
		switch {
		case measurable <= sharp && (r.End != capacity.Undecided || r.Confirmed != 0 || r.Met > measurable || r.Met < measurable/1.2):
			t.Fatalf("capacity %v, measurable up to %v: %+v", sharp, measurable, r)
		case measurable > sharp*1.12 && (r.End != capacity.Confirmed || r.Confirmed > sharp || r.Failed > measurable):
			t.Fatalf("capacity %v, measurable up to %v: %+v", sharp, measurable, r)
		}
	})
}

// Transient noise does not keep a search from finding a higher rate.
func TestRateSearchOutlivesNoise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawnBounds(t)
		o.Min, o.Max = o.Start/100, o.Start*100
		sharp := o.Start * rapid.Float64Range(0.2, 10).Draw(t, "capacity")
		noisy := rapid.IntRange(1, 3).Draw(t, "noisy")
		r := searched(t, o, func(p search.Probe) verdict.Decision {
			switch noisy--; {
			case noisy >= 0:
				return verdict.Inconclusive
			case p.Rate > sharp:
				return verdict.Failed
			}
			return verdict.Passed
		})
		if r.End != capacity.Confirmed || r.Confirmed > sharp || r.Failed <= sharp {
			t.Fatalf("capacity %v: %+v", sharp, r)
		}
	})
}

// An inconclusive confirmation only costs accuracy.
func TestRateSearchSurvivesADoubtfulConfirmation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawnBounds(t)
		o.Min, o.Max = o.Start/100, o.Start*100
		sharp := o.Start * rapid.Float64Range(0.1, 10).Draw(t, "capacity")
		doubted := false
		r := searched(t, o, func(p search.Probe) verdict.Decision {
			switch {
			case p.Confirms && !doubted:
				doubted = true
				return verdict.Inconclusive
			case p.Rate > sharp:
				return verdict.Failed
			}
			return verdict.Passed
		})
		if r.End != capacity.Confirmed || r.Confirmed > sharp || r.Failed <= sharp || invalid(r) != 1 {
			t.Fatalf("capacity %v: %+v", sharp, r)
		}
	})
}

func TestRateSearchRefusesBadOptions(t *testing.T) {
	good := search.RateBounds{Start: 2, Min: 1, Max: 4, Window: 1, Confirm: 2}
	for name, change := range map[string]func(*search.RateBounds){
		"no least": func(o *search.RateBounds) { o.Min = 0 }, "start below least": func(o *search.RateBounds) { o.Start = 0.5 },
		"most below start": func(o *search.RateBounds) { o.Max = 1 }, "infinite": func(o *search.RateBounds) { o.Max = math.Inf(1) },
		"not a number": func(o *search.RateBounds) { o.Start = math.NaN() }, "ratio": func(o *search.RateBounds) { o.Ratio = 1 },
		"gap": func(o *search.RateBounds) { o.Gap = 1.05 }, "step": func(o *search.RateBounds) { o.Step = 1.05 }, "window": func(o *search.RateBounds) { o.Window = 0 },
		"confirm": func(o *search.RateBounds) { o.Confirm = o.Window / 2 }, "confirmations": func(o *search.RateBounds) { o.Confirmations = -1 },
	} {
		o := good
		change(&o)
		if _, err := search.NewRateSearch(o); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := o.Probes(); err == nil {
			t.Errorf("%s: counted", name)
		}
	}
	if _, err := search.NewRateSearch(good); err != nil {
		t.Error(err)
	}
}
