package load_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/load"
)

const (
	benchRate = 5000
	benchFor  = time.Second
	cores     = 2
)

// stubVariable is the environment variable that makes this test binary the stub service.
const stubVariable = "FLOODGATE_LOAD_STUB"

// stub answers every request at once until its standard input ends.
func stub() {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	fmt.Println(s.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Close()
}

// startStub starts the stub in its own process, like a SUT. In the generator's
// process, it would share the scheduler and the garbage collector, and its CPU time
// would count as the generator's.
func startStub(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), stubVariable+"=1", fmt.Sprintf("GOMAXPROCS=%d", cores))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(url)
}

// attacked holds the results of one attack.
type attacked struct {
	perSecond, p50, p99, cpu float64 // lags in ms, CPU time in µs a request
}

// measure runs an attack that reports the lag and the start of each request.
func measure(b *testing.B, attack func(saw func(lag, begun time.Duration))) attacked {
	b.Helper()
	runtime.GC()
	var lags []time.Duration
	var last time.Duration
	before := cpuTime(b)
	attack(func(lag, begun time.Duration) {
		lags = append(lags, lag)
		last = max(last, begun)
	})
	used := cpuTime(b) - before
	slices.Sort(lags)
	n := len(lags)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	return attacked{
		perSecond: float64(n) / (last + time.Second/benchRate).Seconds(),
		p50:       ms(lags[n/2]), p99: ms(lags[n*99/100]), cpu: used / float64(n) * 1e6,
	}
}

// cpuTime returns the CPU time of this process in seconds.
func cpuTime(b *testing.B) float64 {
	b.Helper()
	p, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		b.Fatal(err)
	}
	times, err := p.Times()
	if err != nil {
		b.Fatal(err)
	}
	return times.User + times.System
}

// BenchmarkRate alternates between this package and vegeta's own attack with its
// default settings, at 5,000 requests per second. One operation is a second of each;
// the metrics are medians over the operations. Use -benchtime 10x for ten.
func BenchmarkRate(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	url := startStub(b)
	ours := func() attacked {
		return measure(b, func(saw func(lag, begun time.Duration)) {
			counted := newCounted()
			err := load.Attack(b.Context(), load.Options{
				URL: url, Arrivals: load.Arrivals{Rate: load.Constant(benchRate), For: benchFor}, Body: body,
				Due: counted.due,
				Ended: func(e load.Ended) {
					counted.ended(e)
					saw(e.Lag(), e.Begun)
				},
			})
			summary, sumErr := counted.recorder.Summary()
			if err != nil || sumErr != nil || summary.OK != benchRate {
				b.Fatalf("%v, %v; answered: %+v", err, sumErr, summary)
			}
		})
	}
	plain := func() attacked {
		return measure(b, func(saw func(lag, begun time.Duration)) {
			target := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodPost, URL: url, Body: body(0)})
			pacer := vegeta.ConstantPacer{Freq: benchRate, Per: time.Second}
			began := time.Now()
			for r := range vegeta.NewAttacker().Attack(target, pacer, benchFor, "") {
				begun := r.Timestamp.Sub(began)
				saw(begun-time.Duration(r.Seq+1)*time.Second/benchRate, begun) // it begins an interval late
			}
		})
	}
	both := []struct {
		name   string
		attack func() attacked
		seen   []attacked
	}{{name: "floodgate", attack: ours}, {name: "vegeta", attack: plain}}
	for i := 0; b.Loop(); i++ {
		for n := range both {
			turn := &both[(i+n)%2]
			turn.seen = append(turn.seen, turn.attack())
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, one := range both {
		for metric, of := range map[string]func(attacked) float64{
			"req/s":      func(a attacked) float64 { return a.perSecond },
			"lag-p50-ms": func(a attacked) float64 { return a.p50 },
			"lag-p99-ms": func(a attacked) float64 { return a.p99 },
			"cpu-µs/req": func(a attacked) float64 { return a.cpu },
		} {
			b.ReportMetric(median(one.seen, of), one.name+"-"+metric)
		}
	}
}

func body(uint64) []byte { return []byte(`{"items":[]}`) }

func median(all []attacked, of func(attacked) float64) float64 {
	var values []float64
	for _, a := range all {
		values = append(values, of(a))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// counted records requests like a service's trial: with a lock and a mark for each report.
type counted struct {
	mu       sync.Mutex
	recorder *load.Recorder
	done     []bool
}

func newCounted() *counted { return &counted{recorder: load.NewRecorder()} }

func (c *counted) due(d load.Due) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recorder.Due(d)
}

func (c *counted) ended(e load.Ended) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recorder.Ended(e)
	for uint64(len(c.done)) <= e.Report {
		c.done = append(c.done, false)
	}
	c.done[e.Report] = e.Error == ""
}

// BenchmarkRecord measures the recording of one request: due and ended.
func BenchmarkRecord(b *testing.B) {
	c := newCounted()
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		c.due(load.Due{Seq: n})
		c.ended(result(n))
	}
}

// result returns request i of 100, of which each tenth failed.
func result(n uint64) load.Ended {
	at := time.Duration(n) * time.Millisecond
	e := load.Ended{
		Report: n, Code: http.StatusOK, Intended: at, Begun: at + time.Duration(n%7)*time.Microsecond,
		At: at + time.Duration(1+n*7919%100)*10*time.Millisecond,
	}
	if n%10 == 0 {
		e.Code, e.Error = http.StatusServiceUnavailable, "http_5xx"
	}
	return e
}
