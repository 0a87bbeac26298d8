package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// dashboard is what a Grafana dashboard asks of Prometheus.
type dashboard struct {
	Panels []struct {
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
	Annotations struct {
		List []struct{ Expr, TitleFormat string }
	}
}

// registered returns the labels of all metrics of a run, with the series of histograms.
func registered(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../metrics/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		words := append(strings.Fields(line), "")
		own := strings.Split(words[2], ",")
		if words[1] != "histogram" {
			all[words[0]] = own
			continue
		}
		all[words[0]+"_bucket"] = append([]string{"le"}, own...)
		all[words[0]+"_count"], all[words[0]+"_sum"] = own, own
	}
	return all
}

// legendLabel matches a label in a legend.
var legendLabel = regexp.MustCompile(`{{(\w+)}}`)

// problems returns what is wrong with a query and its legend.
func problems(query, legend string, metrics map[string][]string) (found []string) {
	query = strings.NewReplacer("$__rate_interval", "1m", "$scenario", ".*", "$variant", ".*").Replace(query)
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	var known []string // labels of the metrics in the query
	use := func(names ...string) {
		for _, name := range names {
			if !slices.Contains(known, name) {
				found = append(found, fmt.Sprintf("%s: no metric in it has the label %q", query, name))
			}
		}
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			own, ok := metrics[v.Name]
			if !ok {
				found = append(found, fmt.Sprintf("%s: there is no metric %q", query, v.Name))
			}
			known = append(known, own...)
			for _, m := range v.LabelMatchers {
				if m.Name != model.MetricNameLabel && !slices.Contains(own, m.Name) {
					found = append(found, fmt.Sprintf("%s: %s has no label %q", query, v.Name, m.Name))
				}
			}
		}
		return nil
	})
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			use(a.Grouping...)
		}
		return nil
	})
	for _, m := range legendLabel.FindAllStringSubmatch(legend, -1) {
		use(m[1])
	}
	return found
}

// labelValues matches the query of a variable.
var labelValues = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)

// The dashboard names only metrics and labels that exist, in valid PromQL, and its panels
// do not overlap.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../results/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	metrics := registered(t)
	queries := 0
	for i, p := range d.Panels {
		for _, target := range p.Targets {
			queries++
			for _, problem := range problems(target.Expr, target.LegendFormat, metrics) {
				t.Errorf("%s: %s", p.Title, problem)
			}
		}
		for _, q := range d.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %q and %q overlap", p.Title, q.Title)
			}
		}
	}
	for _, a := range d.Annotations.List {
		queries++
		for _, problem := range problems(a.Expr, a.TitleFormat, metrics) {
			t.Error(problem)
		}
	}
	for _, v := range d.Templating.List {
		if v.Definition == "" {
			continue
		}
		m := labelValues.FindStringSubmatch(v.Definition)
		if m == nil || !slices.Contains(metrics[m[1]], m[2]) {
			t.Errorf("variable %s: %s", v.Name, v.Definition)
		}
	}
	if queries < 20 {
		t.Errorf("found %d queries", queries)
	}
}

// The check of queries finds mistakes.
func TestDashboardProblems(t *testing.T) {
	metrics := map[string][]string{"a_total": {"x"}, "b_bucket": {"le", "x"}}
	for query, want := range map[string]string{
		`rate(a_total[$__rate_interval]`:  "unclosed left parenthesis",
		`rate(c_total[$__rate_interval])`: `there is no metric "c_total"`,
		`a_total{y="1"}`:                  `a_total has no label "y"`,
		`sum by (y) (a_total)`:            `has the label "y"`,
		`histogram_quantile(0.5, sum by (le, x) (rate(b_bucket{x=~"$scenario"}[$__rate_interval])))`: "",
	} {
		if got := strings.Join(problems(query, "{{x}}", metrics), "\n"); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if got := problems("a_total", "{{y}}", metrics); len(got) != 1 {
		t.Errorf("%q", got)
	}
}
