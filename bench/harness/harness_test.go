package harness_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"floodgate/bench/harness"
	"floodgate/scenarios/pipeline"
)

// modeVariable makes the test binary another program, named by its value.
const modeVariable = "FLOODGATE_HARNESS_TEST"

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" {
		if err := flag.Set("test.benchtime", fmt.Sprintf("%dx", batches)); err != nil { // of testing.Benchmark
			panic(err)
		}
	}
	switch mode := os.Getenv(modeVariable); mode {
	case "":
		harness.Main(m)
	case "start":
		harness.Main(program(startAndPrint))
	case "start without Main":
		os.Exit(startAndPrint())
	case "units":
		harness.Main(m, harness.Higher("docs"), harness.Lower("lost", "late"))
	}
}

// batches that testing.Benchmark measures here.
const batches = 4

// program is a function as a TestingM.
type program func() int

func (p program) Run() int { return p() }

// startAndPrint starts an environment, prints its addresses, and ends with its input.
func startAndPrint() int {
	tb := &fake{}
	tb.do(func() {
		env := harness.Start(tb)
		fmt.Println(strings.TrimPrefix(env.UpstreamURL(), "http://"), env.MongoAddrs()[0])
		_, _ = io.Copy(io.Discard, os.Stdin)
	})
	if tb.message != "" {
		fmt.Println(tb.message)
		return 1
	}
	return 0
}

// fake is a testing.TB that keeps the message of Fatal.
type fake struct {
	testing.TB
	message  string
	cleanups []func()
}

func (f *fake) do(g func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		g()
	}()
	<-done
	for _, c := range f.cleanups {
		c()
	}
}

func (*fake) Helper()             {}
func (f *fake) Cleanup(g func())  { f.cleanups = append(f.cleanups, g) }
func (f *fake) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }
func (f *fake) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}
func (f *fake) Errorf(format string, args ...any) { f.message = fmt.Sprintf(format, args...) }

// again runs the test binary again as the program of a mode.
func again(t *testing.T, mode string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), modeVariable+"="+mode, "TMPDIR="+t.TempDir()), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestStartNeedsMain(t *testing.T) {
	out, err := again(t, "start without Main", nil).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "harness.Main(m)") {
		t.Errorf("%v, %s", err, out)
	}
}

func TestContainersNeedAnEngine(t *testing.T) {
	out, err := again(t, "start", []string{"FLOODGATE_ENV=containers", "DOCKER_HOST=unix:///nonexistent"}).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.HasPrefix(string(out), "harness: no container engine: ") {
		t.Errorf("%v, %s", err, out)
	}
}

func TestUnknownEnvironment(t *testing.T) {
	var stderr bytes.Buffer
	cmd := again(t, "start", []string{"FLOODGATE_ENV=docker"})
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	const want = "harness: unknown environment \"docker\" in FLOODGATE_ENV (want embedded or containers)\n"
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 || stderr.String() != want {
		t.Errorf("%v, %s", err, &stderr)
	}
}

// Benchmarks are preceded by what their units mean, and tests are not.
func TestUnits(t *testing.T) {
	const want = `environment: embedded
Unit p50-ns better=lower
Unit p99-ns better=lower
Unit peak-fds better=lower
Unit leaked-fds better=lower
Unit errors better=lower
Unit docs better=higher
Unit lost better=lower
Unit late better=lower
PASS
`
	for _, test := range []struct{ bench, want string }{{"^$", want}, {"", "testing: warning: no tests to run\nPASS\n"}} {
		cmd := again(t, "units", nil, "-test.run=^$", "-test.bench="+test.bench)
		cmd.Stderr = nil
		if out, err := cmd.Output(); err != nil || string(out) != test.want && "testing: warning: no tests to run\n"+string(out) != test.want {
			t.Errorf("-test.bench=%s: %v\n%s", test.bench, err, out)
		}
	}
}

// opener opens files that stay open until the end of the test.
type opener struct {
	mu    sync.Mutex
	files []io.Closer
}

