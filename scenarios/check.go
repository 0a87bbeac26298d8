package scenarios

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios/pipeline"
)

// checker finds mistakes in a decoded scenario as a whole. It skips values about
// which the decoder has already reported an error.
type checker struct {
	*strictyaml.Document
	s       *Scenario
	resolve func(*Scenario) error // reads the files that the scenario names
}

// report adds a mistake in the value at a path, and reportKey one in its key.
func (c *checker) report(path, format string, args ...any) { c.Report(problem(path, format, args...)) }

func (c *checker) reportKey(path, format string, args ...any) {
	p := problem(path, format, args...)
	p.AtKey = true
	c.Report(p)
}

// at adds a mistake that was found in the value at a path.
func (c *checker) at(path string, e *strictyaml.Error) {
	e.Path = path
	c.Report(e)
}

// problem returns a mistake in the value at a path.
func problem(path, format string, args ...any) *strictyaml.Error {
	return &strictyaml.Error{Path: path, Reason: fmt.Sprintf(format, args...)}
}

func (c *checker) check() {
	c.Report(c.resolve(c.s))
	c.slo()
	c.missing()
	c.items()
	c.httpService()
	c.pprof()
	c.closed()
	names := c.variants()
	levels := c.levels("levels", c.s.Levels)
	for i, v := range c.s.Variants {
		c.where(strictyaml.Join(strictyaml.Index("variants", i), "where"), v.Where, levels)
	}
	if q := c.s.Quick; q != nil {
		if q.Levels != nil {
			c.levels("quick.levels", q.Levels)
		}
		for i, name := range q.Variants {
			c.variant(strictyaml.Index("quick.variants", i), name, names)
		}
		if len(q.Levels) == 0 && q.Blocks == 0 && len(q.Variants) == 0 {
			c.report("quick", "replaces nothing; it must have levels, blocks or variants")
		}
	}
	c.claims(names, levels)
	c.thresholds(names, levels)
}

// missing checks that what only an HTTP service can do without is there.
func (c *checker) missing() {
	if c.s.IsHTTPService() {
		return
	}
	for _, part := range []struct{ key, want string }{
		{"items", "a mapping with " + strictyaml.Or(strictyaml.Keys(reflect.TypeFor[Items]()))}, {"variants", "a list"}, {"levels", "a list"},
	} {
		if !c.Has(part.key) && !c.Failed(part.key) {
			c.report(part.key, "missing; it must be %s", part.want)
		}
	}
}

// items checks that the items have one source.
func (c *checker) items() {
	switch kind, file := c.Has("items.kind"), c.Has("items.file"); {
	case !c.Has("items") || c.Failed("items"):
	case kind && file:
		c.reportKey("items.file", "items.kind and items.file are mutually exclusive")
	case !kind && !file && !c.Failed("items.kind") && !c.Failed("items.file"):
		c.report("items.kind", "missing; it must be %s, unless there is a file", strictyaml.Or(ruleFor("Items", "kind").oneOf))
	case c.Has("items.header") && !file:
		c.reportKey("items.header", "applies only to a file of items")
	}
}

// upstreamProblems returns the mistakes in an error of mockupstream.Profile.Validate
// or Resolve, whose paths are those of fields of a profile.
func upstreamProblems(err error) strictyaml.Errors {
	all := strictyaml.Flatten(err)
	for _, e := range all {
		e.Path = strings.TrimSuffix(strictyaml.Join("upstream", e.Path), ".")
	}
	return all
}

// variants checks every variant and returns their names, or none if a mistake
// makes one of them uncertain.
func (c *checker) variants() []string {
	var names []string
	certain := !c.Failed("variants")
	for i, v := range c.s.Variants {
		path := strictyaml.Index("variants", i)
		c.strategy(path, v)
		c.scope(path, v)
		c.limitScope(path, v)
		if c.unnamed(path) {
			certain = false
			names = append(names, "")
			continue
		}
		if first := slices.Index(names, v.Name); first >= 0 {
			where := strictyaml.Join(path, "name")
			if !c.Has(where) {
				where = strictyaml.Join(path, "strategy")
			}
			c.report(where, "another variant is named %s, on line %d; each needs a name of its own",
				strictyaml.Quote(v.Name), c.Line(strictyaml.Index("variants", first)))
		}
		names = append(names, v.Name)
	}
	if !certain {
		return nil
	}
	return names
}

