package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
)

const ms = time.Millisecond

// started returns the controller of an algorithm with the given settings.
func started(t testing.TB, name string, settings map[string]float64) controller {
	t.Helper()
	a, known := DefineAlgorithm(name)
	if !known {
		t.Fatalf("no algorithm %s", name)
	}
	v, err := a.complete(settings)
	if err != nil {
		t.Fatal(err)
	}
	switch name {
	case "vegas":
		return newVegas(v)
	case "gradient2":
		return newGradient2(v)
	case "aimd":
		return newAIMD(v)
	}
	t.Fatalf("%s has no controller", name)
	return nil
}

// busy is a window in which all slots were in use.
func busy(rtt time.Duration) window { return window{rtt: rtt, inFlight: math.MaxInt32} }

// The figures are those of the tests of Netflix concurrency-limits (VegasLimitTest,
// AIMDLimitTest), and for Gradient2Limit those of its formula.
func TestReferenceFigures(t *testing.T) {
	type sample struct {
		w    window
		want int
	}
	netflix := map[string]float64{"initial": 10, "max": 20}
	for name, c := range map[string]struct {
		algorithm string
		settings  map[string]float64
		samples   []sample
	}{
		"vegas: the first sample is the rtt without load, the next finds no queue": {"vegas", netflix, []sample{
			{window{rtt: 10 * ms, inFlight: 10}, 10}, {window{rtt: 10 * ms, inFlight: 11}, 16},
		}},
		"vegas: a queue of 8 is more than beta": {"vegas", netflix, []sample{
			{window{rtt: 10 * ms, inFlight: 10}, 10}, {window{rtt: 50 * ms, inFlight: 11}, 9},
		}},
		"vegas: a queue of 3 is between alpha and beta": {"vegas", netflix, []sample{
			{window{rtt: 10 * ms, inFlight: 10}, 10}, {window{rtt: 14 * ms, inFlight: 14}, 10},
		}},
		"vegas: the steps of a large limit grow with its logarithm": {"vegas", map[string]float64{"initial": 10_000, "max": 20_000}, []sample{
			{window{rtt: 10 * time.Second, inFlight: 5000}, 10_000}, {window{rtt: 10 * time.Second, inFlight: 6000}, 10_024},
		}},
		"vegas: a limit that does not bind stays": {"vegas", netflix, []sample{
			{window{rtt: 10 * ms, inFlight: 4}, 10}, {window{rtt: 10 * ms, inFlight: 4}, 10},
		}},
		"aimd: one more": {"aimd", map[string]float64{"initial": 20}, []sample{{window{rtt: 10 * ms, inFlight: 10}, 21}}},
		"aimd: a drop":   {"aimd", map[string]float64{"initial": 30}, []sample{{window{dropped: true}, 27}}},
		"aimd: at most":  {"aimd", map[string]float64{"initial": 21, "max": 21}, []sample{{window{rtt: 10 * ms, inFlight: 10}, 21}}},
		"aimd: too slow": {"aimd", map[string]float64{"initial": 30, "timeout": float64(10 * ms)}, []sample{{busy(11 * ms), 27}}},
		"aimd: at least 1 less, at least min": {"aimd", map[string]float64{"initial": 2}, []sample{
			{window{dropped: true}, 1}, {window{dropped: true}, 1},
		}},
		// 20·0.8 + (20·1 + 4)·0.2 = 20.8, 21.6, …: 0.8 for each update without a queue.
		"gradient2: grows by queue_size · smoothing": {"gradient2", map[string]float64{"initial": 20}, []sample{
			{busy(10 * ms), 20}, {busy(10 * ms), 21}, {busy(10 * ms), 22}, {busy(10 * ms), 23}, {busy(10 * ms), 24},
		}},
		// The mean of 10 and 40 ms is 25 ms: the gradient is 1.5·25/40 = 0.9375, and the limit
		// 100.8·0.8 + (100.8·0.9375 + 4)·0.2 = 100.34; then 1.5·30/40 = 1.125, cut to 1.
		"gradient2: falls with the gradient": {"gradient2", map[string]float64{"initial": 100}, []sample{
			{busy(10 * ms), 100}, {busy(40 * ms), 100}, {busy(40 * ms), 101},
		}},
		"gradient2: halves at most": {"gradient2", map[string]float64{"initial": 100, "smoothing": 1}, []sample{
			{busy(ms), 104}, {busy(10 * time.Second), 82}, // 1.5/2 = 0.75: 104·0.75 + 4
		}},
		"gradient2: ignores drops": {"gradient2", map[string]float64{"initial": 20}, []sample{{window{dropped: true}, 20}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := started(t, c.algorithm, c.settings)
			for i, sample := range c.samples {
				if got := s.update(sample.w); got != sample.want {
					t.Fatalf("sample %d: limit %d, want %d", i, got, sample.want)
				}
			}
		})
	}
}