func newOpener(t *testing.T) *opener {
	o := &opener{}
	t.Cleanup(func() {
		for _, f := range o.files {
			_ = f.Close()
		}
	})
	return o
}

func (o *opener) open(open func() (io.Closer, error)) error {
	f, err := open()
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files = append(o.files, f)
	return nil
}

func null() (io.Closer, error) { return os.Open(os.DevNull) }

// expect compares metrics of a result, all of which it has.
func expect(t *testing.T, r testing.BenchmarkResult, want map[string]float64) {
	t.Helper()
	for _, unit := range []string{"p50-ns", "p99-ns", "peak-fds", "leaked-fds", "errors"} {
		got, ok := r.Extra[unit]
		if !ok && (runtime.GOOS == "linux" || !strings.HasSuffix(unit, "-fds")) {
			t.Errorf("%s is missing in %v", unit, r)
		}
		if w, checked := want[unit]; checked && ok && got != w {
			t.Errorf("%s is %g, want %g", unit, got, w)
		}
	}
}

func needCounts(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the descriptors of this process are exact on Linux only")
	}
}

// openNow returns the number of descriptors of this process.
func openNow(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names) - 1 // without the directory
}

// A connection that each item leaves open is found, and its other end, in a server's
// process, does not count.
func TestLeakedConnections(t *testing.T) {
	needCounts(t)
	env := harness.Start(t)
	upstream, err := url.Parse(env.UpstreamURL())
	if err != nil {
		t.Fatal(err)
	}
	o := newOpener(t)
	before := openNow(t)
	r := testing.Benchmark(func(b *testing.B) {
		harness.Run(b, make([]int, 5), func(context.Context, int) error {
			return o.open(func() (io.Closer, error) { return net.Dial("tcp", upstream.Host) })
		}, harness.Limit(5))
	})
	expect(t, r, map[string]float64{"leaked-fds": 5, "errors": 0})
	// Connections of Start may still have been closing before.
	const leaked = (1 + batches) * 5
	if peak := r.Extra["peak-fds"]; peak < leaked || peak > float64(before+leaked) {
		t.Errorf("peak-fds is %g, want %d connections among at most %d descriptors", peak, leaked, before+leaked)
	}
}

// One in five items leaves a file open.
func TestSlowLeak(t *testing.T) {
	needCounts(t)
	o := newOpener(t)
	r := testing.Benchmark(func(b *testing.B) {
		harness.Run(b, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, func(_ context.Context, n int) error {
			if n%5 == 0 {
				return o.open(null)
			}
			return nil
		})
	})
	expect(t, r, map[string]float64{"leaked-fds": 2})
}

// A pool that fills in the first seven batches is not a leak.
func TestGrowingPool(t *testing.T) {
	needCounts(t)
	o := newOpener(t)
	calls := 0
	r := testing.Benchmark(func(b *testing.B) {
		harness.Run(b, []int{0}, func(context.Context, int) error {
			if calls++; calls > 7 {
				return nil
			}
			return o.open(null)
		})
	})
	expect(t, r, map[string]float64{"leaked-fds": 0})
	if calls != 1+batches+2*3 {
		t.Errorf("%d calls, want the first batch, %d measured ones and two rounds of three", calls, batches)
	}
}

func TestErrorsAreCounted(t *testing.T) {
	items := []int{0, 1, 2, 3, 4, 5, 6, 7}
	failing := func(_ context.Context, n int) error {
		if n%4 == 1 {
			return errors.New("as told")
		}
		return nil
	}
	for _, test := range []struct {
		name    string
		options []harness.Option
		failed  bool
	}{
		{"none is allowed", nil, true},
		{"a quarter is allowed", []harness.Option{harness.AllowErrors(0.25)}, false},
		{"fewer are allowed", []harness.Option{harness.AllowErrors(0.24), harness.Limit(3)}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var failed bool
			r := testing.Benchmark(func(b *testing.B) {
				defer func() { failed = b.Failed() }()
				harness.Run(b, items, failing, test.options...)
			})
			if failed != test.failed {
				t.Errorf("failed is %v, want %v", failed, test.failed)
			}
			if !failed {
				expect(t, r, map[string]float64{"errors": 2})
			}
		})
	}
}