// unnamed reports whether a mistake hides the name of a variant.
func (c *checker) unnamed(path string) bool {
	if c.Failed(path) || c.Failed(strictyaml.Join(path, "name")) {
		return true
	}
	return !c.Has(strictyaml.Join(path, "name")) && (c.Failed(strictyaml.Join(path, "strategy")) || c.Failed(strictyaml.Join(path, "limit")))
}

// strategy checks that a variant has the parameters of its strategy, and no others.
func (c *checker) strategy(path string, v Variant) {
	at := strictyaml.Join(path, "strategy")
	if c.s.IsHTTPService() {
		if c.Has(at) {
			c.reportKey(at, "does not apply to an HTTP service that sut.command starts; put what differs between variants into vars")
		}
		return
	}
	d, known := pipeline.Define(v.Strategy)
	switch {
	case v.Strategy == "" && !c.Failed(at):
		c.report(at, "missing; it must be %s", strictyaml.Or(pipeline.Kinds(nil)))
		return
	case !known:
		return // the decoder has reported it
	}
	for _, p := range pipeline.Parameters() {
		field := strictyaml.Join(path, p.Name)
		switch has, present := d.Has(p.Name), c.Has(field); {
		case has && p.Min > 0 && !present:
			c.report(field, "missing; strategy %s needs it, %s", d.Kind, ruleFor("Variant", p.Name).span)
		case present && !has:
			c.reportKey(field, "does not apply to strategy %s (it applies to %s)", d.Kind, strictyaml.Or(strategiesWith(p)))
		}
	}
	c.algorithm(path, v, d)
}

// algorithm checks the algorithm of a variant and its parameters.
func (c *checker) algorithm(path string, v Variant, d pipeline.Definition) {
	if d.Algorithms == nil {
		for _, key := range []string{"algorithm", "parameters"} {
			if field := strictyaml.Join(path, key); c.Has(field) {
				c.reportKey(field, "does not apply to strategy %s (it applies to %s)", d.Kind, strictyaml.Or(searching()))
			}
		}
		return
	}
	a, known := pipeline.DefineAlgorithm(v.Algorithm)
	if !known {
		return // the decoder has reported it
	}
	at, valid := strictyaml.Join(path, "parameters"), true
	for _, name := range slices.Sorted(maps.Keys(v.Parameters)) {
		field := strictyaml.Join(at, name)
		s, known := a.Setting(name)
		if !known {
			unknown := strictyaml.Unknown("parameter of algorithm "+a.Name, name, a.SettingNames())
			unknown.AtKey, valid = true, false
			c.at(field, unknown)
			continue
		}
		if _, err := s.Parse(v.Parameters[name]); err != nil {
			valid = false
			c.report(field, "%v", err)
		}
	}
	if err := v.Schedule().Validate(); valid && err != nil && c.Has(at) && !c.Failed(at) {
		c.report(at, "%v", err)
	}
}

// levels checks a list of levels and the scenario at each of them. It returns
// them, or none if they cannot be expanded.
func (c *checker) levels(path string, sets []LevelSet) []Level {
	levels, problems := c.s.expand(sets, path)
	c.Report(problems)
	own := c.s.impossible()
	if levels == nil {
		for _, p := range own {
			if p.Path != "items.count" || c.Has(p.Path) { // an invalid level might have set it
				c.Report(p)
			}
		}
		return nil
	}
	for _, l := range levels {
		for _, p := range l.Scenario.impossible() {
			c.Report(l.locate(p, own))
		}
	}
	c.divided(levels)
	return levels
}

