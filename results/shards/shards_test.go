package shards_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/shards"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline/recorder"
)

// fleetOf returns the scenario of a fleet. Its limit is divided.
func fleetOf(hosts int) *scenarios.Scenario {
	return &scenarios.Scenario{
		Version: 1, Name: "fleet", Title: "A fleet", Seed: 4, Blocks: 6,
		Items: scenarios.Items{Kind: "phone-numbers", Count: 60}, SUT: scenarios.SUT{Hosts: hosts},
		Variants: []scenarios.Variant{
			{Name: "sequential", Strategy: "sequential"},
			{Name: "divided", Strategy: "bounded", Limit: 11, LimitScope: scenarios.LimitScopeFleet},
		},
		Levels: []scenarios.LevelSet{{"items": 60}},
		Claims: []scenarios.Claim{
			{ID: "lossless", Statement: "Nothing is lost.", Documents: &scenarios.DocumentsClaim{}},
			{ID: "limit", Statement: "The limit holds.", LimitRespected: &scenarios.LimitRespectedClaim{Of: []string{"divided"}}},
			{ID: "faster", Statement: "It is faster.", Reduction: &scenarios.ReductionClaim{Of: []string{"divided"}, Reference: "sequential", AtLeast: 0.6}},
		},
		Thresholds: []scenarios.Threshold{{Rule: "divided.item.p99 < 1s"}, {Rule: "divided.makespan < 1h"}, {Rule: "divided.fd.fleet < 1000"}, {Rule: "divided.upstream.in_flight < 1000"}, {Rule: "divided.fd.peak < 1000"}},
	}
}

