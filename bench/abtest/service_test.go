package abtest_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"floodgate/bench/abtest"
	"floodgate/bench/experiment"
	records "floodgate/results"
	results "floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

const serviceScenario = `
version: 1
name: reportd
title: Reports
sut: {command: [./reportd, "{{addr}}"]}
service:
  requests: [{path: /reports}]
  arrivals: {rate: 100}
  duration: 10s
variants: [{name: one}]
`

// serviceMachine simulates the trials of an HTTP service.
type serviceMachine struct {
	slower  float64 // the share by which it exceeds 20 ms
	open    int     // descriptors in addition to 20
	crashes bool    // under load, from the second trial
	silent  bool    // never ready
	random  *rand.Rand
	trials  int
}

func (*serviceMachine) Ensure(context.Context) ([]string, error) { return nil, nil }
func (*serviceMachine) Mock() bool                               { return true }

func (m *serviceMachine) Run(_ context.Context, t experiment.ScheduledTrial) (records.Trial, error) {
	m.trials++
	record := records.Trial{
		Index: t.Index, Block: t.Block, Variant: t.Variant.Name, LevelName: t.Level.Name, Outcome: records.OutcomeOK,
		Descriptors: records.Descriptors{Peak: 20 + m.open, Samples: 9},
	}
	switch {
	case m.silent:
		record.Outcome, record.NotReady, record.Reason = records.OutcomeCrashed, true, "the service ended with exit status 3 before it was ready"
		return record, nil
	case m.crashes:
		record.Outcome, record.Reason = records.OutcomeCrashed, "the service ended with exit status 7 under load"
		return record, nil
	}
	took := time.Duration((1 + m.slower) * 20e6 * math.Exp(0.02*m.random.NormFloat64()))
	record.Resources.UserCPU = took * 10
	record.Service = &records.Service{
		Due: 1000, Ended: 1000, OK: 1000, Response: records.Histogram{P50: took / 3, P99: took}, ServiceTime: records.Histogram{P99: took},
		Series: records.Series{At: []int64{10_000}, Columns: map[records.Column][]int64{records.ColumnDescriptors: {int64(15 + m.open)}}},
	}
	return record, nil
}

// TestRevisionsOfAnHTTPService compares pairs of simulated services.
func TestRevisionsOfAnHTTPService(t *testing.T) {
	full, err := scenarios.Parse("reportd.yaml", []byte(serviceScenario))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b      serviceMachine
		exit   int
		blocks int
	}{
		"the same":       {serviceMachine{}, verdict.ExitPassed, 9},
		"slower":         {serviceMachine{slower: 0.3}, verdict.ExitFailed, 9}, // three figures share alpha
		"descriptors":    {serviceMachine{open: 50}, verdict.ExitFailed, 1},
		"crashes":        {serviceMachine{crashes: true}, verdict.ExitFailed, 1},
		"does not start": {serviceMachine{silent: true}, verdict.ExitNotMeasured, 0},
	} {
		t.Run(name, func(t *testing.T) {
			v := &results.Outcome{Kind: results.Revisions, Seed: 7, Design: stats.DefaultDesign()}
			s, err := abtest.Restrict(full, nil, "", v.Design)
			if err != nil {
				t.Fatal(err)
			}
			a := &serviceMachine{random: rand.New(rand.NewPCG(1, 4))}
			c.b.random = rand.New(rand.NewPCG(2, 4))
			p := abtest.Pairs{Scenario: s, Descriptors: 10, Progress: func(int, int) {}, Note: func(string) {}}
			for side, into := range map[string]*abtest.Side{"a": &p.A, "b": &p.B} {
				env := records.Environment{Kind: "embedded", Database: "none", Upstream: "none"}
				store, err := abtest.CreateRecord(t.TempDir(), side, s, env, records.Fingerprint{}, results.Side{}, nil, time.Unix(0, 0))
				if err != nil {
					t.Fatal(err)
				}
				defer store.Close()
				into.Store = store
			}
			p.A.Tester, p.B.Tester = a, &c.b
			blocks, err := abtest.RunPairs(t.Context(), v, p)
			if err != nil || v.Exit != c.exit || blocks != c.blocks {
				t.Errorf("%v: exit %d after %d blocks, want %d after %d: %+v %+v", err, v.Exit, blocks, c.exit, c.blocks, v.Cells, v.Counts)
			}
			if name == "does not start" != (v.Unmeasured != "") {
				t.Errorf("unmeasured: %q", v.Unmeasured)
			}
		})
	}
}
