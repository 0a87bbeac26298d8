package experiment_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"floodgate/bench/experiment"
	"floodgate/mockupstream"
)

// pidsVariable names the folder in which children of the environment leave their process
// IDs, in files with the names of their subcommands.
const pidsVariable = "FLOODGATE_TEST_PIDS"

// leavePID writes the process ID of a child for the test that kills it.
func leavePID(child string) {
	if err := os.WriteFile(filepath.Join(os.Getenv(pidsVariable), child), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		panic(err)
	}
}

// killChild kills a child that the environment of the tests has started.
func killChild(t *testing.T, child string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(os.Getenv(pidsVariable), child))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Error(err)
	}
}

// Moments of a trial, in order.
const (
	beforeStart  = "before the SUT starts"
	whileRunning = "while the SUT runs"
	atTheEnd     = "when the SUT has ended"
	checking     = "while the documents are checked"
)

// moments is an environment that calls a function at each moment of a trial. Its upstream
// is a front of the real one.
type moments struct {
	experiment.Environment
	front *httptest.Server
	now   func(moment string)
	// hang makes requests to the upstream wait until the SUT has ended.
	hang func() bool
}

// atMoments returns the environment of all tests with a function to call at each moment.
func atMoments(t *testing.T, hang func() bool, now func(moment string)) *moments {
	t.Helper()
	env, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	m := &moments{Environment: env, now: now, hang: hang}
	proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		upstream, _ := url.Parse(env.UpstreamURL()) // others have parsed it
		r.SetURL(upstream)
	}}
	m.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.now(whileRunning)
		if m.hang() {
			<-r.Context().Done()
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(m.front.Close)
	return m
}

func (m *moments) UpstreamURL() string { return m.front.URL }

func (m *moments) Prepare(ctx context.Context, db, collection string) error {
	defer m.now(beforeStart)
	return m.Environment.Prepare(ctx, db, collection)
}

func (m *moments) UpstreamStats(ctx context.Context) (mockupstream.Stats, error) {
	m.now(atTheEnd)
	return m.Environment.UpstreamStats(ctx)
}

func (m *moments) Documents(ctx context.Context, db, collection string, each func(bson.Raw) error) error {
	return m.Environment.Documents(ctx, db, collection, func(raw bson.Raw) error {
		m.now(checking)
		return each(raw)
	})
}

// endless is a scenario whose trials end by themselves after an hour at the earliest if the
// upstream does not answer.
const endless = `
version: 1
name: endless
title: A trial that does not end without the upstream
items: {kind: phone-numbers}
upstream: {late_bound: 1h}
sut: {timeout: 1h, fetch_timeout: 1h, write_timeout: 1h}
variants: [{strategy: bounded, limit: 2}]
levels: [{items: 12}]
blocks: 6
`

// A server of the environment that ends at any moment of a trial costs only the attempt,
// which is abandoned when the server ends: the SUT would not end before its timeout.
func TestTrialIsAbandonedWhenAServerEnds(t *testing.T) {
	for _, c := range []struct{ child, moment string }{
		{"mongo", beforeStart}, {"mongo", whileRunning}, {"mongo", atTheEnd}, {"mongo", checking},
		{"upstream", beforeStart}, {"upstream", whileRunning}, {"upstream", checking},
		{"dbproxy", whileRunning}, {"dbproxy", checking},
	} {
		t.Run(c.child+" "+c.moment, func(t *testing.T) {
			var killed, ensured atomic.Bool
			env := atMoments(t,
				func() bool { return !ensured.Load() && (c.moment == whileRunning || c.moment == beforeStart) },
				func(moment string) {
					if moment == c.moment && killed.CompareAndSwap(false, true) {
						killChild(t, c.child+"-child")
					}
				})
			trials := trials(t)
			trials.Environment = env
			var h heard
			r := experiment.Runner{Tester: trials, Append: h.append, Retries: 4, Progress: experiment.Notes(func(text string) {
				ensured.Store(true)
				h.notes = append(h.notes, text)
			})}
			record, err := r.Trial(t.Context(), plan(t, scenario(t, endless))[0])
			if err != nil {
				t.Fatal(err)
			}
			ended := c.child + " ended: "
			if record.Outcome != ok || len(record.Errors) > 0 || len(h.stored) != 1 {
				t.Errorf("%s %s %+v, %d stored", record.Outcome, record.Reason, record.Errors, len(h.stored))
			}
			if d := record.Documents; d == nil || d.Expected != 12 || d.Found != 12 || d.Lost+d.Corrupt+d.Foreign+d.Unwritten != 0 {
				t.Errorf("documents %+v", d)
			}
			if d := record.Discarded; len(d) != 1 || !d[0].ServerEnded || !strings.HasPrefix(d[0].Reason, ended) || d[0].Started.IsZero() {
				t.Errorf("discarded %+v", d)
			}
			if len(h.notes) != 1 || !strings.HasPrefix(h.notes[0], ended) {
				t.Errorf("notes %q", h.notes)
			}
		})
	}
}

