package scenarios_test

import (
	"strings"
	"testing"

	"floodgate/scenarios"
)

// A named entry labels its levels with its name and the factors that it varies.
func TestLevelsHaveLabels(t *testing.T) {
	s := parse(t, least+"levels: [{name: few, items: 10}, {name: many, items: [100, 200], database.latency: 5ms}, {items: 50}]\n")
	var labels []string
	for _, l := range expand(t, s) {
		labels = append(labels, l.Label)
		if strings.Contains(l.Name, "few") || len(l.Factors) != 2 {
			t.Errorf("name %q, factors %v: the label is none of them", l.Name, l.Factors)
		}
	}
	if got := strings.Join(labels, "; "); got != "few; many items=100; many items=200; " {
		t.Errorf("labels %q", got)
	}
}

// A variant runs only at the levels that its where selects.
func TestVariantRunsWhere(t *testing.T) {
	s := parse(t, strings.Replace(least, "- strategy: sequential", "- {strategy: sequential, where: {items: 10}}", 1)+`levels: [{items: [10, 50]}]
quick: {levels: [{items: 50}]}
claims:
  - {id: a, statement: b, reduction: {of: [bounded-10], reference: sequential, at_least: 10%}}
  - {id: c, statement: d, documents: {}}
`)
	for i, l := range expand(t, s) {
		if got := s.Variants[0].RunsAt(l); got != (i == 0) {
			t.Errorf("%s: runs %v", l.Name, got)
		}
		if !s.Variants[1].RunsAt(l) {
			t.Errorf("%s: a variant without where does not run", l.Name)
		}
	}
	q := s.Quickened()
	if len(q.Variants) != 1 || q.Variants[0].Name != "bounded-10" || len(q.Claims) != 1 || q.Claims[0].ID != "c" {
		t.Errorf("quick runs %+v and claims %+v, want those with a level", q.Variants, q.Claims)
	}
}

func TestWhereMistakes(t *testing.T) {
	for name, test := range map[string]struct{ where, rest, want string }{
		"no such level":  {"{items: 11}", "levels: [{items: [10, 50]}]", "selects no level"},
		"no such factor": {"{itms: 10}", "levels: [{items: [10, 50]}]", "did you mean \"items\"?"},
		"claim elsewhere": {"{items: 10}", "levels: [{items: [10, 50]}]\nclaims: [{id: a, statement: b, reduction: {of: [bounded-10], reference: sequential, at_least: 10%, where: {items: 50}}}]",
			"\"sequential\" runs at none of the levels that the claim selects"},
		"name of an entry":  {"{items: 10}", "levels: [{items: [10, 50], name: Two Words}]", "must be a short name"},
		"name that is none": {"{items: 10}", "levels: [{items: [10, 50], name: 3}]", "short name"},
	} {
		text := strings.Replace(least, "- strategy: sequential", "- {strategy: sequential, where: "+test.where+"}", 1) + test.rest + "\n"
		if _, err := scenarios.Parse("test.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