// locate attributes a mistake to the level, unless the scenario's own values have it, too.
func (l Level) locate(p *strictyaml.Error, own strictyaml.Errors) *strictyaml.Error {
	switch cell, ok := l.cells[p.Path]; {
	case ok:
		p.Path, p.AtKey = cell, false
	case p.Path == "items.count" && l.Scenario.Items.Count == 0:
		p = problem(l.entry, "has no items, and neither does the scenario; add items, %s", ruleFor("Items", "count").span)
	case !slices.ContainsFunc(own, func(o *strictyaml.Error) bool { return o.Error() == p.Error() }):
		p.Reason += fmt.Sprintf(" at level %s", strictyaml.Quote(l.Name))
	}
	return p
}

// impossible returns the contradictions at one level of a scenario.
func (s *Scenario) impossible() strictyaml.Errors {
	var found strictyaml.Errors
	say := func(path, format string, args ...any) { found = append(found, problem(path, format, args...)) }
	n := s.Items.Count
	switch {
	case s.Service != nil: // a report has its own items
		found = append(found, s.Service.impossible()...)
		if s.Items.Kind == "date-ranges" && !s.IsHTTPService() {
			say("items.kind", "must be phone-numbers for a service (got %s)", strictyaml.Quote(s.Items.Kind))
		}
	case n == 0 && s.Items.File == "":
		say("items.count", "missing; it must be %s, here or as items in every entry of levels", ruleFor("Items", "count").span)
	case s.Items.Kind == "date-ranges" && n > maxWeeks:
		say("items.count", "must be 1 to %d for date-ranges (got %d)", maxWeeks, n)
	case n > 0 && s.Items.Batches > n:
		say("items.batches", "must be at most the number of items, %d (got %d)", n, s.Items.Batches)
	}
	if s.Items.File != "" && s.Items.Kind != "" {
		say("items.kind", "does not apply to items of a file")
	}
	if i := s.Items; len(i.Args) > 0 && n > len(i.Args) {
		say("items.count", "must be at most %d, the items of %s (got %d)", len(i.Args), i.File, n)
	}
	if r := s.Upstream.Request; r != nil {
		columns, have := r.Columns(), s.Items.columns()
		if len(columns) > 0 && have > 0 && columns[len(columns)-1] >= have {
			say("upstream.request.path", "{%d} needs %d columns, and items have %d (want {0}%s)", columns[len(columns)-1], columns[len(columns)-1]+1, have, upTo(have))
		}
	}
	found = append(found, upstreamProblems(s.Upstream.Validate())...)
	if s.Database.Jitter > s.Database.Latency {
		say("database.jitter", "must be at most database.latency, %s (got %s)", s.Database.Latency, s.Database.Jitter)
	}
	if s.Database.Documents == DocumentsNone && !s.SUT.OwnProgram() {
		say("database.documents", "must be per-item or per-record, because the built-in pipeline writes (got none); add sut.command for a program that writes nothing")
	}
	found = append(found, s.SUT.impossible()...)
	found = append(found, s.impossibleHosts()...)
	if s.IsHTTPService() { // its descriptors are its own
		return found
	}
	one := Predict(Variant{Strategy: pipeline.KindSequential}, &Scenario{Items: Items{Count: 1}})
	if s.SUT.NoFile < one.Total {
		say("sut.nofile", "must be %d to %d, because one item at a time takes %d: %d runtime, %d upstream, %d mongo (got %d)",
			one.Total, maxNoFile, one.Total, one.Runtime, one.Upstream, one.Mongo, s.SUT.NoFile)
	}
	return found
}

// upTo names the columns after the first of a number of them.
func upTo(have int) string {
	if have == 1 {
		return ""
	}
	return fmt.Sprintf(" to {%d}", have-1)
}

// variant checks that a variant has the name; without known names it checks nothing.
func (c *checker) variant(path, name string, names []string) {
	if names != nil && !slices.Contains(names, name) {
		c.at(path, strictyaml.Unknown("variant", name, names))
	}
}

