package generator_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"go.uber.org/goleak"

	"floodgate/bench/load"
	"floodgate/bench/load/generator"
)

// TestMain lets the test binary also serve as a generator, and as the stub of benchmarks.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case generator.ChildArg:
			os.Exit(generator.Main(os.Stdin, os.Stdout, os.Stderr, options))
		case stubArg:
			os.Exit(stub())
		}
	}
	goleak.VerifyTestMain(m)
}

// spec is a load at an even rate.
type spec struct {
	URL   string
	Rate  float64
	For   time.Duration
	Share load.Share
	Wrong string
}

func options(text []byte) (load.Options, error) {
	var s spec
	if err := json.Unmarshal(text, &s); err != nil {
		return load.Options{}, err
	}
	if s.Wrong != "" {
		return load.Options{}, errors.New(s.Wrong)
	}
	return s.options(), nil
}

func (s spec) options() load.Options {
	return load.Options{URL: s.URL, Arrivals: load.Arrivals{Rate: load.Constant(s.Rate), For: s.For, Share: s.Share}}
}

// group is a group of generators with what they reported. Its functions are called with
// the lock.
type group struct {
	*generator.Group
	all  spec
	of   int
	keep bool
	// record returns the functions that get the events of a generator, in place of count.
	record  func(generator int) (func(load.Due), func(load.Ended))
	onEnded func(ended int) // nil means that nothing is called

	mu       sync.Mutex
	due      []int          // by generator
	ended    map[uint64]int // the generator, by number of the request
	errors   map[string]int // by type
	lastSeen load.Ended     // the last one that ended
	kept     []*vegeta.Result
}

func start(t testing.TB, all spec, of int) *group {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g, err := generator.Start(t.Context(), executable, of)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	made := &group{Group: g, all: all, of: of, due: make([]int, of), ended: map[uint64]int{}, errors: map[string]int{}}
	made.record = made.count
	return made
}

// share returns the specification of a generator.
func (g *group) share(i int) spec {
	s := g.all
	s.Share = load.Share{Index: i, Of: g.of}
	return s
}

func (g *group) attack(ctx context.Context, t testing.TB) error {
	t.Helper()
	if err := g.Prepare(g.keep, func(i int) any { return g.share(i) }); err != nil {
		t.Fatal(err)
	}
	return g.Attack(ctx, func(ctx context.Context, at time.Time) error {
		o, events := g.share(0).options(), g.events(0)
		o.Start, o.Due, o.Ended = at, events.Due, events.Ended
		if g.keep {
			o.Keep = events.Keep
		}
		return load.Attack(ctx, o)
	}, g.events)
}

// count is what record returns by default.
func (g *group) count(i int) (due func(load.Due), ended func(load.Ended)) {
	return func(load.Due) { g.due[i]++ }, func(e load.Ended) {
		g.ended[e.Report], g.lastSeen = i, e
		g.errors[e.Error]++
		if g.onEnded != nil {
			g.onEnded(len(g.ended))
		}
	}
}

func (g *group) events(i int) generator.Events {
	due, ended := g.record(i)
	return generator.Events{
		Due: func(d load.Due) {
			g.mu.Lock()
			defer g.mu.Unlock()
			due(d)
		},
		Ended: func(e load.Ended) {
			g.mu.Lock()
			defer g.mu.Unlock()
			ended(e)
		},
		Keep: func(r *vegeta.Result) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.kept = append(g.kept, r)
		},
	}
}

// counting is a service that counts its requests by number; each fifth one fails.
func counting(t testing.TB) (url string, counts func() map[uint64]int) {
	t.Helper()
	var mu sync.Mutex
	got := map[uint64]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.ParseUint(r.FormValue("report"), 10, 64)
		if err != nil {
			t.Errorf("request %s", r.URL)
		}
		mu.Lock()
		got[n]++
		mu.Unlock()
		if n%5 == 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, func() map[uint64]int {
		mu.Lock()
		defer mu.Unlock()
		return got
	}
}

// Three generators send what one sends: each request once, from the one to which it belongs.
func TestGeneratorsSendOneSchedule(t *testing.T) {
	url, counts := counting(t)
	g := start(t, spec{URL: url, Rate: 1000, For: 100 * time.Millisecond}, 3)
	g.keep = true
	if err := g.attack(t.Context(), t); err != nil {
		t.Fatal(err)
	}
	one := make(map[uint64]int, 100)
	for n := range uint64(100) {
		one[n] = 1
		if by, ended := g.ended[n]; !ended || by != int(n%3) {
			t.Errorf("request %d ended: %v, by generator %d", n, ended, by)
		}
	}
	if got := counts(); !reflect.DeepEqual(got, one) {
		t.Errorf("the service got %v, want each of 100 requests once", got)
	}
	if !slices.Equal(g.due, []int{34, 33, 33}) || g.errors[""] != 80 || g.errors["http_5xx"] != 20 {
		t.Errorf("%v due, errors %v; want 34, 33 and 33, and each fifth failed", g.due, g.errors)
	}
	seqs := map[uint64]bool{}
	for _, r := range g.kept {
		seqs[r.Seq] = true
	}
	if len(g.kept) != 100 || len(seqs) != 100 {
		t.Errorf("%d results of vegeta with %d numbers, want 100", len(g.kept), len(seqs))
	}
	for i, r := range g.Reports() {
		if r.Late < 0 || i > 0 && r.Uncertainty <= 0 {
			t.Errorf("generator %d: %+v", i, r)
		}
	}
}

