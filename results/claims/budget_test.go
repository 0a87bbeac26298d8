package claims_test

import (
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

func within() scenarios.Claim {
	return scenarios.Claim{ID: "d", Statement: "bounded", Descriptors: &scenarios.DescriptorsClaim{Within: []string{"ten"}}}
}

func grows() scenarios.Claim {
	return scenarios.Claim{ID: "d", Statement: "grows", Descriptors: &scenarios.DescriptorsClaim{Grows: []string{"ten"}, With: "items"}}
}

func documents() scenarios.Claim {
	return scenarios.Claim{ID: "w", Statement: "none lost", Documents: &scenarios.DocumentsClaim{}}
}

// once changes the trial of "ten" with 50 items in block 3.
func once(change func(*results.Trial)) func(*results.Trial) bool {
	return func(t *results.Trial) bool {
		if t.Variant == "ten" && t.Items == 50 && t.Block == 3 {
			change(t)
		}
		return true
	}
}

// ended changes only the outcome of the trial.
func ended(outcome string) func(*results.Trial) {
	return func(t *results.Trial) { t.Outcome, t.Makespan = outcome, 0 }
}

func both(changes ...func(*results.Trial)) func(*results.Trial) {
	return func(t *results.Trial) {
		for _, c := range changes {
			c(t)
		}
	}
}

func TestPeakWithinPrediction(t *testing.T) {
	exceed := func(t *results.Trial) { t.Descriptors.Peak = t.Descriptors.Predicted + 1 }
	unsampled := func(t *results.Trial) { t.Descriptors.Samples = 0 }
	unpredicted := func(t *results.Trial) { t.Descriptors.Predicted = 0 }
	for name, test := range map[string]struct {
		change func(*results.Trial)
		want   verdict.Word
	}{
		"as predicted":           {func(*results.Trial) {}, verdict.Proved},
		"exactly":                {func(t *results.Trial) { t.Descriptors.Peak = t.Descriptors.Predicted }, verdict.Proved},
		"one above":              {exceed, verdict.Refuted},
		"above inside alone":     {func(t *results.Trial) { t.Descriptors.Inside = &results.Kinds{Upstream: 500} }, verdict.Refuted},
		"inside unknown":         {func(t *results.Trial) { t.Descriptors.Inside = nil }, verdict.Proved},
		"never sampled":          {unsampled, verdict.Undecided},
		"above, never sampled":   {both(exceed, unsampled), verdict.Undecided},
		"no prediction":          {unpredicted, verdict.Undecided},
		"crashed within":         {ended(results.OutcomeCrashed), verdict.Undecided},
		"crashed above":          {both(exceed, ended(results.OutcomeCrashed)), verdict.Refuted},
		"timed out within":       {ended(results.OutcomeTimeout), verdict.Undecided},
		"could not be measured":  {ended(results.OutcomeFailed), verdict.Undecided},
		"invalid, others within": {both(exceed, ended(results.OutcomeInvalid)), verdict.Proved},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, judge(t, runtest.Options{Change: once(test.change)}, within()), test.want)
		})
	}
	t.Run("a trial not run", func(t *testing.T) {
		want(t, judge(t, runtest.Options{Change: func(t *results.Trial) bool {
			return t.Variant != "ten" || t.Items != 50 || t.Block != 3
		}}, within()), verdict.Undecided)
	})
	t.Run("all invalid", func(t *testing.T) {
		want(t, judge(t, runtest.Options{Change: func(t *results.Trial) bool {
			ended(results.OutcomeInvalid)(t)
			return true
		}}, within()), verdict.Undecided)
	})
}

func TestPeakGrows(t *testing.T) {
	peaks := func(peak func(items, block int) int) func(*results.Trial) bool {
		return func(t *results.Trial) bool {
			t.Descriptors.Peak, t.Descriptors.Inside = peak(t.Items, t.Block), nil
			return true
		}
	}
	for name, test := range map[string]struct {
		blocks int
		change func(*results.Trial) bool
		want   verdict.Word
	}{
		"every step":         {8, peaks(func(items, block int) int { return items + block }), verdict.Proved},
		"a flat step":        {8, peaks(func(items, block int) int { return 9 + items/200 }), verdict.Proved},
		"not at all":         {8, peaks(func(int, int) int { return 9 }), verdict.Refuted},
		"falls":              {8, peaks(func(items, _ int) int { return 900 - items }), verdict.Refuted},
		"not in one block":   {8, peaks(func(items, block int) int { return items * min(block, 1) }), verdict.Undecided},
		"a hump":             {8, peaks(func(items, _ int) int { return map[int]int{20: 10, 50: 90, 200: 50}[items] }), verdict.Undecided},
		"of too few blocks":  {5, peaks(func(items, block int) int { return items + block }), verdict.Undecided},
		"of enough blocks":   {6, peaks(func(items, block int) int { return items + block }), verdict.Proved},
		"sampled never":      {8, func(t *results.Trial) bool { t.Descriptors.Samples = 0; return true }, verdict.Undecided},
		"crashed at the top": {8, func(t *results.Trial) bool { return t.Items < 200 }, verdict.Undecided},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, judge(t, runtest.Options{Blocks: test.blocks, Change: test.change}, grows()), test.want)
		})
	}
	t.Run("one level", func(t *testing.T) {
		want(t, judge(t, runtest.Options{Levels: []scenarios.LevelSet{{"items": 20}}}, grows()), verdict.Undecided)
	})
}