// scope checks the scopes of a variant's limit and clients.
func (c *checker) scope(path string, v Variant) {
	clients := strictyaml.Join(path, "connections.clients")
	switch {
	case c.s.Service == nil && v.Scope != "":
		c.reportKey(strictyaml.Join(path, "scope"), "applies only to a service; add a service or remove it")
	case v.Scope == "shared" && !slices.Contains(shareable(), string(v.Strategy)):
		c.report(strictyaml.Join(path, "scope"), "shared does not apply to strategy %s (it applies to %s)", v.Strategy, strictyaml.Or(shareable()))
	case v.Waiting != nil && v.Scope != "shared":
		c.reportKey(strictyaml.Join(path, "waiting"), "applies only to scope shared, not to a limit for each report")
	}
	switch v.Connections.Clients {
	case "per-report", "forgotten":
		if c.s.Service == nil {
			c.report(clients, "must be shared or per-batch in a scenario without a service (got %s)", v.Connections.Clients)
		}
	case "per-batch":
		if c.s.Service != nil {
			c.report(clients, "must be shared, per-report or forgotten for a service, which has no batches")
		}
	}
}

// impossible returns the contradictions in the SUT's settings.
func (s SUT) impossible() strictyaml.Errors {
	if s.Warmup.Items > 0 && s.Warmup.For > 0 {
		return strictyaml.Errors{problem("sut.warmup.for", "and sut.warmup.items are mutually exclusive; remove one of the two")}
	}
	switch {
	case s.Container.BuiltIn && len(s.Command) > 0:
		return strictyaml.Errors{problem("sut.container", "is that of the built-in SUT, which sut.command replaces; remove one of the two, or name an image with container: {image: …}")}
	case s.Container.BuiltIn && s.Container.Image != "":
		return strictyaml.Errors{problem("sut.container.image", "replaces the image of the built-in SUT; remove built_in or image")}
	case !s.Contained() && s.CPUs > 0:
		return strictyaml.Errors{problem("sut.cpus", "needs sut.container")}
	case !s.Contained() && s.Memory > 0:
		return strictyaml.Errors{problem("sut.memory", "needs sut.container")}
	}
	return nil
}

// slo checks that the scenario has a service.
func (c *checker) slo() {
	if c.s.SLO != nil && c.s.Service == nil {
		c.reportKey("slo", "applies only to a service; add a service or remove it")
	}
}

// where checks that factors select levels, and returns these levels. It replaces
// the factors' names by their short names.
func (c *checker) where(path string, where map[string]any, levels []Level) []Level {
	wrong := false
	for _, key := range slices.Sorted(maps.Keys(where)) {
		f, unknown := c.s.findFactor(key)
		if unknown != nil {
			wrong, unknown.AtKey = true, true
			c.at(strictyaml.Join(path, key), unknown)
			continue
		}
		at, bad := c.s.with(f, where[key])
		if bad != nil {
			wrong = true
			c.at(strictyaml.Join(path, key), bad)
			continue
		}
		delete(where, key)
		where[f.name], _ = at.value(f.name)
	}
	if wrong || levels == nil {
		return nil
	}
	selected := slices.DeleteFunc(slices.Clone(levels), func(l Level) bool { return !l.Selects(where) })
	if len(selected) == 0 {
		c.report(path, "%s selects no level; the levels are %s", words(where), strings.Join(levelNames(levels), "; "))
		return nil
	}
	return selected
}

func words(where map[string]any) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(where)) {
		all = append(all, key+"="+text(where[key]))
	}
	return strictyaml.Quote(strings.Join(all, " "))
}

func levelNames(levels []Level) []string {
	names := make([]string, 0, len(levels))
	for i, l := range levels {
		if i == 10 {
			return append(names, "…")
		}
		names = append(names, l.Name)
	}
	return names
}

func (c *checker) claims(names []string, levels []Level) {
	ids := map[string]int{}
	for i := range c.s.Claims {
		claim, path := &c.s.Claims[i], strictyaml.Index("claims", i)
		if first, repeated := ids[claim.ID]; repeated && claim.ID != "" {
			c.report(strictyaml.Join(path, "id"), "another claim is named %s, on line %d; each needs an id of its own",
				strictyaml.Quote(claim.ID), c.Line(strictyaml.Index("claims", first)))
		} else {
			ids[claim.ID] = i
		}
		c.claim(claim, path, names, levels)
		c.runs(claim, path, levels)
	}
}

