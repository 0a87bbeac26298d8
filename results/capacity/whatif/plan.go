package whatif

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"floodgate/results"
	"floodgate/scenarios"
)

// FromPlan makes the points of a plan's trials, whose variants are not those of
// its scenario: of each limit, "bounded-N" or "staged-N". Other variants are left
// out. Errors: a plan of a service, a histogram that cannot be read, a plan of
// which no such limit was measured.
func FromPlan(run *results.Run) ([]Point, error) {
	fail := func(err error) ([]Point, error) {
		return nil, fmt.Errorf("points of plan %q: %w", run.Header.ID, err)
	}
	sc, err := run.Scenario()
	if err != nil {
		return fail(err)
	}
	if sc.Service != nil {
		return fail(errors.New("it is of the rate of a service; allowed: a plan of limits"))
	}
	type cell struct {
		variant, setting string
		items            int
	}
	var order []cell
	trials := map[cell][]*results.Trial{}
	for i := range run.Trials {
		t := &run.Trials[i]
		c := cell{t.Variant, setting(t.LevelName), t.Items}
		if trials[c] == nil {
			order = append(order, c)
		}
		trials[c] = append(trials[c], t)
	}
	var points []Point
	for _, c := range order {
		v, ok := sweptOf(sc.Swept(), c.variant)
		if !ok {
			continue
		}
		p, err := NewPoint(v, trials[c])
		if errors.Is(err, errNothing) {
			continue
		}
		if err != nil {
			return fail(err)
		}
		p.Setting, p.NoFile, p.Rate = c.setting, sc.SUT.NoFile, rateOf(sc)
		points = append(points, p)
	}
	if len(points) == 0 {
		return fail(errNothing)
	}
	slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.Variant.Limit, b.Variant.Limit) }) // their trials came in random order
	return points, nil
}

// sweptOf is the variant of that name, such as "bounded-8", of those that a plan
// makes of what it sweeps.
func sweptOf(template scenarios.Variant, name string) (scenarios.Variant, bool) {
	number, ok := strings.CutPrefix(name, string(template.Strategy)+"-")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 {
		return scenarios.Variant{}, false
	}
	return template.AtLimit(n), true
}
