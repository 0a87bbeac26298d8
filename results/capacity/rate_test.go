package capacity_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"floodgate/results/capacity"
	"floodgate/results/verdict"
)

func searchOptions(t *rapid.T) capacity.SearchOptions {
	least := rapid.Float64Range(0.1, 10).Draw(t, "least")
	start := least * rapid.Float64Range(1, 20).Draw(t, "start")
	return capacity.SearchOptions{
		Least: least, Start: start, Most: start * rapid.Float64Range(1, 500).Draw(t, "most"),
		Window: 5 * time.Second, Confirm: 15 * time.Second,
	}
}

// search runs to the end against a system, and checks what holds of any search.
func search(t *rapid.T, o capacity.SearchOptions, system func(capacity.Probe) verdict.Decision) capacity.Rate {
	s, err := capacity.NewSearch(o)
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
		if p.Rate < o.Least || p.Rate > o.Most || p.Confirms != (p.Window == o.Confirm) {
			t.Fatalf("probe %+v outside %v to %v", p, o.Least, o.Most)
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

// checkRate holds the result against its own points.
func checkRate(t *rapid.T, o capacity.SearchOptions, r capacity.Rate) {
	last := r.Points[len(r.Points)-1]
	switch r.End {
	case capacity.Confirmed, capacity.AtLeast:
		if !last.Confirms || last.Decision != verdict.Passed || last.Rate != r.Confirmed {
			t.Fatalf("confirmed %v, the last point is %+v", r.Confirmed, last)
		}
		if r.End == capacity.AtLeast && (r.Confirmed != o.Most || r.Failed != 0) {
			t.Fatalf("at least %v of %v, %v failed", r.Confirmed, o.Most, r.Failed)
		}
		if r.End == capacity.Confirmed && r.Failed <= r.Confirmed {
			t.Fatalf("confirmed %v, failed %v", r.Confirmed, r.Failed)
		}
		if limit := 1.25; r.End == capacity.Confirmed && r.Failed/r.Confirmed > limit {
			t.Fatalf("confirmed %v, failed %v: more than %v apart", r.Confirmed, r.Failed, limit)
		}
	case capacity.Below:
		if last.Rate != o.Least || last.Decision != verdict.Failed {
			t.Fatalf("below %v, the last point is %+v", o.Least, last)
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

// A system with a sharp capacity: it is found, within the ratio.
func TestSearchFindsASharpCapacity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := searchOptions(t)
		sharp := o.Least * math.Exp(rapid.Float64Range(-1, math.Log(o.Most/o.Least)+1).Draw(t, "capacity"))
		r := search(t, o, func(p capacity.Probe) verdict.Decision {
			if p.Rate <= sharp {
				return verdict.Passed
			}
			return verdict.Failed
		})
		switch {
		case sharp < o.Least:
			if r.End != capacity.Below {
				t.Fatalf("capacity %v below %v: %+v", sharp, o.Least, r)
			}
		case sharp >= o.Most:
			if r.End != capacity.AtLeast {
				t.Fatalf("capacity %v above %v: %+v", sharp, o.Most, r)
			}
		case r.End != capacity.Confirmed || r.Confirmed > sharp || r.Failed <= sharp || r.Failed > r.Confirmed*1.1:
			t.Fatalf("capacity %v: %+v", sharp, r)
		}
	})
}

// A window hides a queue that grows slowly; the longer one does not.
func TestSearchStepsDownWhenTheLongerWindowFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := searchOptions(t)
		o.Least, o.Most = o.Start/100, o.Start*100
		sustained := o.Start * rapid.Float64Range(0.1, 10).Draw(t, "capacity")
		hidden := rapid.Float64Range(1, 1.5).Draw(t, "hidden")
		r := search(t, o, func(p capacity.Probe) verdict.Decision {
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

// Whatever a system says, the search ends, and its result stands in its points.
func TestSearchOfANoisySystem(t *testing.T) {
	ends := map[capacity.End]int{}
	rapid.Check(t, func(t *rapid.T) {
		o := searchOptions(t)
		middle := o.Least * math.Exp(rapid.Float64Range(-1, math.Log(o.Most/o.Least)+1).Draw(t, "middle"))
		slope := rapid.Float64Range(0.5, 30).Draw(t, "slope")
		doubt := rapid.SampledFrom([]float64{0, 0, 0.02, 0.3}).Draw(t, "doubt")
		r := search(t, o, func(p capacity.Probe) verdict.Decision {
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

// Above what generator or mock can do nobody can tell: no rate, unless it
// fails below that.
func TestSearchBelowWhatCanBeMeasured(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := searchOptions(t)
		o.Least, o.Most = o.Start/100, o.Start*100
		sharp := o.Start * rapid.Float64Range(0.1, 10).Draw(t, "capacity")
		measurable := o.Start * rapid.Float64Range(0.1, 10).Draw(t, "measurable")
		r := search(t, o, func(p capacity.Probe) verdict.Decision {
			switch {
			case p.Rate > measurable:
				return verdict.Inconclusive
			case p.Rate > sharp:
				return verdict.Failed
			}
			return verdict.Passed
		})
		switch {
		case measurable <= sharp && (r.End != capacity.Undecided || r.Confirmed != 0 || r.Held > measurable || r.Held < measurable/1.2):
			t.Fatalf("capacity %v, measurable up to %v: %+v", sharp, measurable, r)
		case measurable > sharp*1.12 && (r.End != capacity.Confirmed || r.Confirmed > sharp || r.Failed > measurable):
			t.Fatalf("capacity %v, measurable up to %v: %+v", sharp, measurable, r)
		}
	})
}

// Noise that passes does not keep a search from what is above it.
func TestSearchOutlivesNoise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := searchOptions(t)
		o.Least, o.Most = o.Start/100, o.Start*100
		sharp := o.Start * rapid.Float64Range(0.2, 10).Draw(t, "capacity")
		noisy := rapid.IntRange(1, 3).Draw(t, "noisy")
		r := search(t, o, func(p capacity.Probe) verdict.Decision {
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

// Noise for which one confirmation cannot be believed costs accuracy alone.
func TestSearchSurvivesADoubtfulConfirmation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := searchOptions(t)
		o.Least, o.Most = o.Start/100, o.Start*100
		sharp := o.Start * rapid.Float64Range(0.1, 10).Draw(t, "capacity")
		doubted := false
		r := search(t, o, func(p capacity.Probe) verdict.Decision {
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

func TestSearchRefusesBadOptions(t *testing.T) {
	good := capacity.SearchOptions{Start: 2, Least: 1, Most: 4, Window: 1, Confirm: 2}
	for name, change := range map[string]func(*capacity.SearchOptions){
		"no least": func(o *capacity.SearchOptions) { o.Least = 0 }, "start below least": func(o *capacity.SearchOptions) { o.Start = 0.5 },
		"most below start": func(o *capacity.SearchOptions) { o.Most = 1 }, "infinite": func(o *capacity.SearchOptions) { o.Most = math.Inf(1) },
		"not a number": func(o *capacity.SearchOptions) { o.Start = math.NaN() }, "ratio": func(o *capacity.SearchOptions) { o.Ratio = 1 },
		"gap": func(o *capacity.SearchOptions) { o.Gap = 1.05 }, "step": func(o *capacity.SearchOptions) { o.Step = 1.05 }, "window": func(o *capacity.SearchOptions) { o.Window = 0 },
		"confirm": func(o *capacity.SearchOptions) { o.Confirm = o.Window / 2 }, "confirmations": func(o *capacity.SearchOptions) { o.Confirmations = -1 },
	} {
		o := good
		change(&o)
		if _, err := capacity.NewSearch(o); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := o.Probes(); err == nil {
			t.Errorf("%s: counted", name)
		}
	}
	if _, err := capacity.NewSearch(good); err != nil {
		t.Error(err)
	}
}
