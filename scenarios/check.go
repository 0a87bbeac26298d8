package scenarios

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"floodgate/mockupstream"
	"floodgate/scenarios/pipeline"
)

// checker finds what is wrong with a decoded scenario as a whole. It leaves
// alone what the decoder already complained of.
type checker struct {
	*decoder
	s       *Scenario
	resolve func(*mockupstream.Profile) error
}

// report is fail for a path of the scenario, at its place or that of the
// nearest part around it, unless something was wrong there before.
func (c *checker) report(path, message string) {
	c.say(problem{path: path, message: message})
}

// reportKey is report where the key is to blame, not the value.
func (c *checker) reportKey(path, message string) {
	c.say(problem{path, message, true})
}

func (c *checker) say(p problem) {
	for failed := range c.failed {
		if failed == p.path || within(failed, p.path) || within(p.path, failed) {
			return
		}
	}
	where := c.placeOf(p.path)
	if key, ok := c.keys[p.path]; ok && p.atKey {
		where = key
	}
	c.fail(where, p.path, p.message)
}

// within says whether inner is a part of outer.
func within(inner, outer string) bool {
	rest, found := strings.CutPrefix(inner, outer)
	return found && outer != "" && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

func (c *checker) placeOf(path string) place {
	for path != "" {
		if at, ok := c.places[path]; ok {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return c.places[""]
}

func (c *checker) check() {
	if err := c.resolve(&c.s.Upstream); err != nil {
		c.upstream(err)
	}
	c.slo()
	names := c.variants()
	levels := c.levels("levels", c.s.Levels)
	for i, v := range c.s.Variants {
		c.where(join(index("variants", i), "where"), v.Where, levels)
	}
	if q := c.s.Quick; q != nil {
		if q.Levels != nil {
			c.levels("quick.levels", q.Levels)
		}
		for i, name := range q.Variants {
			c.variant(index("quick.variants", i), name, names)
		}
		if len(q.Levels) == 0 && q.Blocks == 0 && len(q.Variants) == 0 {
			c.report("quick", "replaces nothing; allowed: levels, blocks, variants")
		}
	}
	c.claims(names, levels)
	c.thresholds(names, levels)
}

func (c *checker) upstream(err error) {
	for _, p := range upstreamProblems(err) {
		c.report(p.path, p.message)
	}
}

// upstreamProblems are those of an error of mockupstream.Profile.Validate or
// Resolve, which begins with the path of its field.
func upstreamProblems(err error) []problem {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var all []problem
		for _, one := range several.Unwrap() {
			all = append(all, upstreamProblems(one)...)
		}
		return all
	}
	path, message, found := strings.Cut(err.Error(), ": ")
	if !found || !pathText.MatchString(path) {
		return []problem{{path: "upstream", message: err.Error()}}
	}
	return []problem{{path: join("upstream", path), message: message}}
}

// pathText is the path of a field, "phases[1].latency.sigma".
var pathText = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+|\[[0-9]+\])*$`)

// variants checks every variant and returns their names, none where a mistake
// leaves one of them uncertain.
func (c *checker) variants() []string {
	var names []string
	certain := !c.failed["variants"]
	for i, v := range c.s.Variants {
		path := index("variants", i)
		c.strategy(path, v)
		c.scope(path, v)
		if c.unnamed(path) {
			certain = false
			names = append(names, "")
			continue
		}
		if first := slices.Index(names, v.Name); first >= 0 {
			where := join(path, "name")
			if !c.present(where) {
				where = join(path, "strategy")
			}
			c.report(where, fmt.Sprintf("another variant is called %s, on line %d; allowed: a name of its own for each",
				quote(v.Name), c.places[index("variants", first)].line))
		}
		names = append(names, v.Name)
	}
	if !certain {
		return nil
	}
	return names
}

// unnamed says that a mistake hides the name of a variant.
func (c *checker) unnamed(path string) bool {
	if c.failed[path] || c.failed[join(path, "name")] {
		return true
	}
	return !c.present(join(path, "name")) && (c.failed[join(path, "strategy")] || c.failed[join(path, "limit")])
}

// strategy checks that a variant has the parameters of its strategy, and no others.
func (c *checker) strategy(path string, v Variant) {
	d, known := pipeline.Define(v.Strategy)
	if !known {
		return // the decoder said so
	}
	for _, p := range pipeline.Parameters() {
		field := join(path, p.Name)
		switch has, present := d.Has(p.Name), c.present(field); {
		case has && p.Least > 0 && !present:
			c.report(field, fmt.Sprintf("missing; strategy %s needs it; allowed: %s", d.Kind, ruleFor("Variant", p.Name).span))
		case present && !has:
			c.reportKey(field, fmt.Sprintf("does not apply to strategy %s; allowed for: %s", d.Kind, strings.Join(strategiesWith(p), ", ")))
		}
	}
}

// levels checks a list of levels and the scenario at each of them, and returns
// them, none if they cannot be expanded.
func (c *checker) levels(path string, sets []LevelSet) []Level {
	levels, problems := c.s.expand(sets, path)
	for _, p := range problems {
		c.say(p)
	}
	own := c.s.impossible()
	if levels == nil {
		for _, p := range own {
			if p.path != "items.count" || c.present(p.path) { // a level that is wrong might have set it
				c.say(p)
			}
		}
		return nil
	}
	for _, l := range levels {
		for _, p := range l.Scenario.impossible() {
			c.say(l.locate(p, own))
		}
	}
	return levels
}

// locate blames a level for what is wrong at it and not with the scenario's own values.
func (l Level) locate(p problem, own []problem) problem {
	switch cell, ok := l.cells[p.path]; {
	case ok:
		p.path = cell
	case p.path == "items.count" && l.Scenario.Items.Count == 0:
		p = problem{path: l.entry, message: "has no items, and neither has the scenario; allowed: items with " + ruleFor("Items", "count").span.String()}
	case !slices.Contains(own, p):
		p.message += fmt.Sprintf(" (at level %s)", quote(l.Name))
	}
	return p
}

// impossible is what cannot be at one point of a scenario.
func (s *Scenario) impossible() []problem {
	var found []problem
	say := func(path, format string, args ...any) {
		found = append(found, problem{path: path, message: fmt.Sprintf(format, args...)})
	}
	n := s.Items.Count
	switch {
	case s.Service != nil: // a report has items of its own
		found = append(found, s.Service.impossible()...)
		if s.Items.Kind != "phone-numbers" {
			say("items.kind", "%s does not fit a service; allowed: phone-numbers", quote(s.Items.Kind))
		}
		if len(s.SUT.Command) > 0 {
			say("sut.command", "does not fit a service, which our own SUT serves; allowed: a service without command")
		}
	case n == 0:
		say("items.count", "missing; allowed: %s, here or as items in every entry of levels", ruleFor("Items", "count").span)
	case s.Items.Kind == "date-ranges" && n > maxWeeks:
		say("items.count", "%d is too large for date-ranges; allowed: 1 to %d", n, maxWeeks)
	case n > 0 && s.Items.Batches > n:
		say("items.batches", "%d is more than there are items, %d; allowed: 1 to %d", s.Items.Batches, n, n)
	}
	if err := s.Upstream.Validate(); err != nil {
		found = append(found, upstreamProblems(err)...)
	}
	if s.Database.Jitter > s.Database.Latency {
		say("database.jitter", "%s is more than database.latency, %s; allowed: 0s to %s",
			show(s.Database.Jitter), show(s.Database.Latency), show(s.Database.Latency))
	}
	found = append(found, s.SUT.impossible()...)
	one := Predict(Variant{Strategy: pipeline.KindSequential}, &Scenario{Items: Items{Count: 1}})
	if s.SUT.NoFile < one.Total {
		say("sut.nofile", "%d is too small for any variant to start: one item at a time takes %d (%d runtime, %d upstream, %d mongo); allowed: %d to %d",
			s.SUT.NoFile, one.Total, one.Runtime, one.Upstream, one.Mongo, one.Total, maxNoFile)
	}
	return found
}

// variant checks that a name is one of a variant; without names it cannot tell.
func (c *checker) variant(path, name string, names []string) {
	if names != nil && !slices.Contains(names, name) {
		c.report(path, unknown("no variant", name, names))
	}
}
