package experiment

import (
	"testing"

	"floodgate/bench/sut"
	"floodgate/scenarios"
)

// A program runs what it says it knows; one that says nothing knows all but adaptive.
func TestUnsupported(t *testing.T) {
	with := func(v scenarios.Variant) *scenarios.Scenario {
		v.Name = "x"
		return &scenarios.Scenario{
			SUT:      scenarios.SUT{Command: []string{"program", "{{used}}"}},
			Variants: []scenarios.Variant{{Name: "one", Strategy: "sequential"}, v},
		}
	}
	for name, test := range map[string]struct {
		variant scenarios.Variant
		can     sut.Capabilities
		want    string
	}{
		"no lists":          {scenarios.Variant{Strategy: "staged", Vars: scenarios.Values{"a": 1}}, sut.Capabilities{}, ""},
		"adaptive":          {scenarios.Variant{Strategy: "adaptive"}, sut.Capabilities{}, "variant x: the program does not know strategy adaptive (it knows sequential, joined, unbounded, bounded, staged, batched); remove the variant, or list the strategy in \"strategies\" of ready"},
		"listed":            {scenarios.Variant{Strategy: "adaptive"}, sut.Capabilities{Strategies: []string{"adaptive", "sequential"}}, ""},
		"not listed":        {scenarios.Variant{Strategy: "bounded"}, sut.Capabilities{Strategies: []string{"sequential"}}, "variant x: the program does not know strategy bounded (it knows sequential); remove the variant, or list the strategy in \"strategies\" of ready"},
		"default algorithm": {scenarios.Variant{Strategy: "adaptive"}, sut.Capabilities{Strategies: []string{"adaptive", "sequential"}, Algorithms: []string{}}, ""},
		"an algorithm":      {scenarios.Variant{Strategy: "adaptive", Algorithm: "vegas"}, sut.Capabilities{Strategies: []string{"adaptive", "sequential"}, Algorithms: []string{"vegas"}}, ""},
		"another algorithm": {scenarios.Variant{Strategy: "adaptive", Algorithm: "aimd"}, sut.Capabilities{Strategies: []string{"adaptive", "sequential"}, Algorithms: []string{"vegas"}}, "variant x: the program does not know algorithm aimd (it knows vegas); remove the variant, or list the algorithm in \"algorithms\" of ready"},
		"no algorithms":     {scenarios.Variant{Strategy: "adaptive", Algorithm: "aimd"}, sut.Capabilities{Strategies: []string{"adaptive", "sequential"}}, "variant x: the program does not know algorithm aimd (it knows none); remove the variant, or list the algorithm in \"algorithms\" of ready"},
		"a variable":        {scenarios.Variant{Strategy: "bounded", Vars: scenarios.Values{"mode": 1}}, sut.Capabilities{Variables: []string{"mode"}}, ""},
		"in the command":    {scenarios.Variant{Strategy: "bounded", Vars: scenarios.Values{"used": 1}}, sut.Capabilities{Variables: []string{}}, ""},
		"another variable":  {scenarios.Variant{Strategy: "bounded", Vars: scenarios.Values{"moed": 1}}, sut.Capabilities{Variables: []string{"mode"}}, `variant x: the program does not know variable "moed" (it knows mode; did you mean "mode"?)`},
	} {
		got := ""
		if err := unsupported(with(test.variant), test.can); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