// server is a closed system with a known knee: workers serve one item each in the time
// service, and the others wait.
type server struct {
	workers int
	service time.Duration
}

// at returns the window that a limit leads to.
func (s server) at(limit int) window {
	return window{rtt: s.service * time.Duration(max(limit, s.workers)) / time.Duration(s.workers), inFlight: limit}
}

// run feeds the algorithm with windows of the server.
func (s server) run(c controller, limit, updates int) int {
	for range updates {
		limit = c.update(s.at(limit))
	}
	return limit
}

// TestVegasKeepsAlphaToBetaQueued is the claim of section IV of Brakmo and Peterson: the
// number of items beyond what the path holds stays between alpha and beta (each times
// the logarithm of the limit), whatever the knee, and follows it.
func TestVegasKeepsAlphaToBetaQueued(t *testing.T) {
	for _, alpha := range []float64{1, 2, 3} {
		for _, knee := range []int{4, 8, 20, 60} {
			c := started(t, "vegas", map[string]float64{"initial": 2, "alpha": alpha, "beta": 2 * alpha, "probe": 1e6})
			limit := 2
			for _, knee := range []int{knee, 2 * knee, knee} {
				limit = server{knee, 40 * ms}.run(c, limit, 200)
				scale := root(float64(limit))
				if queued := float64(limit - knee); queued < scale*(alpha-1) || queued > scale*2*alpha {
					t.Errorf("knee %d, alpha %v: limit %d", knee, alpha, limit)
				}
			}
		}
	}
}

// TestVegasProbes lets the latency rise for good. The limit falls, as that looks like a
// queue, until the lowest rtt is measured anew.
func TestVegasProbes(t *testing.T) {
	after := func(probe float64) int {
		c := started(t, "vegas", map[string]float64{"initial": 2, "probe": probe})
		limit := server{40, 40 * ms}.run(c, 2, 100)
		return server{40, 400 * ms}.run(c, limit, 200)
	}
	if limit := after(1e6); limit > 8 {
		t.Errorf("limit %d although the lowest rtt is that of before", limit)
	}
	if limit := after(3); limit < 38 {
		t.Errorf("limit %d after probes", limit)
	}
}

// TestGradient2Settles has the limit at which the gradient loses as much as the queue
// adds: limit · (1 − gradient) = queue_size.
func TestGradient2Settles(t *testing.T) {
	c := started(t, "gradient2", map[string]float64{"tolerance": 1, "long_window": 1e6})
	knee := server{20, 40 * ms}
	limit := knee.run(c, 10, 10) // the long-term rtt is that without a queue from here on
	for range 500 {
		limit = c.update(knee.at(limit))
	}
	// long/short = knee/limit, so limit − knee = 4.
	if limit < 22 || limit > 26 {
		t.Errorf("limit %d, want about 24", limit)
	}
}

// TestAIMDConvergesToFairness is the theorem of Chiu and Jain: under the same feedback, the
// fairness (Σx)²/(n·Σx²) of clients that start apart grows towards 1, and each drop takes
// their sum to the knee again, so that it stays within backoff·knee and knee + n.
func TestAIMDConvergesToFairness(t *testing.T) {
	const knee = 100
	limits := []int{1, 90}
	var clients []controller
	for _, initial := range limits {
		clients = append(clients, started(t, "aimd", map[string]float64{"initial": float64(initial), "backoff": 0.5}))
	}
	fairness := func() float64 {
		sum, squares := 0.0, 0.0
		for _, l := range limits {
			sum, squares = sum+float64(l), squares+float64(l)*float64(l)
		}
		return sum * sum / float64(len(limits)) / squares
	}
	before, drops := fairness(), 0
	for range 1000 {
		sum := limits[0] + limits[1]
		if drops > 0 && (sum < knee/2-2 || sum > knee+2) {
			t.Fatalf("%v in flight", limits)
		}
		over := sum > knee
		if over {
			drops++
		}
		for i, c := range clients {
			limits[i] = c.update(window{rtt: ms, inFlight: limits[i], dropped: over})
		}
		now := fairness()
		if now < before-0.02 { // whole limits round
			t.Fatalf("fairness fell from %v to %v at %v", before, now, limits)
		}
		before = now
	}
	if before < 0.99 || drops < 10 {
		t.Errorf("fairness %v after %d drops: %v", before, drops, limits)
	}
}

