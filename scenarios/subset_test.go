package scenarios_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/scenarios"
)

const subsetScenario = least + `
levels: [{name: small, items: 2}, {items: [20, 50, 200]}]
claims:
  - {id: both, statement: about both variants, reduction: {of: [bounded-10], reference: sequential, at_least: 60%}}
  - {id: all, statement: about all, documents: {}}
  - {id: grows, statement: grows, descriptors: {grows: [sequential]}}
`

func TestSubset(t *testing.T) {
	s := parse(t, subsetScenario)
	for name, c := range map[string]struct {
		part             scenarios.Subset
		levels, variants []string
		blocks           int
		claims           []string
	}{
		"everything":      {scenarios.Subset{}, []string{"items=2", "items=20", "items=50", "items=200"}, []string{"sequential", "bounded-10"}, 6, []string{"both", "all", "grows"}},
		"a variant":       {scenarios.Subset{Variants: []string{"sequential"}}, []string{"items=2", "items=20", "items=50", "items=200"}, []string{"sequential"}, 6, []string{"all", "grows"}},
		"a level":         {scenarios.Subset{Levels: []string{"items=50"}}, []string{"items=50"}, []string{"sequential", "bounded-10"}, 6, []string{"both", "all"}},
		"a labeled level": {scenarios.Subset{Levels: []string{"small", "items=200"}}, []string{"items=2", "items=200"}, []string{"sequential", "bounded-10"}, 6, []string{"both", "all", "grows"}},
		"blocks":          {scenarios.Subset{Blocks: 9}, []string{"items=2", "items=20", "items=50", "items=200"}, []string{"sequential", "bounded-10"}, 9, []string{"both", "all", "grows"}},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := s.Subset(c.part)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.levels, names(expand(t, q))); diff != "" {
				t.Error(diff)
			}
			var variants, claims []string
			for _, v := range q.Variants {
				variants = append(variants, v.Name)
			}
			for _, claim := range q.Claims {
				claims = append(claims, claim.ID)
			}
			if diff := cmp.Diff(c.variants, variants) + cmp.Diff(c.claims, claims); diff != "" || q.Blocks != c.blocks {
				t.Errorf("%d blocks, %s", q.Blocks, diff)
			}
			if name == "a labeled level" && expand(t, q)[0].Label != "small" {
				t.Errorf("label %q", expand(t, q)[0].Label)
			}
		})
	}
	if len(s.Claims) != 3 || len(s.Variants) != 2 || len(expand(t, s)) != 4 {
		t.Error("the scenario itself changed")
	}
}

func TestSubsetUnknown(t *testing.T) {
	s := parse(t, subsetScenario)
	for want, part := range map[string]scenarios.Subset{
		`unknown variant "bounded" (did you mean "bounded-10"? want "sequential", "bounded-10")`:                  {Variants: []string{"bounded"}},
		`unknown level "items=30" (did you mean "items=20"? want "items=2", "items=20", "items=50", "items=200")`: {Levels: []string{"items=30"}},
		`-1 blocks: want 6 to`: {Blocks: -1},
		`5 blocks: want 6 to`:  {Blocks: 5},
	} {
		if _, err := s.Subset(part); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", part, err, want)
		}
	}
}

// A scenario without a quick version has one of its ends.
func TestQuickenedWithoutQuick(t *testing.T) {
	s := parse(t, subsetScenario)
	s.Blocks = 20
	q := s.Quickened()
	if diff := cmp.Diff([]string{"items=2", "items=200"}, names(expand(t, q))); diff != "" || q.Blocks != scenarios.MinBlocks || len(q.Claims) != 3 || len(q.Variants) != 2 {
		t.Errorf("%d blocks, %d claims, %d variants, %s", q.Blocks, len(q.Claims), len(q.Variants), diff)
	}
	if diff := cmp.Diff(q, q.Quickened()); diff != "" {
		t.Error(diff)
	}
}

func TestQuickened(t *testing.T) {
	s := parse(t, least+`
levels: [{items: [20, 50], upstream.latency.median: [5ms, 20ms]}]
quick: {levels: [{items: [2, 20]}], blocks: 7, variants: [sequential]}
claims:
  - {id: left-out, statement: about a variant that quick leaves out, reduction: {of: [bounded-10], reference: sequential, at_least: 60%}}
  - {id: all, statement: about all, documents: {}}
  - {id: grows, statement: grows, descriptors: {grows: [sequential]}}
  - {id: still, statement: "does not vary with quick", descriptors: {grows: [sequential], with: upstream.latency.median}}
`)
	q := s.Quickened()
	if q.Blocks != 7 || len(q.Variants) != 1 || q.Variants[0].Name != "sequential" {
		t.Errorf("quickened to %d blocks of %v", q.Blocks, q.Variants)
	}
	if diff := cmp.Diff([]string{"items=2", "items=20"}, names(expand(t, q))); diff != "" {
		t.Error(diff)
	}
	var left []string
	for _, c := range q.Claims {
		left = append(left, c.ID)
	}
	if diff := cmp.Diff([]string{"all", "grows"}, left); diff != "" {
		t.Error(diff)
	}
	if len(s.Claims) != 4 || len(s.Variants) != 2 || s.Quick == nil {
		t.Error("the scenario itself changed")
	}
}
