package abtest_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"floodgate/bench/abtest"
	"floodgate/bench/experiment"
	"floodgate/bench/sut"
	records "floodgate/results"
	results "floodgate/results/pairs"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// machine simulates trials: a trial takes the time that follows from the latency, with
// noise. Injected faults have an effect, unless the machine is blind.
type machine struct {
	now    time.Time
	noise  float64
	random *rand.Rand
	blind  bool
	fails  func(trial int) bool // nil means that none fails
	trials int
}

func (*machine) Ensure(context.Context) ([]string, error) { return nil, nil }
func (*machine) Mock() bool                               { return true }

func (m *machine) Run(_ context.Context, t experiment.ScheduledTrial) (records.Trial, error) {
	m.trials++
	m.now = m.now.Add(time.Second)
	s := t.Level.Scenario
	took := 4 * float64(s.Upstream.Latency.Value) * math.Exp(m.noise*m.random.NormFloat64())
	inject := t.Inject
	if m.blind {
		inject = sut.Faults{}
	}
	if m.fails != nil && m.fails(m.trials) {
		return records.Trial{Index: t.Index, Block: t.Block, Variant: t.Variant.Name, LevelName: t.Level.Name, Outcome: records.OutcomeFailed, Reason: "the database is gone"}, nil
	}
	return records.Trial{
		Index: t.Index, Block: t.Block, Variant: t.Variant.Name, LevelName: t.Level.Name, Outcome: records.OutcomeOK, Makespan: time.Duration(took),
		Documents:   &records.Documents{Expected: 20, Found: 20 - inject.LostWrites, Lost: inject.LostWrites},
		Descriptors: records.Descriptors{Peak: 20 + inject.Descriptors, Samples: 9, Leaked: new(int)},
	}, nil
}

func selfTest(t *testing.T, m *machine, limit time.Duration) (*results.SelfTestOutcome, error) {
	t.Helper()
	m.random = rand.New(rand.NewPCG(3, 4))
	log, err := abtest.NewLog(filepath.Join(t.TempDir(), "trials.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := &results.SelfTestOutcome{Time: limit, Design: stats.DefaultDesign(), Seed: 5}
	s.Design.Margin = 0.02
	err = abtest.RunSelfTest(t.Context(), s, abtest.SelfTest{
		Tester: m, Time: limit, Now: func() time.Time { return m.now }, Log: log, Progress: func(int, time.Duration) {},
	})
	return s, err
}

func TestSelfTestOfACalmMachine(t *testing.T) {
	m := &machine{noise: 0.005}
	s, err := selfTest(t, m, 20*time.Minute)
	if err != nil || s.Exit != verdict.ExitPassed || s.Blocks != 200 || m.trials != 6*200 {
		t.Fatalf("%v: exit %d, %d blocks, %d trials", err, s.Exit, s.Blocks, m.trials)
	}
	for _, r := range s.Rows {
		injected := r.Treatment != results.Same && r.Treatment != results.SameCounts
		if r.Rate == nil || injected != (r.Rate.Low > 0.8) || !injected && r.Worse > 0 {
			t.Errorf("%+v", r)
		}
		if r.Pairs != 200 || r.Gates != r.Worse+r.NotWorse+r.Undecided || float64(r.Gates)*r.PairsEach > 200.5 {
			t.Errorf("gates share pairs: %+v", r)
		}
	}
	if got := *s.Rows[2].Ratio; math.Abs(got-1.1) > 0.005 {
		t.Errorf("+10 %% of latency is a ratio of %v", got)
	}
}

func TestSelfTestFails(t *testing.T) {
	if s, err := selfTest(t, &machine{noise: 0.005, blind: true}, 5*time.Minute); err != nil || s.Exit != verdict.ExitFailed {
		t.Errorf("%v: exit %d of a machine that sees nothing: %+v", err, s.Exit, s.Rows)
	}
}

func TestSelfTestWithoutTime(t *testing.T) {
	if s, err := selfTest(t, &machine{noise: 0.005}, 10*time.Second); err != nil || s.Exit != verdict.ExitInconclusive || len(s.Sentences()) != len(results.Treatments()) {
		t.Errorf("%v: %+v", err, s)
	}
	if _, err := selfTest(t, &machine{}, 0); !errors.Is(err, results.ErrTime) {
		t.Errorf("error %v", err)
	}
}

// A self-test that cannot measure gives up before its time is over.
func TestSelfTestGivesUp(t *testing.T) {
	m := &machine{fails: func(trial int) bool { return trial > 20 }}
	failed := new(experiment.UnmeasuredError)
	if _, err := selfTest(t, m, time.Hour); !errors.As(err, &failed) || failed.Trials != 5 || failed.Reason != "the database is gone" || m.trials != 25 {
		t.Errorf("%v after %d trials, want 25", err, m.trials)
	}
}

// Pairs in which B is worse without an injected fault are reported as false alarms.
func TestSelfTestFindsFalseAlarms(t *testing.T) {
	pairs := make([]results.Pair, 80)
	for i := range pairs {
		pairs[i] = results.Pair{A: 100, B: 110 + float64(i%7)/10}
	}
	s := &results.SelfTestOutcome{Design: stats.DefaultDesign()}
	if err := results.JudgeSelfTest(s, results.SelfTestPairs{Pairs: map[string][]results.Pair{results.Same: pairs}}); err != nil || s.Exit != verdict.ExitFailed || s.Rows[0].Worse != 10 {
		t.Errorf("%v: exit %d, %+v", err, s.Exit, s.Rows[0])
	}
}