// TestControllersKeepToTheirBounds draws any windows and settings: the limit stays from min
// to max, a drop does not raise it, and lowers that of vegas and aimd.
func TestControllersKeepToTheirBounds(t *testing.T) {
	for _, name := range []string{"vegas", "gradient2", "aimd"} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				low := rapid.IntRange(1, 50).Draw(t, "min")
				initial := rapid.IntRange(low, low+200).Draw(t, "initial")
				high := rapid.IntRange(initial, initial+1000).Draw(t, "max")
				a, _ := DefineAlgorithm(name)
				v, err := a.complete(map[string]float64{"min": float64(low), "max": float64(high), "initial": float64(initial)})
				if err != nil {
					t.Fatal(err)
				}
				c := map[string]func(values) controller{
					"vegas":     func(v values) controller { return newVegas(v) },
					"gradient2": func(v values) controller { return newGradient2(v) },
					"aimd":      func(v values) controller { return newAIMD(v) },
				}[name](v)
				limit := initial
				for range 50 {
					w := window{
						rtt:      time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "rtt")),
						inFlight: rapid.IntRange(0, 2000).Draw(t, "in flight"), dropped: rapid.Bool().Draw(t, "dropped"),
					}
					next := c.update(w)
					switch {
					case next < low || next > high:
						t.Fatalf("limit %d is not from %d to %d", next, low, high)
					case w.dropped && name != "gradient2" && next > limit:
						t.Fatalf("a drop raised the limit from %d to %d", limit, next)
					case w.dropped && name == "aimd" && limit > low && next >= limit:
						t.Fatalf("a drop left the limit at %d", limit)
					}
					limit = next
				}
			})
		})
	}
}

// TestEveryAlgorithm checks the table: complete entries, and settings that parse what they
// print and reject what is out of bounds.
func TestEveryAlgorithm(t *testing.T) {
	for _, a := range Algorithms() {
		if a.Summary == "" || a.Source == "" || len(a.Settings) < 3 {
			t.Errorf("the entry is incomplete: %+v", a)
		}
		for _, s := range a.Settings {
			for _, v := range []float64{s.Default, s.Min, s.Max} {
				if got, err := s.Parse(s.Text(v)); err != nil || got != v {
					t.Errorf("%s.%s: %q is %v, %v", a.Name, s.Name, s.Text(v), got, err)
				}
			}
			for _, bad := range []any{s.Text(s.Min - 1), s.Text(2*s.Max + 1), "much", true, ""} {
				if v, err := s.Parse(bad); err == nil {
					t.Errorf("%s.%s: %q is %v", a.Name, s.Name, bad, v)
				}
			}
		}
		if err := Adaptive(a.Name, nil).Validate(); err != nil {
			t.Error(err)
		}
		if slots := newAdaptiveSlots(Adaptive(a.Name, map[string]float64{"initial": 3})); slots.Limit() != 3 || slots.InUse() != 0 {
			t.Errorf("%s begins with %d slots", a.Name, slots.Limit())
		}
	}
}

func TestAlgorithmErrors(t *testing.T) {
	for want, s := range map[string]Strategy{
		`unknown algorithm "vega" (want failsafe, vegas, gradient2, aimd)`:           Adaptive("vega", nil),
		"algorithm vegas has no backoff (it has min, max, initial, window, samples,": Adaptive("vegas", map[string]float64{"backoff": 0.5}),
		"algorithm vegas: alpha must be a whole number from 1 to 1000 (got 1.5)":     Adaptive("vegas", map[string]float64{"alpha": 1.5}),
		"algorithm vegas: alpha must be at most beta, 6 (got 7)":                     Adaptive("vegas", map[string]float64{"alpha": 7}),
		"algorithm aimd: initial must be at most max, 5 (got 10)":                    Adaptive("aimd", map[string]float64{"max": 5}),
		"algorithm failsafe: window must be at most max_window, 2s (got 3s)":         Adaptive("", map[string]float64{"window": 3e9, "max_window": 2e9}),
		"algorithm aimd: timeout must be a duration from 1ms to 1h0m0s (got 0s)":     Adaptive("aimd", map[string]float64{"timeout": 0}),
		`strategy bounded has no algorithm (got "vegas")`:                            {Kind: KindBounded, Limit: 1, Algorithm: "vegas"},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", s, err, want)
		}
	}
}

