package mockupstream_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/mockupstream"
	"github.com/HdrHistogram/hdrhistogram-go"
	"go.uber.org/goleak"
)

// Benchmarks serve from another process, which runs this test binary, to measure the
// server's CPU time and memory alone.
const (
	envChild   = "MOCKUPSTREAM_TEST_CHILD"   // "mock", "bare" or "sleep"
	envProfile = "MOCKUPSTREAM_TEST_PROFILE" // JSON
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(envChild); kind != "" {
		if err := serveChild(kind, os.Getenv(envProfile)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// serveChild prints the server's URL, and returns at the end of stdin.
func serveChild(kind, profile string) error {
	var p mockupstream.Profile
	if err := json.Unmarshal([]byte(profile), &p); err != nil {
		return err
	}
	handler := bare(p)
	if kind == "sleep" {
		handler = plainSleep(p)
	}
	u, err := mockupstream.New(p, 1)
	if err != nil {
		return err
	}
	if kind == "mock" {
		handler = u
	}
	server := &http.Server{Handler: handler}
	listener, err := listenLoopback()
	if err != nil {
		return err
	}
	go server.Serve(listener)
	fmt.Println("http://" + listener.Addr().String())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// bare is the reference for the mock: a handler that writes the same bodies.
func bare(p mockupstream.Profile) http.Handler {
	bodies := map[string][]byte{}
	for i := range 100 {
		bodies["/items/"+benchKey(i)] = mockupstream.Answer(p, 1, benchKey(i))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(bodies[r.URL.Path])
	})
}

// plainSleep delays with time.Sleep and reports its lateness like the mock.
func plainSleep(p mockupstream.Profile) http.Handler {
	var mu sync.Mutex
	late := hdrhistogram.New(1000, int64(time.Hour), 3)
	body := mockupstream.Answer(p, 1, "+1")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stats" {
			mu.Lock()
			defer mu.Unlock()
			json.NewEncoder(w).Encode(mockupstream.Stats{LateMedianNS: late.ValueAtQuantile(50), LateP99NS: late.ValueAtQuantile(99)})
			return
		}
		received := time.Now()
		attempt, _ := strconv.Atoi(r.Header.Get(mockupstream.AttemptHeader))
		d := p.Draw(1, strings.TrimPrefix(r.URL.Path, "/items/"), attempt).Delay
		time.Sleep(d)
		by := time.Since(received) - d
		mu.Lock()
		late.RecordValue(int64(by))
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	})
}

func benchKey(i int) string { return fmt.Sprintf("+1555%07d", i) }

// child is a running server process.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
}

func startChild(tb testing.TB, kind string, p mockupstream.Profile, env ...string) *child {
	tb.Helper()
	profile, err := json.Marshal(p)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(append(os.Environ(), envChild+"="+kind, envProfile+"="+string(profile)), env...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { stdin.Close(); cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return &child{cmd, stdin, strings.TrimSpace(line)}
}

func (c *child) stats(tb testing.TB) (s mockupstream.Stats) {
	tb.Helper()
	resp, err := http.Get(c.url + "/stats")
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		tb.Fatal(err)
	}
	return s
}
