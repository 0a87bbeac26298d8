package history_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/history"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// day returns a small run of the day, changed by the test.
func day(n int, change func(*results.Trial) bool) *results.Run {
	rng := rand.New(rand.NewPCG(8, uint64(n)))
	run := runtest.New(runtest.Options{
		Blocks: 6, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{20, 50}}},
		Change: func(t *results.Trial) bool {
			t.Makespan = time.Duration(float64(t.Makespan) * (1 + 0.01*rng.NormFloat64()))
			return change == nil || change(t)
		},
	})
	run.Header.Started = time.Date(2026, 11, n, 8, 0, 0, 0, time.UTC)
	run.Header.ID = fmt.Sprintf("202611%02d-080000.000-%06x", n, n)
	run.Header.Fingerprint.Revision = fmt.Sprintf("%040x", n)
	return run
}

func find(t *testing.T, g history.Group, metric, variant, level string) history.Series {
	t.Helper()
	i := slices.IndexFunc(g.Series, func(s history.Series) bool {
		return s.Metric == metric && s.Variant == variant && s.Level == level
	})
	if i < 0 {
		t.Fatalf("no series of %s of %s at %s", metric, variant, level)
	}
	return g.Series[i]
}

// slowed makes joined-10 at 50 items slower from a day on, and makes an item fail.
func slowed(from, n int) func(*results.Trial) bool {
	return func(t *results.Trial) bool {
		if t.Variant == "joined-10" && t.Items == 50 && n >= from {
			t.Makespan = t.Makespan * 5 / 4
			t.Errors = []results.ErrorCount{{Type: "timeout", Side: "mongo", Count: 2, Sample: "late"}}
		}
		return true
	}
}

func TestAChangeIsFoundInItsSeriesAlone(t *testing.T) {
	var c history.Collector
	order := rand.New(rand.NewPCG(1, 1)).Perm(16)
	for _, i := range order { // the order in which runs are read does not matter
		c.Add(day(i+1, slowed(10, i+1)))
	}
	h := c.History(history.Options{})
	if len(h.Groups) != 1 || len(h.Omitted) > 0 || len(h.Groups[0].Runs) != 16 || h.Level != 0.01 {
		t.Fatalf("%+v", h)
	}
	g := h.Groups[0]
	for _, s := range g.Series {
		should := s.Variant == "joined-10" && s.Level == "items=50" &&
			slices.Contains([]string{history.Makespan, history.Reduction, history.Efficiency, history.Errors}, s.Metric)
		if (len(s.Changes) == 1) != should || len(s.Changes) > 1 {
			t.Errorf("%s of %s at %s: %+v", s.Metric, s.Variant, s.Level, s.Changes)
		}
	}
	change := find(t, g, history.Makespan, "joined-10", "items=50").Changes[0]
	if share, ok := change.Relative(); g.Runs[change.After].Started.Day() != 9 || g.Runs[change.First].Started.Day() != 10 || !ok || share < 0.2 || share > 0.3 {
		t.Errorf("%+v, %v", change, share)
	}
	change = find(t, g, history.Errors, "joined-10", "items=50").Changes[0]
	if _, ok := change.Relative(); ok || change.From != 0 || change.To != 12 {
		t.Errorf("%+v", change)
	}
	if s := find(t, g, history.Reduction, "joined-10", "items=50"); s.Changes[0].To >= s.Changes[0].From {
		t.Errorf("%+v", s.Changes)
	}
}

// A run without a value is a gap, and a change is between the runs around it.
func TestGaps(t *testing.T) {
	var c history.Collector
	for n := range 14 {
		c.Add(day(n+1, func(s *results.Trial) bool {
			slowed(8, n+1)(s)
			if s.Variant == "joined-10" && n+1 == 8 {
				s.Outcome, s.Makespan, s.Reason, s.Errors = results.OutcomeCrashed, 0, "gone", nil
			}
			return true
		}))
	}
	s := find(t, c.History(history.Options{}).Groups[0], history.Makespan, "joined-10", "items=50")
	if s.Values[7] != nil || len(s.Changes) != 1 || s.Changes[0].After != 6 || s.Changes[0].First != 8 {
		t.Errorf("%v, %+v", s.Values[7], s.Changes)
	}
}

// Runs that differ in scenario, environment, machine or size are in different groups;
// runs that cannot be used are listed.
func TestGroups(t *testing.T) {
	var c history.Collector
	add := func(n int, change func(*results.Run)) {
		run := day(n, nil)
		change(run)
		c.Add(run)
	}
	for n := range 3 {
		add(n+1, func(r *results.Run) {
			r.Header.Fingerprint.Kernel, r.Header.Fingerprint.Memory = fmt.Sprint(n), 8<<30+int64(n)
		})
	}
	add(10, func(r *results.Run) { r.Header.Environment.Kind = "containers" })
	add(11, func(r *results.Run) { r.Header.Fingerprint.Cores = 64 })
	add(12, func(r *results.Run) { r.Header.Fingerprint.CPU = "other" })
	add(19, func(r *results.Run) { r.Header.Fingerprint.GOMAXPROCS = 2 })
	add(20, func(r *results.Run) { r.Header.Fingerprint.GOMAXPROCS, r.Header.Fingerprint.CPUQuota = 2, 1 })
	add(13, func(r *results.Run) { r.Header.Quick = true })
	add(14, func(r *results.Run) { r.Header.ScenarioName = "another" })
	add(15, func(r *results.Run) {
		r.Header.Scenario = bytes.Replace(r.Header.Scenario, []byte(`"seed":`), []byte(`"seed":1`), 1)
	})
	add(16, func(r *results.Run) { r.Trials, r.Complete = r.Trials[:5], false })
	add(17, func(r *results.Run) { r.Header.Search = true })
	add(18, func(r *results.Run) { r.Trials[3].Variant = "unheard of" })
	add(1, func(*results.Run) {})
	c.Omit("20260101", "damaged")
	h := c.History(history.Options{})
	var groups, left []string
	for _, g := range h.Groups {
		groups = append(groups, fmt.Sprintf("%s %d", g.Scenario, len(g.Runs)))
	}
	for _, l := range h.Omitted {
		left = append(left, l.Why)
	}
	if got := strings.Join(groups, ", "); got != "another 1, report 3, report 1, report 1, report 1, report 1, report 1, report 1, report 1" {
		t.Error(got)
	}
	if got := strings.Join(left, "; "); !strings.HasPrefix(got, `damaged; a copy of another run; not finished: 5 of 24 trials; the search of a plan; run "20261118`) {
		t.Error(got)
	}
	if g := h.Groups[1]; g.Needed != 10 || slices.ContainsFunc(g.Series, func(s history.Series) bool { return len(s.Changes) > 0 }) {
		t.Errorf("%+v", g)
	}
}