// runs checks that every variant of a claim runs at a selected level.
func (c *checker) runs(claim *Claim, path string, levels []Level) {
	about := claim.about()
	selected := slices.DeleteFunc(slices.Clone(levels), func(l Level) bool { return !l.Selects(about.where) })
	for _, v := range c.s.Variants {
		if slices.Contains(about.variants, v.Name) && len(selected) > 0 && !slices.ContainsFunc(selected, v.RunsAt) {
			c.report(path, "%s runs at none of the levels that the claim selects", strictyaml.Quote(v.Name))
		}
	}
}

func (c *checker) claim(claim *Claim, path string, names []string, levels []Level) {
	present := slices.DeleteFunc(slices.Clone(kindsOfClaim), func(kind string) bool { return !c.Has(strictyaml.Join(path, kind)) })
	switch len(present) {
	case 1:
	case 0:
		c.report(path, "must have one of %s", strictyaml.Or(kindsOfClaim))
	default:
		c.reportKey(strictyaml.Join(path, present[1]), "%s and %s are mutually exclusive; write two claims", present[0], present[1])
	}
	if r := claim.Reduction; r != nil {
		at := strictyaml.Join(path, "reduction")
		c.compared(at, r.Of, r.Reference, names)
		c.where(strictyaml.Join(at, "where"), r.Where, levels)
	}
	if g := claim.Growth; g != nil {
		at := strictyaml.Join(path, "growth")
		c.compared(at, g.Of, g.Reference, names)
		selected := levels
		if g.Where != nil {
			selected = c.where(strictyaml.Join(at, "where"), g.Where, levels)
		}
		c.grows(strictyaml.Join(at, "with"), &g.With, selected)
	}
	if d := claim.Descriptors; d != nil {
		c.descriptors(strictyaml.Join(path, "descriptors"), d, names, levels)
	}
	if d := claim.Documents; d != nil {
		c.known(strictyaml.Join(path, "documents.of"), d.Of, names)
	}
	if k := claim.LimitRespected; k != nil {
		c.limited(strictyaml.Join(path, "limit_respected.of"), k.Of, names)
	}
	if e := claim.Exhaustion; e != nil {
		c.known(strictyaml.Join(path, "exhaustion.of"), e.Of, names)
		c.where(strictyaml.Join(path, "exhaustion.where"), e.Where, levels)
	}
	if k := claim.Cause; k != nil {
		c.known(strictyaml.Join(path, "cause.of"), k.Of, names)
		c.where(strictyaml.Join(path, "cause.where"), k.Where, levels)
	}
	if k := claim.TimeSeries; k != nil {
		c.known(strictyaml.Join(path, "time_series.of"), k.Of, names)
		c.where(strictyaml.Join(path, "time_series.where"), k.Where, levels)
		if k.Climbs == nil && k.Steady == nil {
			c.report(strictyaml.Join(path, "time_series"), "is empty; it must have climbs, steady or both")
		}
	}
	if k := claim.PredictedExhaustion; k != nil {
		c.known(strictyaml.Join(path, "predicted_exhaustion.of"), k.Of, names)
		c.where(strictyaml.Join(path, "predicted_exhaustion.where"), k.Where, levels)
	}
	if a := claim.Adaptation; a != nil {
		c.adaptation(strictyaml.Join(path, "adaptation"), a, names, levels)
	}
	for _, kind := range present {
		if forService, either := slices.Contains(claimsOfService, kind), slices.Contains(claimsOfEither, kind); !either && forService != (c.s.Service != nil) {
			c.reportKey(strictyaml.Join(path, kind), "%s", kindOf[forService])
		}
	}
}