// Limit bounds the calls at the same time, and reaches the bound.
func TestLimit(t *testing.T) {
	const limit = 4
	var mu sync.Mutex
	var running, peak, waiting int
	arrived := sync.NewCond(&mu)
	testing.Benchmark(func(b *testing.B) {
		harness.Run(b, make([]int, 3*limit), func(context.Context, int) error {
			mu.Lock()
			defer mu.Unlock()
			running++
			peak = max(peak, running)
			// Each call waits for others, until there were as many as may be.
			waiting++
			generation := (waiting - 1) / limit
			for arrived.Broadcast(); waiting < (generation+1)*limit; {
				arrived.Wait()
			}
			running--
			return nil
		}, harness.Limit(limit))
	})
	if peak != limit {
		t.Errorf("up to %d calls at the same time, want %d", peak, limit)
	}
}

type counter struct{ items int }

func (c *counter) Item(int, pipeline.Timing) { c.items++ }

func TestPipeline(t *testing.T) {
	var fetched, written int
	observer := &counter{}
	p := &pipeline.Pipeline[string, string]{
		Fetcher: pipeline.FetcherFunc[string, string](func(_ context.Context, item string) ([]string, error) {
			fetched++
			return []string{item}, nil
		}),
		Writer: pipeline.WriterFunc[string](func(_ context.Context, docs []string) error {
			written++
			if docs[0] == "b" {
				return errors.New("as told")
			}
			return nil
		}),
		Strategy: pipeline.Sequential(),
		Observer: observer,
	}
	r := testing.Benchmark(func(b *testing.B) {
		harness.Pipeline(b, p, []string{"a", "b", "a", "c"}, harness.AllowErrors(0.5))
	})
	expect(t, r, map[string]float64{"errors": 1, "leaked-fds": 0})
	const want = (1 + batches) * 3
	if r.N != batches || fetched != want || written != want || observer.items != want || p.Observer != observer {
		t.Errorf("N %d, %d fetched, %d written, %d observed", r.N, fetched, written, observer.items)
	}
}

// Wrong uses fail the benchmark before a batch.
func TestWrongUses(t *testing.T) {
	do := func(context.Context, int) error {
		t.Error("an item was run")
		return nil
	}
	invalid := &pipeline.Pipeline[int, int]{}
	for name, f := range map[string]func(b *testing.B){
		"no items":               func(b *testing.B) { harness.Run(b, nil, do) },
		"limit 0":                func(b *testing.B) { harness.Run(b, []int{1}, do, harness.Limit(0)) },
		"a negative share":       func(b *testing.B) { harness.Run(b, []int{1}, do, harness.AllowErrors(-0.1)) },
		"more than all":          func(b *testing.B) { harness.Run(b, []int{1}, do, harness.AllowErrors(1.1)) },
		"an invalid pipeline":    func(b *testing.B) { harness.Pipeline(b, invalid, []int{1}) },
		"a limit for a pipeline": func(b *testing.B) { harness.Pipeline(b, invalid, []int{1}, harness.Limit(2)) },
	} {
		t.Run(name, func(t *testing.T) {
			failed := false
			testing.Benchmark(func(b *testing.B) {
				defer func() { failed = b.Failed() }()
				f(b)
			})
			if !failed {
				t.Error("the benchmark did not fail")
			}
		})
	}
}

// A benchmark leaves no goroutine behind, whether it fails or not.
func TestNoGoroutineIsLeft(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, err := range []error{nil, errors.New("as told")} {
		testing.Benchmark(func(b *testing.B) {
			harness.Run(b, []int{1, 2}, func(context.Context, int) error { return err }, harness.Limit(2))
		})
	}
}