// timedOut is an error for lack of capacity.
type timedOut struct{ error }

func (timedOut) ErrorType() string { return "http_429" }

// TestWindowedSlots runs a pipeline against a server of 8 workers in virtual time: the
// limit of vegas settles where 3 to 6 items are queued, and slots keep to it.
func TestWindowedSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Adaptive("vegas", map[string]float64{"initial": 4, "max": 40})
		slots := newAdaptiveSlots(s)
		workers := NewSlots(8)
		now, over := 0, 0
		var mu sync.Mutex
		p := Pipeline[int, int]{
			Strategy: s, Slots: slots,
			Fetcher: FetcherFunc[int, int](func(ctx context.Context, item int) ([]int, error) {
				mu.Lock()
				if now++; now > slots.Limit()+10 { // a limit that falls is exceeded until items end
					over++
				}
				mu.Unlock()
				release, err := workers.Acquire(ctx)
				if err != nil {
					return nil, err
				}
				time.Sleep(40 * ms)
				release(nil)
				mu.Lock()
				now--
				mu.Unlock()
				return []int{item}, nil
			}),
			Writer: WriterFunc[int](func(context.Context, []int) error { return nil }),
		}
		items := make([]int, 3000)
		for i := range items {
			items[i] = i
		}
		if _, err := p.Run(t.Context(), items); err != nil {
			t.Fatal(err)
		}
		if limit := slots.Limit(); limit < 10 || limit > 16 || slots.InUse() != 0 || over > 0 {
			t.Errorf("limit %d, %d slots in use, exceeded %d times", limit, slots.InUse(), over)
		}
	})
}

// TestWindowedSlotsAndFailures: failures for lack of capacity lower the limit, others leave
// no trace, and an item that stops waiting leaves no slot in use.
func TestWindowedSlotsAndFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := newAdaptiveSlots(Adaptive("aimd", map[string]float64{"initial": 10, "samples": 2, "window": float64(ms)}))
		take := func(err error) {
			release, failed := slots.Acquire(t.Context())
			if failed != nil {
				t.Fatal(failed)
			}
			time.Sleep(10 * ms)
			release(err)
		}
		for range 20 {
			take(errors.New("not found"))
		}
		if slots.Limit() != 10 {
			t.Fatalf("limit %d after failures of other kinds", slots.Limit())
		}
		take(nil)
		take(fmt.Errorf("fetch: %w", timedOut{errors.New("429")}))
		if slots.Limit() != 9 {
			t.Fatalf("limit %d after a drop, want 9", slots.Limit())
		}
		var releases []func(error)
		for range 9 {
			release, err := slots.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			releases = append(releases, release)
		}
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		waited := make(chan error)
		go func() {
			_, err := slots.Acquire(ctx)
			waited <- err
		}()
		synctest.Wait()
		cancel(why)
		if err := <-waited; !errors.Is(err, why) {
			t.Errorf("the wait ended with %v", err)
		}
		go func() {
			release, err := slots.Acquire(t.Context())
			if err == nil {
				release(nil)
			}
			waited <- err
		}()
		synctest.Wait()
		for _, release := range releases {
			release(nil)
		}
		if err := <-waited; err != nil || slots.InUse() != 0 {
			t.Errorf("%v, %d slots in use", err, slots.InUse())
		}
	})
}

// FuzzSetting: a value that a setting accepts is within its bounds, and its text is read as
// the same value.
func FuzzSetting(f *testing.F) {
	for _, text := range []string{"3", "0.9", "100ms", "1e3", "-1", "NaN", "0x10", "1h0m0s", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range Algorithms() {
			for _, s := range a.Settings {
				v, err := s.Parse(text)
				if err != nil {
					continue
				}
				if v < s.Min || v > s.Max || s.Whole && v != math.Trunc(v) {
					t.Errorf("%s.%s: %q is %v", a.Name, s.Name, text, v)
				}
				if again, err := s.Parse(s.Text(v)); err != nil || again != v {
					t.Errorf("%s.%s: %q is %v, and %q is %v, %v", a.Name, s.Name, text, v, s.Text(v), again, err)
				}
			}
		}
	})
}