// What a generator reports of a failed request is what the caller would have recorded.
func TestErrorsKeepTheirTexts(t *testing.T) {
	g := start(t, spec{URL: "http://127.0.0.1:1", Rate: 100, For: 20 * time.Millisecond}, 2)
	if err := g.attack(t.Context(), t); err != nil {
		t.Fatal(err)
	}
	if g.errors["refused"] != 2 || !strings.Contains(g.lastSeen.Text, "connection refused") || g.lastSeen.At < g.lastSeen.Begun {
		t.Errorf("errors %v, the last one %+v", g.errors, g.lastSeen)
	}
}

// A generator that dies ends the attack of all, and the error names it.
func TestDeadGeneratorIsNamed(t *testing.T) {
	url, _ := counting(t)
	g := start(t, spec{URL: url, Rate: 1000, For: time.Hour}, 3)
	g.onEnded = func(ended int) {
		if ended == 30 {
			kill(t, g.PID(1))
		}
	}
	err := g.attack(t.Context(), t)
	var failed *generator.FailedError
	if !errors.As(err, &failed) || !strings.HasPrefix(err.Error(), "load generator 2 of 3 ended: ") {
		t.Errorf("error %v", err)
	}
}

// One that died before the attack does, too.
func TestGeneratorThatDiedBefore(t *testing.T) {
	g := start(t, spec{URL: "http://127.0.0.1:1", Rate: 1, For: time.Hour}, 2)
	if err := g.Prepare(false, func(i int) any { return g.share(i) }); err != nil {
		t.Fatal(err)
	}
	kill(t, g.PID(1))
	err := g.Attack(t.Context(), func(ctx context.Context, _ time.Time) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}, g.events)
	if err == nil || !strings.HasPrefix(err.Error(), "load generator 2 of 2 ended: ") {
		t.Errorf("error %v", err)
	}
}

// kill ends a process that the test has started.
func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Error(err)
	}
}

// An attack that is canceled ends with all requests that are in flight.
func TestCanceledAttackEnds(t *testing.T) {
	url, counts := counting(t)
	g := start(t, spec{URL: url, Rate: 1000, For: time.Hour}, 3)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	g.onEnded = func(ended int) {
		if ended == 30 {
			cancel(enough)
		}
	}
	if err := g.attack(ctx, t); !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
	if got := counts(); len(got) != len(g.ended) {
		t.Errorf("the service got %d requests, %d ended", len(got), len(g.ended))
	}
}

// A generator without an answer does not keep the caller waiting.
func TestSilentGeneratorIsNamed(t *testing.T) {
	g := start(t, spec{URL: "http://127.0.0.1:1", Rate: 1, For: time.Hour}, 2)
	if err := g.Prepare(false, func(i int) any { return g.share(i) }); err != nil {
		t.Fatal(err)
	}
	g.AnswerWithin(time.Nanosecond)
	err := g.Attack(t.Context(), func(ctx context.Context, _ time.Time) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}, g.events)
	if err == nil || err.Error() != "load generator 2 of 2 has not answered for 1ns" {
		t.Errorf("error %v", err)
	}
}

func TestWrongSpecificationIsNamed(t *testing.T) {
	g := start(t, spec{Wrong: "no certificate"}, 3)
	err := g.Prepare(false, func(i int) any { return g.share(i) })
	if err == nil || err.Error() != "call load generator 2 of 3: no certificate" {
		t.Errorf("error %v", err)
	}
	if err := g.Prepare(false, func(int) any { return make(chan int) }); err == nil || !strings.Contains(err.Error(), "load generator 2 of 3: json: unsupported type") {
		t.Errorf("error %v", err)
	}
}

// A group that cannot start is an error that names the first one.
func TestStartErrors(t *testing.T) {
	g, err := generator.Start(t.Context(), filepath.Join(t.TempDir(), "missing"), 3)
	if err == nil || !strings.Contains(err.Error(), "start load generator 2 of 3: ") {
		t.Errorf("%v, %v", g, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if g, err := generator.Start(ctx, os.Args[0], 2); !errors.Is(err, enough) {
		t.Errorf("%v, %v", g, err)
	}
}
