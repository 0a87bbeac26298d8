package claims_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// judgeService judges one claim about a simulated run of a service.
func judgeService(t *testing.T, c scenarios.Claim, change func(*results.Trial) bool) claims.Claim {
	t.Helper()
	c.ID, c.Statement = "claim", "so it is"
	v, err := claims.Judge(runtest.Service([]scenarios.Claim{c}, change))
	if err != nil {
		t.Fatal(err)
	}
	return v.Claims[0]
}

func TestServiceClaims(t *testing.T) {
	fast := map[string]any{"service.arrivals.rate": 8}
	exhaustion := func(where map[string]any, of ...string) scenarios.Claim {
		return scenarios.Claim{Exhaustion: &scenarios.ExhaustionClaim{Of: of, Where: where}}
	}
	never := func(of ...string) scenarios.Claim {
		return scenarios.Claim{Exhaustion: &scenarios.ExhaustionClaim{Of: of, Is: "never", Where: fast}}
	}
	cause := func(is string, of ...string) scenarios.Claim {
		return scenarios.Claim{Cause: &scenarios.CauseClaim{Of: of, Is: is}}
	}
	course := func(climbs, steady []string, of ...string) scenarios.Claim {
		return scenarios.Claim{TimeSeries: &scenarios.TimeSeriesClaim{Of: of, Climbs: climbs, Steady: steady, Where: fast}}
	}
	predictedExhaustion := func(within float64, where map[string]any, of ...string) scenarios.Claim {
		return scenarios.Claim{PredictedExhaustion: &scenarios.PredictedExhaustionClaim{Of: of, Within: scenarios.Percent(within), Where: where}}
	}
	tasks, pool := []string{"goroutines"}, []string{"mongo_in_use"}
	later := func(t *results.Trial) bool { // twice as long until the first refusal, though half were open as early
		s := &t.Service.Series
		if t.Variant != "forgotten" || !strings.Contains(t.LevelName, "rate=8") {
			return true
		}
		for i := range s.At {
			if s.Columns[results.ColumnDescriptors][i] > 128 {
				s.At[i] += 3 * (s.At[i] - s.At[0])
			}
		}
		return true
	}
	short := func(t *results.Trial) bool {
		s := &t.Service.Series
		s.At = s.At[:20]
		for name := range s.Columns {
			s.Columns[name] = s.Columns[name][:20]
		}
		return true
	}
	oneSpared := func(t *results.Trial) bool {
		if t.Variant == "forgotten" && t.Block == 3 {
			for i := range t.Service.Series.Columns[results.ColumnRefused] {
				t.Service.Series.Columns[results.ColumnRefused][i] = 0
			}
		}
		return true
	}
	oneMissing := func(t *results.Trial) bool { return t.Block != 5 }
	oneCrashed := func(t *results.Trial) bool {
		if t.Block == 2 {
			t.Outcome, t.Service = results.OutcomeCrashed, nil
		}
		return true
	}
	tests := map[string]struct {
		claim  scenarios.Claim
		change func(*results.Trial) bool
		want   verdict.Word
	}{
		"all run out":                {exhaustion(fast, "forgotten"), nil, verdict.Proved},
		"none runs out":              {exhaustion(fast, "shared-10"), nil, verdict.Refuted},
		"none, as claimed":           {never("shared-10"), nil, verdict.Proved},
		"all, against the claim":     {never("forgotten"), nil, verdict.Refuted},
		"never, but for one":         {never("forgotten"), oneSpared, verdict.Undecided},
		"never, and one not run":     {never("shared-10"), oneMissing, verdict.Undecided},
		"never, and one crashed":     {never("shared-10"), oneCrashed, verdict.Undecided},
		"one is spared":              {exhaustion(fast, "forgotten"), oneSpared, verdict.Undecided},
		"one was not run":            {exhaustion(fast, "forgotten"), oneMissing, verdict.Undecided},
		"none of those that ran":     {exhaustion(fast, "shared-10"), oneMissing, verdict.Undecided},
		"one crashed":                {exhaustion(fast, "forgotten"), oneCrashed, verdict.Undecided},
		"a leak":                     {cause("leak", "forgotten"), nil, verdict.Proved},
		"no leak":                    {cause("leak", "shared-10"), nil, verdict.Refuted},
		"load":                       {cause("load", "shared-10"), nil, verdict.Proved},
		"not that it does not grow":  {cause("neither", "shared-10"), nil, verdict.Refuted},
		"a cause, and one not run":   {cause("leak", "forgotten"), oneMissing, verdict.Undecided},
		"a cause, and one crashed":   {cause("load", "shared-10"), oneCrashed, verdict.Undecided},
		"a leak that was given back": {cause("leak", "forgotten"), func(t *results.Trial) bool { t.Descriptors.Leaked = new(0); return true }, verdict.Refuted},
		"tasks climb, not the pool":  {course(tasks, pool, "forgotten"), nil, verdict.Proved},
		"the pool climbs, not tasks": {course(pool, tasks, "forgotten"), nil, verdict.Refuted},
		"nothing climbs":             {course(tasks, pool, "shared-10"), nil, verdict.Refuted},
		"all is steady":              {course(nil, append(pool, tasks...), "shared-10"), nil, verdict.Proved},
		"too short a course":         {course(tasks, pool, "forgotten"), short, verdict.Undecided},
		"a course, and one crashed":  {course(tasks, pool, "forgotten"), oneCrashed, verdict.Undecided},
		"as predicted":               {predictedExhaustion(0.2, fast, "forgotten"), nil, verdict.Proved},
		"later than predicted":       {predictedExhaustion(0.2, fast, "forgotten"), later, verdict.Refuted},
		"predicted, never ran out":   {predictedExhaustion(0.2, fast, "shared-10"), nil, verdict.Undecided},
		"predicted, one crashed":     {predictedExhaustion(0.2, fast, "forgotten"), oneCrashed, verdict.Undecided},
		"nothing is lost":            {scenarios.Claim{Documents: &scenarios.DocumentsClaim{}}, nil, verdict.Proved},
		"something is lost": {scenarios.Claim{Documents: &scenarios.DocumentsClaim{}}, func(t *results.Trial) bool {
			if t.Index == 3 {
				t.Documents.Lost = 1
			}
			return true
		}, verdict.Refuted},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := judgeService(t, test.claim, test.change)
			if c.Decision != test.want {
				t.Errorf("%s, want %s: %+v", c.Decision, test.want, c.Evidence)
			}
		})
	}
}