func histogram(t testing.TB, values ...int64) results.Histogram {
	t.Helper()
	h := hdrhistogram.New(recorder.Lowest, recorder.Highest, recorder.SignificantFigures)
	for _, v := range values {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := results.NewHistogram(h)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// shard returns a complete shard of the scenario, whose trials are all measured.
func shard(t testing.TB, number, of int) *results.Run {
	t.Helper()
	sc := fleetOf(of)
	levels, err := sc.ExpandLevels()
	if err != nil {
		t.Fatal(err)
	}
	started := time.Date(2026, 11, 28, 9, number, 0, 0, time.UTC)
	run := &results.Run{Complete: true, Header: results.Header{
		Schema: results.Schema, ID: fmt.Sprintf("20261128-09%02d00.000-abcdef-%dof%d", number, number, of), Started: started,
		ScenarioName: sc.Name, Seed: sc.Seed, Planned: 12, Shard: &results.Shard{Numbers: []int{number}, Of: of},
		Environment: results.Environment{Kind: "embedded", Database: "FerretDB", Upstream: "mock upstream", Chosen: "no engine"},
		Fingerprint: results.Fingerprint{CPU: "EPYC", Cores: 2 * number, Memory: 8 << 30, OS: "linux", Arch: "amd64", Kernel: "6.8", Go: "go1.26.8", Revision: "031258104c3b1d0a", NoFile: 1024},
		Command:     []string{"run", "fleet.yaml", "--shard", fmt.Sprintf("%d/%d", number, of), "--env", "embedded"},
	}}
	if err := run.Header.SetScenario(sc); err != nil {
		t.Fatal(err)
	}
	items := scenarios.Share(60, number-1, of)
	stages := map[string]results.Histogram{"item": histogram(t, slices.Repeat([]int64{int64(number) * 1e6}, items)...)}
	for i := range 12 {
		v := sc.Variants[i%2]
		limit, _ := v.OnHost(number-1, of).Schedule().AtOnce()
		run.Trials = append(run.Trials, results.Trial{
			Index: i, Block: i / 2, Variant: v.Name, Level: levels[0].Factors, LevelName: levels[0].Name, Items: items, Seed: uint64(100 + i/2),
			Started: started.Add(time.Duration(i) * time.Second), Outcome: results.OutcomeOK,
			Makespan: time.Duration(number*10+i) * time.Millisecond, MakespanSource: "sut", Ideal: time.Duration(number) * time.Millisecond,
			Stages: maps.Clone(stages), ItemsDone: new(items), ItemsFailed: new(0),
			Descriptors: results.Descriptors{Baseline: 8, Peak: 10 + number, Samples: 9, Predicted: 30, Leaked: new(0)},
			Resources:   results.Resources{UserCPU: 4 * time.Millisecond, PeakRSS: int64(number) << 20, Threads: 5, Goroutines: new(7)},
			Documents:   &results.Documents{Expected: items, Found: items},
			Upstream:    &results.UpstreamStats{Requests: items, PeakInFlight: limit, PeakConns: limit, Connections: limit, LateP99: time.Duration(number)},
			Machine:     &results.Conditions{Span: time.Second, Busy: new(0.25 * float64(number))},
		})
	}
	return run
}

// all returns every shard of a fleet.
func all(t testing.TB, of int) []*results.Run {
	t.Helper()
	var runs []*results.Run
	for n := 1; n <= of; n++ {
		runs = append(runs, shard(t, n, of))
	}
	return runs
}

func merge(t testing.TB, runs ...*results.Run) *results.Run {
	t.Helper()
	merged, err := shards.Merge(runs...)
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

func TestMergedTrial(t *testing.T) {
	merged := merge(t, all(t, 3)...)
	if !merged.Complete || len(merged.Trials) != 12 || merged.Header.Shard != nil {
		t.Fatalf("complete %v, %d trials, %v", merged.Complete, len(merged.Trials), merged.Header.Shard)
	}
	got := merged.Trials[1] // of "divided"
	for i, limit := range []int{4, 4, 3} {
		h := got.Hosts[i]
		if h.Index != i || h.Limit != limit || h.Items != 20 || h.End != time.Duration(10*(i+1)+1)*time.Millisecond || h.Part.Outcome != results.OutcomeOK {
			t.Errorf("host %d: %+v", i, h)
		}
	}
	var values []int64
	for number := range 3 {
		values = append(values, slices.Repeat([]int64{int64(number+1) * 1e6}, 20)...)
	}
	want := results.Trial{
		Index: 1, Variant: "divided", Level: got.Level, LevelName: "items=60", Items: 60, Seed: 100,
		Started: time.Date(2026, 11, 28, 9, 1, 1, 0, time.UTC), Outcome: results.OutcomeOK,
		Makespan: 31 * time.Millisecond, MakespanSource: "sut", Ideal: 3 * time.Millisecond,
		Stages: map[string]results.Histogram{"item": histogram(t, values...)}, ItemsDone: new(60), ItemsFailed: new(0),
		Descriptors: results.Descriptors{Baseline: 8, Peak: 13, Samples: 9, Predicted: 30, Leaked: new(0)},
		Resources:   results.Resources{UserCPU: 12 * time.Millisecond, PeakRSS: 3 << 20, Threads: 5, Goroutines: new(7)},
		Documents:   &results.Documents{Expected: 60, Found: 60},
		Upstream:    &results.UpstreamStats{Requests: 60, PeakInFlight: 11, PeakConns: 11, Connections: 11, LateP99: 3},
		Machine:     &results.Conditions{Span: time.Second, Busy: new(0.75)},
		Fleet:       &results.Fleet{Apart: true}, Hosts: got.Hosts,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	header := merged.Header
	if header.Fingerprint.Cores != 2 || header.Environment.Chosen != "" || !slices.Equal(header.Command[:2], []string{"merge", "20261128-090100.000-abcdef-1of3"}) || len(header.Merged) != 3 {
		t.Errorf("header %+v", header)
	}
}

// TestJudgment judges a merged run by what is exact, and leaves makespans open.
func TestJudgment(t *testing.T) {
	runs := all(t, 3)
	for name, c := range map[string]struct {
		run                *results.Run
		claims, thresholds []verdict.Word
		note               string
	}{
		"a shard": {
			runs[1], []verdict.Word{"inconclusive", "inconclusive", "inconclusive"}, []verdict.Word{"inconclusive", "inconclusive", "inconclusive", "inconclusive", "inconclusive"},
			"shard 2 of 3; merge all shards for the verdict (floodgate merge)",
		},
		"two of three": {
			merge(t, runs[2], runs[0]), []verdict.Word{"inconclusive", "inconclusive", "inconclusive"}, []verdict.Word{"inconclusive", "inconclusive", "inconclusive", "inconclusive", "inconclusive"},
			"shards 1 and 3 of 3; merge all shards for the verdict (floodgate merge)",
		},
		"all": {
			merge(t, runs...), []verdict.Word{"proved", "proved", "inconclusive"}, []verdict.Word{"met", "inconclusive", "inconclusive", "inconclusive", "met"},
			"merged from 3 shards, which did not start together: latencies and counts are exact, and the makespan of the fleet is unknown; the times of the hosts themselves are in the table of hosts",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := claims.Judge(c.run)
			if err != nil {
				t.Fatal(err)
			}
			var decided, budgets []verdict.Word
			for _, claim := range v.Claims {
				decided = append(decided, claim.Decision)
			}
			for _, b := range v.Thresholds {
				budgets = append(budgets, b.Decision)
			}
			if diff := cmp.Diff(c.claims, decided); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.thresholds, budgets); diff != "" {
				t.Errorf("thresholds (-want +got):\n%s", diff)
			}
			if v.Exit != verdict.ExitInconclusive || v.Notes[0] != c.note {
				t.Errorf("exit code %d, notes %q", v.Exit, v.Notes)
			}
			for _, row := range v.Table.Rows {
				if unknown := row.Makespan == nil && row.Efficiency == nil && row.Reduction == nil; unknown != (c.run.Header.Merged != nil) {
					t.Errorf("row %+v", row)
				}
			}
			if hosts := len(v.Table.Hosts); hosts != 0 && c.run.Header.Merged == nil || hosts != 2 && c.run.Header.Merged != nil {
				t.Errorf("%d rows of hosts", hosts)
			}
		})
	}
}

// TestUnmeasuredShards merges trials that one shard could not measure or did not run.
func TestUnmeasuredShards(t *testing.T) {
	runs := all(t, 3)
	spoil := func(run *results.Run, i int, outcome, reason string) {
		trial := &run.Trials[i]
		trial.Outcome, trial.Reason, trial.Makespan, trial.MakespanSource, trial.Stages = outcome, reason, 0, "", nil
	}
	spoil(runs[0], 2, results.OutcomeCrashed, "killed")
	spoil(runs[1], 2, results.OutcomeInvalid, "too slow")
	spoil(runs[2], 3, results.OutcomeTimeout, "hung")
	runs[2].Trials, runs[2].Complete = slices.Delete(runs[2].Trials, 5, 6), false
	merged := merge(t, runs...)
	for _, want := range []struct {
		index           int
		outcome, reason string
	}{
		{1, results.OutcomeOK, ""},
		{2, results.OutcomeInvalid, "shard 1 of 3: killed; shard 2 of 3: too slow"},
		{3, results.OutcomeTimeout, "shard 3 of 3: hung"},
	} {
		got := merged.Trials[want.index]
		if got.Index != want.index || got.Outcome != want.outcome || got.Reason != want.reason || (got.Makespan == 0) != (want.outcome != results.OutcomeOK) {
			t.Errorf("trial %d: %s: %s, makespan %v", got.Index, got.Outcome, got.Reason, got.Makespan)
		}
	}
	if slices.ContainsFunc(merged.Trials, func(t results.Trial) bool { return t.Index == 5 }) || merged.Complete || len(merged.Trials) != 11 {
		t.Errorf("complete %v, %d trials", merged.Complete, len(merged.Trials))
	}
	v, err := claims.Judge(merged)
	if err != nil {
		t.Fatal(err)
	}
	note := "shard 3 is not finished: it has 11 of 12 trials; resume it where it ran (floodgate run --resume 20261128-090300.000-abcdef-3of3) and merge again"
	if !slices.Contains(v.Notes, note) || v.Exit != verdict.ExitInconclusive {
		t.Errorf("exit code %d, notes %q", v.Exit, v.Notes)
	}
}

func TestRefusals(t *testing.T) {
	change := func(number int, by func(*results.Run)) *results.Run {
		run := shard(t, number, 3)
		by(run)
		return run
	}
	header := func(by func(*results.Header)) *results.Run {
		return change(2, func(run *results.Run) { by(&run.Header) })
	}
	named := func(id string, run *results.Run) *results.Run {
		run.Header.ID = id
		return run
	}
	first := shard(t, 1, 3)
	const ids = "20261128-090100.000-abcdef-1of3 and 20261128-090200.000-abcdef-2of3 are not shards of one run: "
	for name, c := range map[string]struct {
		runs []*results.Run
		want string
	}{
		"nothing":         {nil, "no shards to merge"},
		"a whole run":     {[]*results.Run{header(func(h *results.Header) { h.Shard = nil })}, "cannot merge 20261128-090200.000-abcdef-2of3: it is a whole run, not a shard (floodgate run --shard)"},
		"a plan":          {[]*results.Run{header(func(h *results.Header) { h.Search = true })}, "cannot merge 20261128-090200.000-abcdef-2of3: it is a plan, not a shard of a run"},
		"a merged run":    {[]*results.Run{merge(t, all(t, 3)...)}, "cannot merge : it is merged from all of its 3 shards already"},
		"twice":           {[]*results.Run{first, first}, "20261128-090100.000-abcdef-1of3 is given twice"},
		"the same shard":  {[]*results.Run{first, named("other", shard(t, 1, 3))}, "shard 1 of 3 is in both 20261128-090100.000-abcdef-1of3 and other; leave one of them out"},
		"overlapping":     {[]*results.Run{named("a", merge(t, first, shard(t, 3, 3))), named("b", merge(t, shard(t, 2, 3), shard(t, 3, 3)))}, "shard 3 of 3 is in both a and b; leave one of them out"},
		"number":          {[]*results.Run{first, shard(t, 2, 4)}, "20261128-090100.000-abcdef-1of3 and 20261128-090200.000-abcdef-2of4 are not shards of one run: the number of shards differs, 3 and 4"},
		"seed":            {[]*results.Run{first, header(func(h *results.Header) { h.Seed = 5 })}, ids + "the seed differs, 4 and 5"},
		"scenario":        {[]*results.Run{first, header(func(h *results.Header) { h.ScenarioName = "report" })}, ids + "the scenario differs, fleet and report"},
		"content":         {[]*results.Run{first, header(func(h *results.Header) { h.Hash = "abc" })}, ids + "the content of scenario fleet differs, hash " + first.Header.Hash[:12] + " and hash abc"},
		"quick":           {[]*results.Run{first, header(func(h *results.Header) { h.Quick = true })}, ids + "--quick differs, false and true"},
		"revision":        {[]*results.Run{first, header(func(h *results.Header) { h.Fingerprint.Revision = "b" })}, ids + "revision of Floodgate 031258104c3b and b"},
		"modified":        {[]*results.Run{first, header(func(h *results.Header) { h.Fingerprint.Modified = true })}, ids + "revision of Floodgate 031258104c3b and 031258104c3b with changes"},
		"toolchain":       {[]*results.Run{first, header(func(h *results.Header) { h.Fingerprint.Go = "go2" })}, ids + "Go go1.26.8 and go2"},
		"system":          {[]*results.Run{first, header(func(h *results.Header) { h.Fingerprint.Arch = "arm64" })}, ids + "architecture amd64 and arm64"},
		"program":         {[]*results.Run{first, header(func(h *results.Header) { h.SUT = &results.SUT{Repository: "own", Revision: "c"} })}, ids + "the program under test differs, the built-in pipeline and a program of the user's own"},
		"environment":     {[]*results.Run{first, header(func(h *results.Header) { h.Environment.Kind = "external" })}, ids + "environment embedded and external"},
		"database":        {[]*results.Run{first, header(func(h *results.Header) { h.Environment.Database = "mongo" })}, ids + "database FerretDB and mongo"},
		"another trial":   {[]*results.Run{first, change(2, func(r *results.Run) { r.Trials[4].Seed++ })}, "trial 4 of 20261128-090100.000-abcdef-1of3 is sequential at items=60 in block 2 with seed 102, that of 20261128-090200.000-abcdef-2of3 is sequential at items=60 in block 2 with seed 103: they are not of one schedule"},
		"nothing in both": {[]*results.Run{first, change(2, func(r *results.Run) { r.Trials = nil })}, "no trial is in all shards; resume the unfinished ones where they ran (floodgate run --resume)"},
		"damaged":         {[]*results.Run{first, change(2, func(r *results.Run) { r.Trials[4].Stages["item"] = results.Histogram{Count: 1, Data: "x"} })}, "trial 4: host 1: stage item: decode histogram: "},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := shards.Merge(c.runs...); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

// drawShards draws shards whose trials differ in everything that they may differ in.
func drawShards(t testing.TB, rt *rapid.T) []*results.Run {
	runs := all(t, rapid.IntRange(2, 5).Draw(rt, "of"))
	duration := func(name string) time.Duration { return time.Duration(rapid.IntRange(1, 5).Draw(rt, name)) }
	count := func(name string) int { return rapid.IntRange(0, 3).Draw(rt, name) }
	maybe := func(name string) bool { return rapid.IntRange(0, 3).Draw(rt, name) == 0 }
	for _, run := range runs {
		h := &run.Header
		h.Started = h.Started.Add(duration("run"))
		h.Fingerprint.CPU, h.Fingerprint.Cores = rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "cpu"), count("cores")
		h.Fingerprint.CPUQuota = float64(count("quota"))
		h.Environment.Notes = rapid.SliceOfN(rapid.SampledFrom([]string{"m", "n"}), 0, 2).Draw(rt, "notes")
		h.Environment.Engine = rapid.SampledFrom([]string{"", "docker"}).Draw(rt, "engine")
		kept := run.Trials[:0]
		for i, trial := range run.Trials[:4] {
			if i > 0 && maybe("not run") {
				run.Complete = false
				continue
			}
			trial.Started = trial.Started.Add(duration("started"))
			trial.Makespan, trial.Ideal = duration("makespan"), time.Duration(count("ideal"))
			if maybe("not ok") {
				trial.Outcome = rapid.SampledFrom([]string{results.OutcomeInvalid, results.OutcomeFailed, results.OutcomeCrashed, results.OutcomeTimeout}).Draw(rt, "outcome")
				trial.Reason, trial.StderrTail, trial.ExitCode = "because", fmt.Sprint(run.Header.ID, i), count("exit code")
				trial.Makespan, trial.MakespanSource = 0, ""
			}
			for range count("warnings") {
				trial.Warnings = append(trial.Warnings, fmt.Sprint(count("warning")))
			}
			if maybe("discarded") {
				trial.Discarded = []results.Discarded{{Reason: "slow"}}
			}
			if maybe("unchecked") {
				trial.Documents, trial.NoDocuments = nil, maybe("none")
			}
			switch {
			case maybe("external"):
				trial.Upstream = nil
			default:
				u := *trial.Upstream
				u.Saturated, u.LateMedian = maybe("saturated"), duration("late")
				if maybe("errors") {
					u.Errors = []results.ErrorCount{{Type: "reset", Side: "upstream", Count: 1, First: duration("first"), Sample: run.Header.ID}}
				}
				trial.Upstream = &u
			}
			if maybe("overrun") {
				trial.Overrun = &results.Overrun{Limit: count("limit"), PeakInFlight: count("peak")}
			}
			if maybe("unwatched") {
				trial.Machine = nil
			}
			if maybe("failing") {
				trial.Errors = []results.ErrorCount{{Type: "timeout", Side: "mongo", Count: 1, First: duration("first"), Sample: run.Header.ID}}
			}
			kept = append(kept, trial)
		}
		run.Trials = kept
	}
	return runs
}

func TestMergeIsAssociativeAndOrderFree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		runs := drawShards(t, rt)
		want := merge(t, runs...)
		shuffled := rapid.Permutation(runs).Draw(rt, "order")
		if diff := cmp.Diff(want, merge(t, shuffled...), cmpopts.IgnoreUnexported(results.Run{})); diff != "" {
			rt.Fatalf("another order gives another record:\n%s", diff)
		}
		// Merge two of what there is until one is left.
		for len(shuffled) > 1 {
			i := rapid.IntRange(0, len(shuffled)-2).Draw(rt, "pair")
			pair := merge(t, shuffled[i], shuffled[i+1])
			if pair.Header.Shard != nil {
				pair.Header.ID = fmt.Sprintf("merged-%d", len(shuffled))
			}
			shuffled = slices.Replace(shuffled, i, i+2, pair)
		}
		if diff := cmp.Diff(want, shuffled[0], cmpopts.IgnoreUnexported(results.Run{})); diff != "" {
			rt.Fatalf("another grouping gives another record:\n%s", diff)
		}
	})
}

// TestRecordsOfShardsAreStored stores every kind of record and reads it back.
func TestRecordsOfShardsAreStored(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../run.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	runs := all(t, 3)
	for _, run := range []*results.Run{runs[1], merge(t, runs[2], runs[0]), merge(t, runs...)} {
		s, err := results.Create(t.TempDir(), run.Header)
		if err != nil {
			t.Fatal(err)
		}
		for _, trial := range run.Trials {
			if err := s.Append(trial); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Finish(); err != nil {
			t.Fatal(err)
		}
		s.Close()
		back, err := results.Open(s.Dir())
		if err != nil {
			t.Fatal(err)
		}
		lines, err := os.ReadFile(back.Path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(lines) {
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Fatal(err)
			}
		}
		run.Header.ID = back.Header.ID
		if diff := cmp.Diff(run.Header, back.Header); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
		if diff := cmp.Diff(run.Trials, back.Trials, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(results.Trial{}, "Level")); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
		if _, err := summary.NewIndex(back); err != nil {
			t.Error(err)
		}
	}
}