// Of very many runs, only the newest are searched.
func TestLimit(t *testing.T) {
	var c history.Collector
	for n := range history.Limit + 30 {
		run := day(1, slowed(10, n))
		run.Header.Started = run.Header.Started.Add(time.Duration(n) * time.Hour)
		run.Header.ID = fmt.Sprintf("20261101-%09d", n)
		c.Add(run)
	}
	g := c.History(history.Options{}).Groups[0]
	if len(g.Runs) != history.Limit+30 || g.Older != 30 || !strings.HasSuffix(g.Runs[0].ID, "-000000000") {
		t.Errorf("%d runs from %s, %d older", len(g.Runs), g.Runs[0].ID, g.Older)
	}
	if s := find(t, g, history.Makespan, "joined-10", "items=50"); len(s.Values) != len(g.Runs) || s.Values[0] == nil || len(s.Changes) > 0 {
		t.Errorf("%d values, changes %+v: the one at run 10 is not searched for", len(s.Values), s.Changes)
	}
}

// A change in the newest of very many runs is at the right run.
func TestLimitKeepsIndexes(t *testing.T) {
	var c history.Collector
	const at = history.Limit + 10
	for n := range history.Limit + 30 {
		run := day(1, slowed(at, n))
		run.Header.Started = run.Header.Started.Add(time.Duration(n) * time.Hour)
		run.Header.ID = fmt.Sprintf("20261101-%09d", n)
		c.Add(run)
	}
	s := find(t, c.History(history.Options{}).Groups[0], history.Makespan, "joined-10", "items=50")
	if len(s.Changes) != 1 || s.Changes[0].After != at-1 || s.Changes[0].First != at {
		t.Errorf("%+v", s.Changes)
	}
}

// Medians and reductions have intervals around them, and no other metric has.
func TestIntervals(t *testing.T) {
	var c history.Collector
	for n := range 3 {
		c.Add(day(n+1, nil))
	}
	seen := map[string]bool{}
	for _, s := range c.History(history.Options{}).Groups[0].Series {
		has := s.Metric == history.Makespan || s.Metric == history.Reduction || s.Metric == history.Efficiency || s.Metric == history.CPU || s.Metric == history.Memory
		if has != (s.Intervals != nil) {
			t.Errorf("%s: intervals %v", s.Metric, s.Intervals)
		}
		for i, interval := range s.Intervals {
			if v := *s.Values[i]; interval == nil || interval.Low > v || interval.High < v {
				t.Errorf("%s of %s: %v in %+v", s.Metric, s.Variant, v, interval)
			}
		}
		seen[s.Metric] = true
	}
	for _, metric := range []string{history.Makespan, history.Reduction, history.Efficiency, history.Peak, history.Errors} {
		if !seen[metric] {
			t.Errorf("no %s", metric)
		}
	}
}

// The metrics of a service are others.
func TestService(t *testing.T) {
	var c history.Collector
	c.Add(runtest.Service(nil, nil))
	seen := map[string]bool{}
	h := c.History(history.Options{})
	if len(h.Groups) != 1 {
		t.Fatalf("%+v", h.Omitted)
	}
	for _, s := range h.Groups[0].Series {
		seen[s.Metric] = true
	}
	if !seen[history.ResponseP99] || !seen[history.Peak] || seen[history.Makespan] || seen[history.Reduction] {
		t.Errorf("%v", seen)
	}
}

// A group tells why its runs are not comparable with the first ones.
func TestDiffers(t *testing.T) {
	var c history.Collector
	add := func(n int, change func(*results.Run)) {
		run := day(n, nil)
		change(run)
		c.Add(run)
	}
	add(1, func(*results.Run) {})
	add(2, func(*results.Run) {})
	add(3, func(r *results.Run) { r.Header.Fingerprint.Cores = 64 })
	add(4, func(r *results.Run) { r.Header.Quick = true })
	add(5, func(r *results.Run) {
		r.Header.Scenario = bytes.Replace(r.Header.Scenario, []byte(`"seed":`), []byte(`"seed":1`), 1)
	})
	add(6, func(r *results.Run) { r.Header.ScenarioName = "report-2" })
	var got []string
	for _, g := range c.History(history.Options{}).Groups {
		got = append(got, strings.Join(g.Differs, "; "))
	}
	if words := strings.Join(got, " | "); words != " | cores 64 and 2 | the quick version | another version of the scenario | " {
		t.Error(words)
	}
}

func TestNothing(t *testing.T) {
	if h := new(history.Collector).History(history.Options{}); h.Groups == nil || len(h.Groups)+len(h.Omitted) > 0 {
		t.Errorf("%+v", h)
	}
}