// The verdict names the leaking kind, its amount, and when the limit is reached.
func TestServiceClaimsHaveReasons(t *testing.T) {
	v, err := claims.Judge(runtest.Service(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"forgotten": "4.0 descriptors leaked per completed report: EMFILE at the 5",
		"shared-10": "2.0 descriptors per report in flight: EMFILE at 118 reports in flight",
	}
	for _, r := range v.Service {
		if !strings.HasPrefix(r.Detail, want[r.Variant]) {
			t.Errorf("%s at %s: %q, want %q", r.Variant, r.Level, r.Detail, want[r.Variant])
		}
	}
}

// The load is described per item if items in flight explain it.
func TestCauseIsPerItem(t *testing.T) {
	v, err := claims.Judge(runtest.Service(nil, func(t *results.Trial) bool {
		c := t.Service.Series.Columns
		for i, n := range c[results.ColumnReportsInFlight] {
			c[results.ColumnItemsFetching][i], c[results.ColumnItemsWriting][i] = n, n // 2 of a report in flight, which hold 2 descriptors
		}
		return true
	}))
	if err != nil {
		t.Fatal(err)
	}
	if detail := v.Service[0].Detail; !strings.HasPrefix(detail, "1.0 descriptors per item in flight: EMFILE at 236 items in flight") {
		t.Errorf("%q", detail)
	}
}

// The record has every column that a claim can refer to.
func TestTimeSeriesColumnsAreRecorded(t *testing.T) {
	for _, name := range scenarios.TimeSeriesColumns() {
		if c, err := results.ParseColumn(name); err != nil || c.Total() || !slices.Contains(results.Columns(), c) {
			t.Errorf("%s is not a column of levels: %v", name, err)
		}
	}
}

// A stalled trial was measured: its time series is evidence despite its outcome.
func TestStalledTrialIsEvidence(t *testing.T) {
	stall := func(t *results.Trial) bool {
		if t.Block == 1 {
			t.Outcome, t.Reason, t.Service.Stalled = results.OutcomeStalled, "nothing completed", new(time.Second)
		}
		return true
	}
	c := scenarios.Claim{Exhaustion: &scenarios.ExhaustionClaim{Of: []string{"shared-10"}}}
	if got := judgeService(t, c, stall); got.Decision != verdict.Refuted {
		t.Errorf("%s: %+v", got.Decision, got.Evidence)
	}
	v, err := claims.Judge(runtest.Service(nil, stall))
	if err != nil {
		t.Fatal(err)
	}
	if v.Outcomes[results.OutcomeStalled] != 4 || v.Service[0].Stalled != 1 || v.Service[0].Measured != 6 {
		t.Errorf("outcomes %v, row %+v", v.Outcomes, v.Service[0])
	}
}

// What is not seen of a service on another machine is missing, and not zero.
func TestServiceThatIsNotSeen(t *testing.T) {
	of := []string{"limit-10"}
	all := map[string]scenarios.Claim{
		"descriptors are not seen on another machine": {Cause: &scenarios.CauseClaim{Of: of, Is: "leak"}},
		"descriptors are not seen":                    {Exhaustion: &scenarios.ExhaustionClaim{Of: of, Is: "never"}},
		"descriptors is not measured":                 {TimeSeries: &scenarios.TimeSeriesClaim{Of: of, Steady: []string{"descriptors"}}},
	}
	for why, c := range all {
		c.ID, c.Statement = "claim", "so it is"
		v, err := claims.Judge(runtest.HTTPService([]scenarios.Claim{c}, func(t *results.Trial) bool {
			t.Descriptors = results.Descriptors{}
			delete(t.Service.Series.Columns, results.ColumnDescriptors)
			delete(t.Service.Series.Columns, results.ColumnRefused)
			return true
		}))
		if err != nil {
			t.Fatal(err)
		}
		e := v.Claims[0].Evidence[0]
		if v.Claims[0].Decision != verdict.Undecided || len(e.Missing) != 1 || e.Missing[0].Blocks != 6 || !strings.HasPrefix(e.Missing[0].Why, why) {
			t.Errorf("%s: %s, missing %+v", why, v.Claims[0].Decision, e.Missing)
		}
		if row := v.Service[0]; row.Unseen != 6 || row.Peak != nil {
			t.Errorf("%d of 6 trials are not seen, peak %v", row.Unseen, row.Peak)
		}
	}
}