// A server that ends in every attempt is an outcome, with the reason.
func TestServerThatEndsInEveryAttempt(t *testing.T) {
	env := atMoments(t, func() bool { return true }, func(moment string) {
		if moment == beforeStart {
			killChild(t, "mongo-child")
		}
	})
	trials := trials(t)
	trials.Environment = env
	r := experiment.Runner{Tester: trials, Retries: 2}
	record, err := r.Trial(t.Context(), plan(t, scenario(t, endless))[0])
	if err != nil {
		t.Fatal(err)
	}
	if record.Outcome != failed || !strings.HasPrefix(record.Reason, "mongo ended: ") || record.Makespan != 0 || len(record.Discarded) != 2 {
		t.Errorf("%s %q, discarded %+v", record.Outcome, record.Reason, record.Discarded)
	}
	if _, err := env.Ensure(t.Context()); err != nil {
		t.Error(err)
	}
}

// An interrupted trial is not one whose server ended.
func TestInterruptedTrialWhoseServerEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	env := atMoments(t, func() bool { return true }, func(moment string) {
		if moment == beforeStart {
			killChild(t, "upstream-child")
			cancel()
		}
	})
	trials := trials(t)
	trials.Environment = env
	_, err := trials.Run(ctx, plan(t, scenario(t, endless))[0])
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if died, err := env.Ensure(t.Context()); err != nil || !slices.ContainsFunc(died, func(text string) bool { return strings.HasPrefix(text, "upstream ended: ") }) {
		t.Errorf("%q, %v", died, err)
	}
}

// A service under load is abandoned in the same way.
func TestServiceIsAbandonedWhenAServerEnds(t *testing.T) {
	var killed atomic.Bool
	env := atMoments(t, func() bool { return !killed.Load() }, func(moment string) {
		if moment == whileRunning && killed.CompareAndSwap(false, true) {
			killChild(t, "upstream-child")
		}
	})
	trials := trials(t)
	trials.Environment = env
	trials.IgnoreLag()
	r := experiment.Runner{Tester: trials, Retries: 1}
	record, err := r.Trial(t.Context(), plan(t, scenario(t, `
version: 1
name: reports
title: Reports
items: {kind: phone-numbers}
upstream: {late_bound: 1h}
sut: {timeout: 1h, fetch_timeout: 1h, write_timeout: 1h}
service: {report_items: 2, duration: 1s, arrivals: {rate: 5}, timeout: 1m, stall: 1m}
levels: [{service.report_items: 2}]
variants: [{strategy: bounded, limit: 2}]
blocks: 6
`))[0])
	if err != nil {
		t.Fatal(err)
	}
	if record.Outcome != ok || len(record.Discarded) != 1 || !record.Discarded[0].ServerEnded || record.Service == nil || record.Service.OK != record.Service.Due {
		t.Errorf("%s %s, discarded %+v, %+v", record.Outcome, record.Reason, record.Discarded, record.Service)
	}
}