func TestDocuments(t *testing.T) {
	lost := func(t *results.Trial) { t.Documents.Found--; t.Documents.Lost++ }
	twice := func(t *results.Trial) { t.Documents.Found++; t.Documents.Duplicate++ }
	for name, test := range map[string]struct {
		change func(*results.Trial)
		want   verdict.Word
	}{
		"all there":               {func(*results.Trial) {}, verdict.Proved},
		"one lost":                {lost, verdict.Refuted},
		"one twice":               {twice, verdict.Refuted},
		"one wrong":               {func(t *results.Trial) { t.Documents.Corrupt++ }, verdict.Refuted},
		"one foreign":             {func(t *results.Trial) { t.Documents.Foreign++ }, verdict.Refuted},
		"items failed":            {func(t *results.Trial) { t.Documents.Found--; t.Documents.Unwritten++ }, verdict.Undecided},
		"not checked":             {func(t *results.Trial) { t.Documents = nil }, verdict.Undecided},
		"nothing expected":        {func(t *results.Trial) { t.Documents = &results.Documents{} }, verdict.Undecided},
		"crashed":                 {ended(results.OutcomeCrashed), verdict.Undecided},
		"crashed, lost":           {both(lost, ended(results.OutcomeCrashed)), verdict.Undecided},
		"crashed, twice":          {both(twice, ended(results.OutcomeCrashed)), verdict.Refuted},
		"timed out, lost":         {both(lost, ended(results.OutcomeTimeout)), verdict.Undecided},
		"could not be measured":   {ended(results.OutcomeFailed), verdict.Undecided},
		"invalid but all there":   {ended(results.OutcomeInvalid), verdict.Proved},
		"invalid and one is lost": {both(lost, ended(results.OutcomeInvalid)), verdict.Refuted},
	} {
		t.Run(name, func(t *testing.T) {
			c := want(t, judge(t, runtest.Options{Change: once(test.change)}, documents()), test.want)
			if len(c.Evidence) != 6 {
				t.Errorf("%d pieces of evidence, want 2 variants × 3 levels", len(c.Evidence))
			}
		})
	}
	t.Run("a trial not run", func(t *testing.T) {
		want(t, judge(t, runtest.Options{Change: func(t *results.Trial) bool { return t.Index != 7 }}, documents()), verdict.Undecided)
	})
	t.Run("of another variant", func(t *testing.T) {
		claim := documents()
		claim.Documents.Of = []string{"one"}
		want(t, judge(t, runtest.Options{Change: once(lost)}, claim), verdict.Proved)
	})
}

func TestExit(t *testing.T) {
	proved, refuted, open := reduction(0.1), reduction(0.99), growth()
	open.Growth.Where = map[string]any{"items": 20}
	expected := func(c scenarios.Claim, decision verdict.Word) scenarios.Claim {
		c.Expect = string(decision)
		return c
	}
	failed := once(ended(results.OutcomeFailed))
	missing := func(t *results.Trial) bool { return t.Index != 7 }
	for name, test := range map[string]struct {
		claims []scenarios.Claim
		change func(*results.Trial) bool
		want   int
	}{
		"all proved":                     {[]scenarios.Claim{proved}, nil, 0},
		"proved as expected":             {[]scenarios.Claim{expected(proved, "proved")}, nil, 0},
		"refuted as expected":            {[]scenarios.Claim{proved, expected(refuted, "refuted")}, nil, 0},
		"refuted":                        {[]scenarios.Claim{proved, refuted}, nil, 1},
		"proved against expectation":     {[]scenarios.Claim{expected(proved, "refuted")}, nil, 1},
		"open":                           {[]scenarios.Claim{proved, open}, nil, 3},
		"open where refuted is expected": {[]scenarios.Claim{expected(open, "refuted")}, nil, 3},
		"refuted outweighs open":         {[]scenarios.Claim{open, refuted}, nil, 1},
		"a trial failed":                 {[]scenarios.Claim{proved}, failed, 4},
		"a trial was not run":            {[]scenarios.Claim{proved}, missing, 3},
		"refuted outweighs not run":      {[]scenarios.Claim{refuted}, missing, 1},
		"failed outweighs not run": {[]scenarios.Claim{proved}, func(t *results.Trial) bool {
			ended(results.OutcomeFailed)(t)
			return t.Index != 7
		}, 4},
		"failed outweighs open":    {[]scenarios.Claim{open}, failed, 4},
		"refuted outweighs failed": {[]scenarios.Claim{refuted}, failed, 1},
		"a trial crashed":          {[]scenarios.Claim{proved}, once(ended(results.OutcomeCrashed)), 0},
		"no claim":                 {nil, nil, 0},
		"no claim, a trial failed": {nil, failed, 4},
	} {
		t.Run(name, func(t *testing.T) {
			v := judge(t, runtest.Options{Change: test.change}, test.claims...)
			if v.Exit != test.want {
				t.Errorf("exit %d, want %d; %+v", v.Exit, test.want, v.Claims)
			}
			if test.claims == nil && len(v.Notes) == 0 {
				t.Error("no note that nothing was judged")
			}
		})
	}
}

// Notes name what is unknown with an external upstream.
func TestNotesOnForeignUpstreams(t *testing.T) {
	v := judge(t, runtest.Options{Change: func(t *results.Trial) bool {
		t.Documents.Unchecked = true
		if t.Block == 0 {
			t.Throttled = 4
		}
		return true
	}}, documents())
	text := strings.Join(v.Notes, "\n")
	for _, want := range []string{"throttled by external.rate: 24 requests in 6 of 48 trials", "counted but not read", "in 48 of 48 trials"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the notes:\n%s", want, text)
		}
	}
	if !v.Claims[0].Evidence[0].Documents.Unchecked {
		t.Error("the evidence does not say that the documents were not read")
	}
}
