package scenarios_test

import (
	"strings"
	"testing"
	"time"

	"floodgate/scenarios"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseBudget(t *testing.T) {
	for rule, want := range map[string]struct {
		variant, baseline, metric, op string
		limit                         float64
		text                          string
	}{
		"bounded-10.item.p99 < 250ms":               {"bounded-10", "", "item.p99", "<", 250e6, "bounded-10.item.p99 < 250ms"},
		"  bounded-10.item.p99<0.25s\n":             {"bounded-10", "", "item.p99", "<", 250e6, "bounded-10.item.p99 < 250ms"},
		"a.queue.mean >= 1m30s":                     {"a", "", "queue.mean", ">=", 90e9, "a.queue.mean >= 1m30s"},
		"a.pool_wait.max > 5µs":                     {"a", "", "pool_wait.max", ">", 5e3, "a.pool_wait.max > 5µs"},
		"a.fd.peak <= 40":                           {"a", "", "fd.peak", "<=", 40, "a.fd.peak <= 40"},
		"a.errors.http_5xx==7":                      {"a", "", "errors.http_5xx", "==", 7, "a.errors.http_5xx == 7"},
		"a.rss.peak < 64MiB":                        {"a", "", "rss.peak", "<", 64 << 20, "a.rss.peak < 64MiB"},
		"a.done >= 99.5%":                           {"a", "", "done", ">=", 0.995, "a.done >= 99.5%"},
		"a.efficiency >= 7.25%":                     {"a", "", "efficiency", ">=", 0.0725, "a.efficiency >= 7.25%"},
		"a.service.p99 < 1s":                        {"a", "", "service.p99", "<", 1e9, "a.service.p99 < 1s"},
		"reduction.fd.peak <= 4":                    {"reduction", "", "fd.peak", "<=", 4, "reduction.fd.peak <= 4"},
		"reduction(bounded-10, sequential) >= 60%":  {"bounded-10", "sequential", "reduction", ">=", 0.6, "reduction(bounded-10, sequential) >= 60%"},
		"reduction ( bounded-10,sequential )>-2.5%": {"bounded-10", "sequential", "reduction", ">", -0.025, "reduction(bounded-10, sequential) > -2.5%"},
		"reduction(a, b) < -0%":                     {"a", "b", "reduction", "<", 0, "reduction(a, b) < 0%"},
	} {
		b, err := scenarios.ParseBudget(rule)
		if err != nil {
			t.Errorf("%q: %v", rule, err)
			continue
		}
		if b.Variant != want.variant || b.Baseline != want.baseline || b.Metric.Name != want.metric || b.Op != want.op || b.Limit != want.limit || b.String() != want.text {
			t.Errorf("%q: %+v, %s", rule, b, b)
		}
	}
}

// Further invalid rules, beside those of the golden files, are rejected.
func TestParseBudgetRefuses(t *testing.T) {
	for rule, want := range map[string]string{
		"a.fd.peak <= 1e3":                  `"1e3" is not a value`,
		"a.fd.peak <= 040":                  `040 has a leading zero, which could mean octal; write 40`,
		"a.rss.peak < 064MiB":               `064MiB has a leading zero`,
		"a.done >= 09.5%":                   `09.5% has a leading zero; write 9.5%`,
		"a.cpu < 010ms":                     `010ms has a leading zero; write 10ms`,
		"a.max_rate >= 0200/s":              `0200/s has a leading zero`,
		"a.fd.peak <= -4":                   `"-4" is a plain number; write a whole number`,
		"a.fd.peak <= 1,000":                `",000" stands after the value`,
		"a.fd.peak <= 1 000":                `"000" stands after the value`,
		"a.fd.peak <= 4 ; rm":               `";" stands after the value`,
		"a.fd.peak === 4":                   `"=" stands where an operator`,
		"a.fd.peak =< 4":                    `"=<" stands where an operator`,
		"a.fd.peak ≤ 4":                     `"≤" stands where an operator`,
		"a.fd.peak <= 9999999999999999":     `write a whole number`,
		"a.fd.peak <=":                      `the rule ends where a value`,
		"a.cpu < -5ms":                      `"-5ms" is not a value`,
		"a.done >= 60":                      `"60" is a plain number; write a percentage`,
		"a.done >= 0.0000001%":              `is a percentage; write`,
		"a.rss.peak < 0B":                   `"0B" is not a value; write a number of bytes`,
		"a.rss.peak < 5ms":                  `"5ms" is a duration`,
		"a.rss.peak < 60%":                  `"60%" is a percentage`,
		"a.item.p99 < 64MiB":                `"64MiB" is a number of bytes`,
		"A.item.p99 < 5ms":                  `"A.item.p99" is not a variant with a metric`,
		".item.p99 < 5ms":                   `is not a variant with a metric`,
		"a..p99 < 5ms":                      `unknown metric ".p99"`,
		"a.item < 5ms":                      `unknown metric "item"`,
		"a.fd < 5":                          `unknown metric "fd" (want fd.peak, fd.fleet, fd.upstream, fd.mongo or fd.leaked)`,
		"5ms > a.item.p99":                  `"5ms" is not a variant with a metric`,
		"< 5ms":                             `"<" stands where a rule is expected`,
		"reduction(a, b >= 60%":             `must name two variants`,
		"reduction(a, b, c) >= 60%":         `must name two variants`,
		"reduction(, b) >= 60%":             `must name two variants`,
		"reduction(a.b, c) >= 60%":          `must name two variants`,
		"reduction(a, b) >= 0.6":            `"0.6" is a plain number; write a percentage`,
		"a.reduction >= 60%":                `reduction compares two variants`,
		"f(a, b) >= 60%":                    `unknown function "f"`,
		strings.Repeat("a", 65) + ".cpu<1s": `is not a variant with a metric`,
	} {
		if b, err := scenarios.ParseBudget(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", rule, b, err, want)
		}
	}
}

// budget draws a random budget.
func budget(t *rapid.T) scenarios.Budget {
	name := rapid.StringMatching(`[a-z0-9]{1,8}(-[a-z0-9]{1,4}){0,2}`)
	b := scenarios.Budget{Variant: name.Draw(t, "variant"), Op: rapid.SampledFrom([]string{"<", "<=", ">", ">="}).Draw(t, "op")}
	if rapid.Bool().Draw(t, "reduction") {
		b.Metric.Name, b.Metric.Unit, b.Baseline = scenarios.MetricReduction, scenarios.UnitShare, name.Draw(t, "baseline")
		b.Limit = float64(rapid.Int64Range(-1e12+1, 1e12-1).Draw(t, "millionths of a percent")) / 1e6 / 100
		return b
	}
	b.Metric = rapid.SampledFrom(scenarios.Metrics()).Draw(t, "metric")
	switch b.Metric.Unit {
	case scenarios.UnitTime:
		b.Limit = float64(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "ns"))
	case scenarios.UnitBytes:
		b.Limit = float64(rapid.Int64Range(1, 1<<50).Draw(t, "bytes"))
	case scenarios.UnitShare:
		b.Limit = float64(rapid.Int64Range(0, 1e12-1).Draw(t, "millionths of a percent")) / 1e6 / 100
	case scenarios.UnitCount:
		b.Limit = float64(rapid.Int64Range(0, 1e15-1).Draw(t, "count"))
	}
	return b
}

func TestBudgetRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := budget(t)
		got, err := scenarios.ParseBudget(b.String())
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		b.Metric.Of, b.Metric.Doc = got.Metric.Of, got.Metric.Doc // of a reduction
		if got != b {
			t.Fatalf("%s reads as %+v, want %+v", b, got, b)
		}
	})
}

func FuzzParseBudget(f *testing.F) {
	for _, rule := range []string{"a.item.p99 < 250ms", "reduction(a, b) >= -60.5%", "a.rss.peak == 64MiB", "a.fd.peak <= 40", "", "a.", "((", "a.cpu<1µs"} {
		f.Add(rule)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		b, err := scenarios.ParseBudget(rule)
		if err != nil {
			if err.Error() == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %q", rule, err)
			}
			return
		}
		again, err := scenarios.ParseBudget(b.String())
		if err != nil || again != b {
			t.Errorf("%q reads as %+v, which is written %s and reads as %+v, %v", rule, b, b, again, err)
		}
	})
}

func TestBudgetMet(t *testing.T) {
	for _, test := range []struct {
		rule          string
		margin, value float64
		kept, margins bool
	}{
		{"a.fd.peak < 40", 0, 39, true, false}, {"a.fd.peak < 40", 0, 40, false, false}, {"a.fd.peak <= 40", 0, 40, true, false},
		{"a.fd.peak <= 40", 0, 41, false, false}, {"a.fd.peak > 40", 0, 41, true, false}, {"a.fd.peak > 40", 0, 40, false, false},
		{"a.fd.peak >= 40", 0, 40, true, false}, {"a.fd.peak >= 40", 0, 39, false, false}, {"a.fd.peak == 40", 0, 40, true, false},
		{"a.fd.peak == 40", 0, 41, false, false}, {"a.fd.peak == 40", 0, 39, false, false}, {"a.fd.peak == 0", 0.5, 1, false, false},
		{"a.fd.peak <= 100", 0.29, 129, true, true}, {"a.fd.peak <= 100", 0.29, 130, false, false}, {"a.fd.peak < 100", 0.29, 129, false, false},
		{"a.fd.peak >= 100", 0.07, 93, true, true}, {"a.fd.peak >= 100", 0.07, 92, false, false}, {"a.fd.peak > 100", 0.07, 93, false, false},
		{"a.fd.peak == 100", 0.1, 110, true, true}, {"a.fd.peak == 100", 0.1, 90, true, true}, {"a.fd.peak == 100", 0.1, 111, false, false},
		{"a.fd.peak <= 100", 0.1, 100, true, false}, {"a.cpu < 1s", 0.05, 1.04e9, true, true}, {"a.done >= 99%", 0.01, 0.9801, true, true},
	} {
		b, err := scenarios.ParseBudget(test.rule)
		if err != nil {
			t.Fatal(err)
		}
		if kept, margins := b.Met(test.value, test.margin); kept != test.kept || margins != test.margins {
			t.Errorf("%s with margin %g, value %g: %t, %t", test.rule, test.margin, test.value, kept, margins)
		}
	}
}

