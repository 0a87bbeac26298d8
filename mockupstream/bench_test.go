package mockupstream_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/mockupstream"
)

func listenLoopback() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// BenchmarkThroughput compares the mock without latency with a plain net/http handler
// that writes the same body, each on its own core, alternately. One operation is half a
// second of each.
func BenchmarkThroughput(b *testing.B) {
	for _, records := range []int{1, 10} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			p := mockupstream.Profile{Body: mockupstream.Body{Min: records, Max: records}}
			mock := startChild(b, "mock", p, "GOMAXPROCS=1")
			plain := startChild(b, "bare", p, "GOMAXPROCS=1")
			var ratios, perCore []float64
			for b.Loop() {
				m, cpu := mock.throughput(b)
				n, _ := plain.throughput(b)
				ratios = append(ratios, float64(m)/float64(n))
				perCore = append(perCore, float64(m)/cpu.Seconds())
			}
			b.ReportMetric(median(ratios), "mock/bare")
			b.ReportMetric(median(perCore), "req/cpu-s")
		})
	}
}

// throughput returns the number of requests that the server answers in half a second, and
// the CPU time that it uses for them.
func (c *child) throughput(b *testing.B) (requests int, cpu time.Duration) {
	var group sync.WaitGroup
	counts := make([]int, 16)
	end := time.Now().Add(500 * time.Millisecond)
	before := c.cpu(b)
	for i := range counts {
		conn := dialLean(b, c.url, benchKey(i))
		group.Go(func() {
			defer conn.Close()
			for time.Now().Before(end) && conn.roundTrip() == nil {
				counts[i]++
			}
		})
	}
	group.Wait()
	for _, n := range counts {
		requests += n
	}
	return requests, c.cpu(b) - before
}

// BenchmarkDelayError reports the lateness of answers (actual − injected delay, as
// measured by the server and by the client) for several numbers of requests in flight,
// beside that of a handler that delays with time.Sleep. Latencies are lognormal with σ
// 0.5, as in the scenarios, and so long that about 500 to 2000 requests end per second.
// One operation is several rounds of each. With 10,000 in flight it takes over a minute,
// so that -benchtime 1x is enough:
//
//	go test -run '^$' -bench DelayError/in-flight=10000 -benchtime 1x ./mockupstream
func BenchmarkDelayError(b *testing.B) {
	for _, c := range []struct {
		inFlight, rounds int
		latency          time.Duration
	}{{10, 100, 20 * time.Millisecond}, {1000, 3, time.Second}, {10000, 2, 6 * time.Second}} {
		b.Run(fmt.Sprintf("in-flight=%d/latency=%v", c.inFlight, c.latency), func(b *testing.B) {
			p := mockupstream.Profile{Latency: mockupstream.Distribution{
				Kind: "lognormal", Median: mockupstream.Duration(c.latency), Sigma: 0.5, Max: mockupstream.Duration(3 * c.latency),
			}}
			mock, plain := startChild(b, "mock", p), startChild(b, "sleep", p)
			var mockSeen, plainSeen []time.Duration
			var rss, plainRSS float64
			for b.Loop() {
				seen, bytes := mock.delays(b, p, c.inFlight, c.rounds, c.latency)
				mockSeen, rss = append(mockSeen, seen...), max(rss, bytes)
				seen, bytes = plain.delays(b, p, c.inFlight, c.rounds, c.latency)
				plainSeen, plainRSS = append(plainSeen, seen...), max(plainRSS, bytes)
			}
			reportDelays(b, "mock", mock.stats(b), mockSeen)
			reportDelays(b, "sleep", plain.stats(b), plainSeen)
			if c.inFlight >= 1000 { // with fewer, the rest of the process dominates
				b.ReportMetric(rss, "mock-B/in-flight")
				b.ReportMetric(plainRSS, "sleep-B/in-flight")
			}
		})
	}
}

func reportDelays(b *testing.B, name string, s mockupstream.Stats, seen []time.Duration) {
	b.ReportMetric(float64(s.LateMedianNS)/1e3, name+"-p50-µs")
	b.ReportMetric(float64(s.LateP99NS)/1e3, name+"-p99-µs")
	slices.Sort(seen)
	b.ReportMetric(float64(seen[len(seen)/2].Nanoseconds())/1e3, name+"-client-p50-µs")
}

// delays keeps requests in flight on one connection each, with starts spread evenly over
// one latency. It returns the lateness as seen by the client, and the server's memory per
// request in flight.
func (c *child) delays(b *testing.B, p mockupstream.Profile, inFlight, rounds int, latency time.Duration) (late []time.Duration, bytesEach float64) {
	conns := make([]*leanConn, inFlight)
	empty := c.rss(b)
	for i := range conns {
		conns[i] = dialLean(b, c.url, benchKey(i)) // sends nothing yet
	}
	each := make([][]time.Duration, inFlight)
	var group sync.WaitGroup
	for i, conn := range conns {
		group.Go(func() {
			defer conn.Close()
			time.Sleep(latency * time.Duration(i) / time.Duration(inFlight))
			for attempt := 1; attempt <= rounds; attempt++ {
				conn.attempt(attempt)
				began := time.Now()
				if conn.roundTrip() != nil {
					return
				}
				each[i] = append(each[i], time.Since(began)-p.Draw(1, benchKey(i), attempt).Delay)
			}
		})
	}
	time.Sleep(latency * 5 / 4) // until most are in flight
	full := c.rss(b)
	group.Wait()
	for _, delays := range each {
		if len(delays) != rounds {
			b.Fatalf("%d answers on a connection, want %d", len(delays), rounds)
		}
	}
	return slices.Concat(each...), (full - empty) / float64(inFlight)
}

// leanConn repeats one request with very little CPU time.
type leanConn struct {
	net.Conn
	host, key string
	request   []byte
	answer    []byte // as large as the answer; nil means that its size is unknown
}

func dialLean(tb testing.TB, url, key string) *leanConn {
	tb.Helper()
	host := strings.TrimPrefix(url, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		tb.Fatal(err)
	}
	c := &leanConn{Conn: conn, host: host, key: key}
	c.attempt(1)
	return c
}

func (c *leanConn) attempt(n int) {
	c.request = fmt.Appendf(c.request[:0], "GET /items/%s HTTP/1.1\r\nHost: %s\r\n%s: %d\r\n\r\n",
		c.key, c.host, mockupstream.AttemptHeader, n)
}

func (c *leanConn) roundTrip() error {
	if _, err := c.Write(c.request); err != nil {
		return err
	}
	if c.answer != nil {
		if _, err := io.ReadFull(c, c.answer); err != nil {
			return err
		}
		if !bytes.HasSuffix(c.answer, []byte("]}")) {
			return fmt.Errorf("answer ends with %q", c.answer[len(c.answer)-2:])
		}
		return nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	dump, err := httputil.DumpResponse(resp, true)
	c.answer = make([]byte, len(dump))
	return err
}

// cpu returns the CPU time of the process.
func (c *child) cpu(tb testing.TB) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		tb.Skip(err) // not Linux
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100
}

// rss returns the memory of the process in bytes.
func (c *child) rss(tb testing.TB) float64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.cmd.Process.Pid))
	if err != nil {
		tb.Skip(err) // not Linux
	}
	pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
	return float64(pages * os.Getpagesize())
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}
