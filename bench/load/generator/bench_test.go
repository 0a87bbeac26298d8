package generator_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"floodgate/bench/load"
	"floodgate/results"
)

// stubArg is the argument that makes this test binary the stub service.
const stubArg = "generator-stub"

// stub answers every request at once until its standard input ends.
func stub() int {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	fmt.Println(s.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Close()
	return 0
}

// startStub starts the stub in its own process, like a service under test.
func startStub(b *testing.B) (url string) {
	b.Helper()
	cmd := exec.Command(os.Args[0], stubArg)
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
	url, err = bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(url)
}

const (
	reachWindow = time.Second
	leastReach  = 500.0 // requests a second
	mostReach   = 1e6
	reachFactor = 1.05 // between the highest rate that is reached and the lowest that is not
	reachTries  = 3    // of each rate; the best counts
)

// BenchmarkGenerators finds the highest rate that one generator and that three of them
// reach against a stub that answers at once: in the best of three windows of a second, no
// generator is late by the rule of trials. One operation finds both; the metrics are their
// rates and the ratio. It needs a core for each generator and for the stub.
func BenchmarkGenerators(b *testing.B) {
	url := startStub(b)
	var one, three float64
	for b.Loop() {
		one = max(one, reach(b, url, 1))
		three = max(three, reach(b, url, 3))
	}
	if one == 0 {
		b.Skipf("the machine is too busy: one generator was late at %v requests a second", leastReach)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(one, "1-generator-req/s")
	b.ReportMetric(three, "3-generators-req/s")
	b.ReportMetric(three/one, "ratio")
}

// reach returns the highest rate at which all requests are sent in time.
func reach(b *testing.B, url string, generators int) float64 {
	b.Helper()
	low, high := 0.0, leastReach
	for high < mostReach && inTime(b, url, generators, high) {
		low, high = high, 2*high
	}
	for low > 0 && high/low > reachFactor {
		if middle := (low + high) / 2; inTime(b, url, generators, middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// inTime reports whether the generators send all requests of a rate in time.
func inTime(b *testing.B, url string, generators int, rate float64) bool {
	b.Helper()
	for range reachTries {
		if s := window(b, spec{URL: url, Rate: rate, For: reachWindow}, generators); !s.GeneratorOverloaded() && s.OK == s.Due {
			return true
		}
	}
	return false
}

// window attacks once and returns what was recorded.
func window(b *testing.B, all spec, generators int) *results.Service {
	b.Helper()
	g := start(b, all, generators)
	defer g.Stop()
	recorders := make([]*load.Recorder, generators)
	for i := range recorders {
		recorders[i] = load.NewRecorder()
	}
	union := load.NewRecorder()
	g.record = func(i int) (func(load.Due), func(load.Ended)) {
		return func(d load.Due) { union.Due(d); recorders[i].Due(d) }, func(e load.Ended) { union.Ended(e); recorders[i].Ended(e) }
	}
	if err := g.attack(b.Context(), b); err != nil {
		b.Fatal(err)
	}
	s, err := union.Summary()
	if err != nil {
		b.Fatal(err)
	}
	if generators == 1 {
		return s
	}
	for i, r := range recorders {
		part, err := r.Summary()
		if err != nil {
			b.Fatal(err)
		}
		s.Generators = append(s.Generators, results.Generator{Index: i, Ended: part.Ended, Late: part.Late, Lag: part.Lag})
	}
	return s
}