// adaptation checks that variants adapt, and that there are fixed limits to compare with.
func (c *checker) adaptation(path string, a *AdaptationClaim, names []string, levels []Level) {
	c.known(strictyaml.Join(path, "of"), a.Of, names)
	c.where(strictyaml.Join(path, "where"), a.Where, levels)
	if a.ConvergesWithin == 0 && a.Overshoot == 0 && a.ThroughputLost == nil && a.P99 == 0 && !c.Failed(path) {
		c.report(path, "is empty; it must have converges_within, overshoot, throughput_lost, p99 or several of them")
	}
	fixed := false
	for _, v := range c.s.Variants {
		fixed = fixed || v.Strategy == pipeline.KindBounded
		if i := slices.Index(a.Of, v.Name); i >= 0 && !slices.Contains(searching(), string(v.Strategy)) {
			c.report(strictyaml.Index(strictyaml.Join(path, "of"), i), "%s has a fixed limit; the claim applies to strategy %s", strictyaml.Quote(v.Name), strictyaml.Or(searching()))
		}
	}
	if !fixed && (a.Overshoot > 0 || a.ThroughputLost != nil || a.P99 > 0) {
		c.report(path, "needs variants with fixed limits to compare with; add some of strategy bounded")
	}
	if len(c.s.SUT.Command) > 0 {
		c.reportKey(path, "applies to the built-in pipeline only, because other programs do not report their limit over time")
	}
}

// kindOf holds the message about a kind of claim that does not apply, by whether
// the kind is one of services.
var kindOf = map[bool]string{
	true:  "applies only to a service (want " + strictyaml.Or(append([]string{"reduction", "growth", "descriptors", "adaptation"}, claimsOfEither...)) + ")",
	false: "does not apply to a service (want " + strictyaml.Or(append(slices.Clone(claimsOfService), claimsOfEither...)) + ")",
}

func (c *checker) descriptors(path string, d *DescriptorsClaim, names []string, levels []Level) {
	c.known(strictyaml.Join(path, "within"), d.Within, names)
	c.known(strictyaml.Join(path, "grows"), d.Grows, names)
	switch {
	case !c.Has(strictyaml.Join(path, "within")) && !c.Has(strictyaml.Join(path, "grows")):
		c.report(path, "is empty; it must have within, grows or both")
	case !c.Has(strictyaml.Join(path, "grows")) && c.Has(strictyaml.Join(path, "with")):
		c.reportKey(strictyaml.Join(path, "with"), "needs grows, which is missing")
	case c.Has(strictyaml.Join(path, "grows")):
		c.grows(strictyaml.Join(path, "with"), &d.With, levels)
	}
}

// compared checks the variants of a comparison.
func (c *checker) compared(path string, of []string, reference string, names []string) {
	c.known(strictyaml.Join(path, "of"), of, names)
	if c.Has(strictyaml.Join(path, "reference")) {
		c.variant(strictyaml.Join(path, "reference"), reference, names)
	}
	if i := slices.Index(of, reference); i >= 0 && reference != "" {
		c.report(strictyaml.Index(strictyaml.Join(path, "of"), i), "%s is compared with itself", strictyaml.Quote(reference))
	}
}

// limited checks that variants are known and declare a limit.
func (c *checker) limited(path string, of, names []string) {
	c.known(path, of, names)
	for _, v := range c.s.Variants {
		if i := slices.Index(of, v.Name); i >= 0 && c.s.DeclaredLimit(v) == 0 {
			c.report(strictyaml.Index(path, i), "%s declares no limit for the whole program, so it cannot exceed one", strictyaml.Quote(v.Name))
		}
	}
}

func (c *checker) known(path string, variants, names []string) {
	for i, name := range variants {
		c.variant(strictyaml.Index(path, i), name, names)
	}
}

// grows checks that a factor varies, and replaces its name by the short name.
func (c *checker) grows(path string, name *string, levels []Level) {
	f, wrong := c.s.findFactor(*name)
	if wrong != nil {
		c.at(path, wrong)
		return
	}
	*name = f.name
	if levels == nil {
		return
	}
	if _, isNumber := levels[0].Number(f.name); !isNumber {
		c.report(path, "must be a factor that is a number or a duration, but %s is a text", strictyaml.Quote(f.name))
		return
	}
	if !varies(f.name, levels) {
		c.report(path, "%s does not vary over the selected levels", strictyaml.Quote(f.name))
	}
}

func varies(name string, levels []Level) bool {
	for _, l := range levels[1:] {
		have, _ := l.Number(name)
		if first, _ := levels[0].Number(name); have != first {
			return true
		}
	}
	return false
}
