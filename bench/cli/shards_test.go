package cli

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"floodgate/bench/experiment"
	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/results/verdict"
)

// Two shards that run at the same time share a database and an upstream: each writes to a
// database of its own, and counts only its own requests and documents.
func TestShardsShareServers(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	announced := make(chan struct{})
	mongo := &served{announced: announced}
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"mongo", "--addr", "127.0.0.1:0"}, mongo, mongo) }()
	defer func() { cancel(); <-ended }()
	select {
	case <-announced:
	case code := <-ended:
		ended <- code
		t.Fatalf("the database ended with %d: %s", code, &mongo.text)
	}
	_, rest, _ := strings.Cut(mongo.text.String(), "mongodb://")
	uri, _, _ := strings.Cut("mongodb://"+rest, ";")

	mock, err := mockupstream.New(mockupstream.Profile{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer mock.Close()
	var requests atomic.Int64
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/items/") {
			http.NotFound(w, r) // so that it is not taken for a mock
			return
		}
		requests.Add(1)
		mock.ServeHTTP(w, r)
	}))
	defer upstream.Close()

	dir := t.TempDir()
	file, root := filepath.Join(dir, "external.yaml"), filepath.Join(dir, "runs")
	if err := os.WriteFile(file, []byte(externalScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, shard := range []string{"1/2", "2/2"} {
		group.Go(func() {
			var output bytes.Buffer
			code := run(ctx, []string{"run", file, "--shard", shard, "--out", root, "--mongo-uri", uri, "--upstream-url", upstream.URL}, &output, &output)
			if code != verdict.ExitInconclusive {
				t.Errorf("shard %s: exit code %d\n%s", shard, code, &output)
			}
		})
	}
	group.Wait()
	if n := requests.Load(); n != 6*5+2 { // each tries the upstream once
		t.Errorf("%d requests, want 32", n)
	}
	listed, err := results.List(root)
	if err != nil || len(listed) != 2 {
		t.Fatalf("runs %v, %v", listed, err)
	}
	args := []string{"merge", "--out", root}
	for _, l := range listed {
		stored, err := results.Open(l.Dir)
		if err != nil {
			t.Fatal(err)
		}
		h := stored.Header
		if database := experiment.DatabaseName(h.ID); !strings.HasSuffix(database, h.Shard.String()[len("shard "):len("shard 1")]+"of2") {
			t.Errorf("%v wrote to database %s", h.Shard, database)
		}
		for _, trial := range stored.Trials {
			if d := trial.Documents; d == nil || d.Found != trial.Items || d.Foreign+d.Lost != 0 || trial.Items != 3 && h.Shard.Numbers[0] == 1 || trial.Items != 2 && h.Shard.Numbers[0] == 2 {
				t.Errorf("%v: trial %d has %d items and documents %+v", h.Shard, trial.Index, trial.Items, d)
			}
		}
		args = append(args, l.ID)
	}
	var stdout, stderr bytes.Buffer
	if code := run(ctx, args, &stdout, &stderr); code != verdict.ExitInconclusive || !strings.Contains(stdout.String(), "30 of 30 found, 0 lost") {
		t.Errorf("exit code %d\n%s%s", code, &stderr, &stdout)
	}
}
