//go:build unix

package sut_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"floodgate/bench/sut"
	"floodgate/mockupstream"
	"floodgate/scenarios"
)

// serving starts a SUT that serves reports and returns its URL.
func serving(t *testing.T, upstream string, v scenarios.Variant, nofile int) (p *sut.Process, url string, ticks func() []sut.Tick) {
	t.Helper()
	var mu sync.Mutex
	var seen []sut.Tick
	p, err := sut.Start(sut.Options{Executable: os.Args[0], NoFile: nofile, Tick: func(k sut.Tick) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, k)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	conns, _ := v.MaxConns()
	s := sut.Spec{
		Floodgate: sut.Version, Type: sut.TypeSpec, Trial: "test/0", Observe: true, Service: true, Variant: v,
		Upstream: sut.UpstreamSpec{URL: upstream, MaxConns: conns},
	}
	if err := p.Send(deadline(t), s); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Await(deadline(t), sut.TypeReady); err != nil {
		t.Fatal(err)
	}
	if err := p.Send(deadline(t), sut.Message{Type: sut.TypeGo}); err != nil {
		t.Fatal(err)
	}
	m, err := p.Await(deadline(t), sut.TypeServing)
	if err != nil || !strings.HasPrefix(m.Addr, "127.0.0.1:") {
		t.Fatalf("serving %+v, %v", m, err)
	}
	return p, "http://" + m.Addr + "/reports", func() []sut.Tick {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

// report posts a report of n items and returns the answer's status.
func report(t *testing.T, url string, n int) <-chan int {
	t.Helper()
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf("+1555%07d", i))
	}
	return reportOf(t, url, items...)
}

// reportOf posts a report of these items and returns the answer's status, or 0 without an answer.
func reportOf(t *testing.T, url string, items ...string) <-chan int {
	t.Helper()
	body, err := json.Marshal(map[string]any{"items": slices.Collect(slices.Chunk(items, 1))})
	if err != nil {
		t.Fatal(err)
	}
	status := make(chan int, 1)
	go func() {
		transport := &http.Transport{DisableKeepAlives: true}
		r, err := (&http.Client{Transport: transport}).Post(url, "application/json", bytes.NewReader(body))
		if err != nil {
			status <- 0
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		status <- r.StatusCode
	}()
	return status
}

// finish drains and ends the SUT and returns its report.
func finish(t *testing.T, p *sut.Process, say ...string) *sut.Report {
	t.Helper()
	for _, kind := range say {
		if err := p.Send(deadline(t), sut.Message{Type: kind}); err != nil {
			t.Fatal(err)
		}
	}
	done, err := p.Await(deadline(t), sut.TypeDone)
	if err != nil {
		t.Fatal(err)
	}
	if len(say) == 0 { // drained by a signal; the protocol continues
		_ = p.Send(deadline(t), sut.Message{Type: sut.TypeDrain})
	}
	if err := p.Send(deadline(t), sut.Message{Type: sut.TypeClose}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Await(deadline(t), sut.TypeClosed); err != nil {
		t.Fatal(err)
	}
	p.CloseInput()
	if err := p.Wait(deadline(t)); err != nil || p.Exit().Code != 0 {
		t.Errorf("exit %+v, %v", p.Exit(), err)
	}
	return done.Report
}

func TestServiceServes(t *testing.T) {
	_, url := upstream(t, mockupstream.Profile{})
	p, reports, ticks := serving(t, url, scenarios.Variant{Name: "shared", Strategy: "bounded", Limit: 3, Scope: "shared"}, 256)
	for range 4 {
		if status := <-report(t, reports, 10); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	r := finish(t, p, sut.TypeDrain)
	if *r.ItemsDone != 40 || r.Connections.Upstream > 3 || r.Makespan != 0 {
		t.Errorf("report %+v, want 40 items over 3 connections at most", r)
	}
	last := ticks()[len(ticks())-1]
	if last.Done != 4 || last.ReportsInFlight != 0 || last.SlotLimit != 3 {
		t.Errorf("last tick %+v", last)
	}
}

// On SIGTERM, as in a rolling restart, the report in flight is finished, a new one is
// rejected, and nothing is lost.
func TestServiceDrainsOnSIGTERM(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	mock, _ := upstream(t, mockupstream.Profile{})
	held := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/other") { // only the first report is blocked
			select {
			case arrived <- struct{}{}:
			default:
			}
			<-release
		}
		mock.ServeHTTP(w, r)
	}))
	let := sync.OnceFunc(func() { close(release) })
	t.Cleanup(let) // before the server is closed, which waits for blocked requests
	p, reports, _ := serving(t, held, scenarios.Variant{Name: "unbounded", Strategy: "unbounded"}, 256)
	status := report(t, reports, 5)
	<-arrived
	if err := syscall.Kill(p.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for ctx := deadline(t); ; { // until the signal has been handled
		if s := <-reportOf(t, reports, "other"); s == http.StatusServiceUnavailable {
			break
		} else if s != http.StatusOK || ctx.Err() != nil {
			t.Fatalf("status %d after SIGTERM: want 200 until the service drains, then 503", s)
		}
	}
	let()
	if s := <-status; s != http.StatusOK {
		t.Errorf("the report in flight was answered with %d", s)
	}
	if r := finish(t, p); *r.ItemsFailed != 0 || *r.ItemsDone < 5 {
		t.Errorf("report %+v, want the 5 items done", r)
	}
}

// A SUT that is out of descriptors counts errors by type and keeps reporting them.
func TestServiceRunsOutOfDescriptors(t *testing.T) {
	_, url := upstream(t, mockupstream.Profile{})
	v := scenarios.Variant{Name: "leak", Strategy: "bounded", Limit: 10, Connections: scenarios.Connections{Clients: "forgotten"}}
	p, reports, ticks := serving(t, url, v, 60)
	last := 0
	for range 20 {
		last = <-report(t, reports, 10)
	}
	if last == http.StatusOK {
		t.Error("20 reports that forget 10 connections each were all done with 60 descriptors")
	}
	r := finish(t, p, sut.TypeDrain)
	emfile := 0
	for _, e := range r.Errors {
		if e.Type == "emfile" && e.Side == "upstream" {
			emfile += e.Count
		}
	}
	tick := ticks()[len(ticks())-1]
	if emfile == 0 || tick.Errors["emfile"] != emfile {
		t.Errorf("%d emfile in %+v, last tick %+v", emfile, r.Errors, tick.Errors)
	}
}

func newServer(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
