package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"testing"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/sut"
	"floodgate/bench/sut/client"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
)

// Arguments under which the test binary is a program of its own.
const (
	fetchOnly = "fetch-only"
	fetchAll  = "fetch-and-write"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch args := os.Args[2:]; {
		case os.Args[1] == sut.ChildArg:
			os.Exit(sut.Main(args, os.Stdin, os.Stdout, os.Stderr))
		case slices.Contains(environment.Children(), os.Args[1]):
			os.Exit(environment.RunChild(os.Args[1], args, os.Stdin, os.Stdout, os.Stderr))
		case os.Args[1] == fetchOnly:
			client.Main(client.Each(func(s client.Spec) (client.Func, client.Close, error) {
				end := func(context.Context) error { http.DefaultClient.CloseIdleConnections(); return nil }
				return func(ctx context.Context, item []string) error { return get(ctx, s, item) }, end, nil
			}))
		case os.Args[1] == fetchAll:
			client.Main(client.Pipeline(open))
		}
	}
	os.Exit(m.Run())
}

func get(ctx context.Context, s client.Spec, item []string) error {
	to, err := url.JoinPath(s.Upstream.URL, append([]string{"items"}, item...)...)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// open is a pipeline whose clients are those of the built-in SUT.
func open(s client.Spec) (p pipeline.Pipeline[calllog.Item, calllog.Document], end client.Close, err error) {
	fetcher, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: s.Upstream.URL})
	if err != nil {
		return p, nil, err
	}
	writer, err := calllog.NewMongoWriter(calllog.MongoOptions{URI: s.Database.URI, Database: s.Database.Name, Collection: s.Database.Collection})
	if err != nil {
		return p, nil, err
	}
	p.Fetcher, p.Writer = fetcher, writer
	return p, func(ctx context.Context) error { fetcher.Close(); return writer.Close(ctx) }, nil
}

// Both kinds of program run in real trials: every item is counted and written, the
// limit is respected, and nothing stays open.
func TestProgramsInRealTrials(t *testing.T) {
	env, err := environment.Start(t.Context(), environment.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := experiment.NewTrials(env, self, t.Name())
	for _, test := range []struct {
		program, documents, strategy string
		hosts                        int
		warmup                       string
	}{
		{fetchOnly, "none", "{strategy: bounded, limit: 3}", 1, ""},
		{fetchOnly, "none", "{strategy: sequential}", 1, ""},
		{fetchOnly, "none", "{strategy: bounded, limit: 3}", 2, ""},
		{fetchAll, "per-item", "{strategy: bounded, limit: 3}", 1, ""},
		{fetchAll, "per-item", "{strategy: staged, limit: 3, writers: 2, queue: 1}", 1, ""},
		{fetchOnly, "none", "{strategy: sequential}", 1, "warmup: {items: 7}, "},
		{fetchAll, "per-item", "{strategy: adaptive, algorithm: vegas, parameters: {max: 5, initial: 2}}", 1, "warmup: {items: 7}, "},
	} {
		t.Run(fmt.Sprintf("%s %s %son %d", test.program, test.strategy, test.warmup, test.hosts), func(t *testing.T) {
			s, err := scenarios.Parse("client.yaml", fmt.Appendf(nil, `
version: 1
name: client
title: A program that uses the package
items: {kind: date-ranges, duplicates: 0.2}
upstream: {late_bound: 10s, latency: {distribution: constant, value: 1ms}}
database: {documents: %s}
sut: {nofile: 128, hosts: %d, %scommand: [%q, %s]}
variants: [%s]
levels: [{items: 20}]
`, test.documents, test.hosts, test.warmup, self, test.program, test.strategy))
			if err != nil {
				t.Fatal(err)
			}
			plan, err := experiment.Schedule(s)
			if err != nil {
				t.Fatal(err)
			}
			record, err := r.Run(t.Context(), plan[0])
			if err != nil {
				t.Fatal(err)
			}
			// Hosts that started too far apart on a busy machine are not judged here.
			apart := test.hosts > 1 && record.Outcome == results.OutcomeInvalid
			if record.Outcome != results.OutcomeOK && !apart || len(record.Warnings) > 0 || record.Overrun != nil {
				t.Fatalf("%s %s %q %v", record.Outcome, record.Reason, record.Warnings, record.Overrun)
			}
			if record.ItemsDone == nil || *record.ItemsDone != 20 || record.Upstream.Requests != 20 || record.Stages["item"].Count != 20 {
				t.Errorf("items %v, requests %d, latencies of %d, want 20 each", record.ItemsDone, record.Upstream.Requests, record.Stages["item"].Count)
			}
			if limit := s.DeclaredLimit(s.Variants[0]); record.Upstream.PeakInFlight > limit {
				t.Errorf("peak in flight %d > limit %d", record.Upstream.PeakInFlight, limit)
			}
			for _, h := range record.Hosts {
				if h.MakespanSource != "sut" || h.Items != 20/test.hosts || h.End <= h.Start {
					t.Errorf("host %d with %d items worked from %v to %v (%s)", h.Index, h.Items, h.Start, h.End, h.MakespanSource)
				}
			}
			if w := record.Warmup; (w != nil) != (test.warmup != "") || w != nil && len(w.Early) != 10 {
				t.Errorf("warm-up %+v", w)
			}
			if left := record.Descriptors.Leaked; left == nil || *left != 0 {
				t.Errorf("left open: %v", left)
			}
			switch d := record.Documents; {
			case test.documents == "none":
				if d != nil || !record.NoDocuments {
					t.Errorf("documents %+v, none expected: %t", d, record.NoDocuments)
				}
			case d == nil || d.Found != 20 || d.Violations() > 0:
				t.Errorf("documents %+v, want 20", d)
			}
		})
	}
}

// A function that fetches and writes one item is a program in three lines.
func ExampleEach() {
	client.Main(client.Each(func(s client.Spec) (client.Func, client.Close, error) {
		return func(ctx context.Context, item []string) error { return get(ctx, s, item) }, nil, nil
	}))
}