func TestThresholdsLoad(t *testing.T) {
	s := parse(t, least+`
levels: [{items: [20, 50]}]
thresholds:
  - bounded-10.fd.peak <= 40
  - {rule: "bounded-10.item.p99 < 250ms", margin: 10%, severity: warn, where: {items.count: 20}}
  - {rule: "bounded-10.item.p99 < 250ms", where: {items: 50}}
quick: {levels: [{items: [10, 20]}], variants: [sequential]}
`)
	want := []scenarios.Threshold{
		{Rule: "bounded-10.fd.peak <= 40", Severity: "fail"},
		{Rule: "bounded-10.item.p99 < 250ms", Margin: 0.1, Severity: "warn", Where: map[string]any{"items": 20}},
		{Rule: "bounded-10.item.p99 < 250ms", Severity: "fail", Where: map[string]any{"items": 50}},
	}
	if diff := cmp.Diff(want, s.Thresholds); diff != "" {
		t.Error(diff)
	}
	if got := s.Quickened().Thresholds; len(got) != 0 {
		t.Errorf("bounded-10 does not run with --quick, and yet: %+v", got)
	}
	s.Quick.Variants = nil
	if diff := cmp.Diff(want[:2], s.Quickened().Thresholds); diff != "" {
		t.Errorf("at items 10 and 20: %s", diff)
	}
}

// A reduction needs a level at which both variants run.
func TestQuickKeepsVariantsThatRunTogether(t *testing.T) {
	small := "  - {name: small, strategy: joined, limit: 10, where: {items: 20}}\nblocks: 6\n"
	s := parse(t, strings.Replace(least, "blocks: 6\n", small, 1)+`
levels: [{items: [20, 50]}]
thresholds:
  - reduction(bounded-10, small) >= -50%
  - {rule: "reduction(bounded-10, sequential) >= 10%", margin: 5%}
quick: {levels: [{items: 50}]}
`)
	if got := s.Quickened().Thresholds; len(got) != 1 || got[0].Margin != 0.05 {
		t.Errorf("%+v", got)
	}
}

func TestThresholdsOfService(t *testing.T) {
	service := "service: {arrivals: {rate: 4}, duration: 5s}\nlevels: [{service.arrivals.rate: 4}]\nthresholds:\n"
	s := parse(t, least+service+"  - bounded-10.response.p99 < 1s\n  - bounded-10.done == 100%\n  - bounded-10.fd.peak <= 40\n  - bounded-10.item.p99 < 1s\n")
	if len(s.Thresholds) != 4 {
		t.Errorf("%+v", s.Thresholds)
	}
	for rule, want := range map[string]string{
		"bounded-10.makespan < 1s":                 "makespan does not apply to a service",
		"reduction(bounded-10, sequential) >= 60%": "reduction does not apply to a service",
		"bounded-10.efficiency > 60%":              "efficiency does not apply to a service",
		"bounded-10.done > 100%":                   `"bounded-10.done > 100%" can never be met: done is 0% to 100%`,
	} {
		_, err := scenarios.Parse("test.yaml", []byte(least+service+"  - "+rule+"\n"))
		if err == nil || !strings.Contains(err.Error(), "test.yaml:18:5: thresholds[0]: "+want) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}
