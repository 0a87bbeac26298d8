package capacity_test

import (
	"testing"

	"floodgate/results/capacity"
	"floodgate/scenarios"
)

func TestLimitOfRates(t *testing.T) {
	at := func(limit int, end capacity.End, confirmed, failed float64) capacity.Variant {
		return capacity.Variant{Variant: map[int]string{4: "a", 16: "b", 64: "c"}[limit], Limit: limit, Rate: capacity.Rate{End: end, Confirmed: confirmed, Failed: failed}}
	}
	s := &scenarios.Scenario{Variants: []scenarios.Variant{{Name: "a", Limit: 4}, {Name: "b", Limit: 16}, {Name: "c", Limit: 64}}}
	for name, c := range map[string]struct {
		found []capacity.Variant
		want  capacity.RateLimit
		exit  int
	}{
		"rises": {[]capacity.Variant{at(4, capacity.Confirmed, 5, 5.4), at(16, capacity.Confirmed, 12, 13), at(64, capacity.Confirmed, 20, 22)},
			capacity.RateLimit{Limit: 64, Rate: 20, Highest: 20, Peak: 64}, 0},
		"levels off": {[]capacity.Variant{at(4, capacity.Confirmed, 5, 5.4), at(16, capacity.Confirmed, 18.5, 20), at(64, capacity.Confirmed, 20, 22)},
			capacity.RateLimit{Limit: 16, Rate: 18.5, Highest: 20, Peak: 64}, 0},
		"falls": {[]capacity.Variant{at(4, capacity.Confirmed, 18, 18.9), at(16, capacity.Confirmed, 20, 22), at(64, capacity.Confirmed, 10, 11)},
			capacity.RateLimit{Limit: 16, Rate: 20, Highest: 20, Peak: 16}, 0},
		"at least": {[]capacity.Variant{at(4, capacity.Below, 0, 1), at(16, capacity.AtLeast, 7, 0), at(64, capacity.AtLeast, 7, 0)},
			capacity.RateLimit{Limit: 16, Rate: 7, Highest: 7, Peak: 16}, 0},
		"none": {[]capacity.Variant{at(4, capacity.Below, 0, 1), at(16, capacity.Below, 0, 1), at(64, capacity.Below, 0, 1)},
			capacity.RateLimit{}, 1},
		"one is open": {[]capacity.Variant{at(4, capacity.Confirmed, 5, 5.4), at(16, capacity.Undecided, 0, 0), at(64, capacity.Confirmed, 20, 22)},
			capacity.RateLimit{Highest: 20, Peak: 64, Why: "undecided limits: 1 of 3"}, 3},
		"one is left": {[]capacity.Variant{at(4, capacity.Confirmed, 5, 5.4), at(16, capacity.Confirmed, 12, 13)},
			capacity.RateLimit{Highest: 12, Peak: 16, Why: "undecided limits: 1 of 3"}, 3},
	} {
		var plan capacity.Rates
		plan.Conclude(c.found, s, map[string]int{"a": 4, "b": 16, "c": 64}, false)
		if plan.Limit == nil || *plan.Limit != c.want || plan.Exit != c.exit {
			t.Errorf("%s: %+v, exit %d; want %+v, %d", name, plan.Limit, plan.Exit, c.want, c.exit)
		}
	}
	var plan capacity.Rates
	if plan.Conclude([]capacity.Variant{{Variant: "a"}}, s, nil, false); plan.Limit != nil {
		t.Errorf("a plan of variants has a limit: %+v", plan.Limit)
	}
}
