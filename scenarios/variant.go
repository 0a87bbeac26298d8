package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/scenarios/pipeline"
)

// RunsAt reports whether the variant runs at the level.
func (v Variant) RunsAt(l Level) bool { return l.Selects(v.Where) }

// Adapts reports whether any variant finds its limit at run time.
func (s *Scenario) Adapts() bool {
	return slices.ContainsFunc(s.Variants, func(v Variant) bool {
		d, _ := pipeline.Define(v.Strategy)
		return d.NewSlots != nil
	})
}

// SweepVariant returns the variant whose limit a plan varies: the first variant that is not
// sequential if that is staged, otherwise a bounded one. Its limit may be 0.
func (s *Scenario) SweepVariant() Variant {
	at := slices.IndexFunc(s.Variants, func(v Variant) bool { return v.Strategy != pipeline.KindSequential })
	if at < 0 || s.Variants[at].Strategy != pipeline.KindStaged {
		swept := Variant{Strategy: pipeline.KindBounded}
		if at >= 0 {
			swept.Vars = s.Variants[at].Vars
		}
		return swept
	}
	v := s.Variants[at]
	v.Where, v.LimitScope = nil, ""
	return v
}

// DeclaredLimit returns the variant's limit on the requests in flight of the whole
// program, on all its hosts; zero means none.
func (s *Scenario) DeclaredLimit(v Variant) int {
	limit, _ := v.Schedule().AtOnce()
	switch {
	case s.IsHTTPService():
		limit = v.Limit
	case s.Service != nil && v.Scope != "shared": // each report has a limit of its own
		return 0
	}
	if v.LimitScope == LimitScopeFleet {
		return limit
	}
	return limit * s.SUT.HostCount()
}

// AtLimit returns the variant with another limit and a name derived from it. Its
// writers and queue keep their ratio to the limit and are at least 1 unless they were 0.
func (v Variant) AtLimit(limit int) Variant {
	if was := v.Limit; was > 0 {
		scale := func(n int) int { return max(min(1, n), (n*limit+was/2)/was) }
		v.Writers, v.Queue = scale(v.Writers), scale(v.Queue)
	}
	v.Limit = limit
	v.Name = v.defaultName()
	return v
}

// defaultName returns the strategy with its limit: "sequential", "bounded-10"; without
// a strategy the variables with their values, "limit-10", or "service".
func (v Variant) defaultName() string {
	if v.Strategy == "" {
		if name := strings.ToLower(strings.ReplaceAll(v.describeVars(), "=", "-")); isName(name) {
			return name
		}
		return "service"
	}
	if v.Algorithm != "" {
		return string(v.Strategy) + "-" + v.Algorithm
	}
	if v.Limit == 0 {
		return string(v.Strategy)
	}
	return string(v.Strategy) + "-" + strconv.Itoa(v.Limit)
}

// describeVars lists the variant's variables with their values: "limit=10, mode=fast".
func (v Variant) describeVars() string {
	vars := v.Variables()
	words := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		words = append(words, name+"="+vars[name])
	}
	if len(words) == 0 {
		return "no variables"
	}
	return strings.Join(words, ", ")
}

// The format's rules about strategies come from the table of [pipeline.Strategies].

// strategyRule lists the strategies with their summaries.
func strategyRule() rule {
	var doc []string
	for _, d := range pipeline.Strategies() {
		doc = append(doc, fmt.Sprintf("%s %s", d.Kind, d.Summary))
	}
	return rule{doc: "Schedule of the items: " + strings.Join(doc, "; ") + ".", oneOf: pipeline.Kinds(nil)}
}

// parameterRule describes the field of a parameter.
func parameterRule(p pipeline.Parameter) rule {
	r := rule{doc: fmt.Sprintf("%s; for %s.", p.Summary, enumerate(strategiesWith(p)))}
	if p.Min == 0 {
		r.doc += " Default 0."
	}
	if p.Duration {
		r.most = Duration(time.Duration(p.Max))
	} else {
		r.span = between(float64(p.Min), float64(p.Max))
	}
	return r
}

// algorithmRule lists the algorithms of strategy adaptive with their summaries.
func algorithmRule() rule {
	var doc []string
	for _, a := range pipeline.Algorithms() {
		doc = append(doc, fmt.Sprintf("%s %s", a.Name, a.Summary))
	}
	return rule{doc: fmt.Sprintf("Algorithm that finds the limit; for %s. Default %s. %s.", enumerate(searching()), pipeline.DefaultAlgorithm, strings.Join(doc, "; ")), oneOf: pipeline.AlgorithmNames()}
}

// settingsRule lists the parameters of each algorithm with their defaults.
func settingsRule() rule {
	var doc []string
	for _, a := range pipeline.Algorithms() {
		var settings []string
		for _, s := range a.Settings {
			settings = append(settings, fmt.Sprintf("%s %s (%s)", s.Name, s.Text(s.Default), s.Summary))
		}
		doc = append(doc, a.Name+": "+strings.Join(settings, ", "))
	}
	return rule{doc: "Parameters of the algorithm, with their defaults. " + strings.Join(doc, "; ") + "."}
}

// searching names the strategies that find their limit by an algorithm.
func searching() []string {
	return pipeline.Kinds(func(d pipeline.Definition) bool { return d.Algorithms != nil })
}

// strategiesWith names the strategies that have the parameter.
func strategiesWith(p pipeline.Parameter) []string {
	return pipeline.Kinds(func(d pipeline.Definition) bool { return d.Has(p.Name) })
}

// limitScopeRule describes the scope of the limits of a fleet.
func limitScopeRule() rule {
	dividing := pipeline.Kinds(func(d pipeline.Definition) bool { return len(dividedParameters(d)) > 0 })
	return rule{
		doc:   "Scope of the limit where a trial has several hosts: host (default: each has the whole limit) or fleet: the hosts divide limit and writers; for " + enumerate(dividing) + ", and for the limit of an HTTP service.",
		oneOf: []string{LimitScopeHost, LimitScopeFleet},
	}
}

// shareable names the strategies whose limit the reports of a service can share.
func shareable() []string {
	return pipeline.Kinds(func(d pipeline.Definition) bool { return d.Shareable })
}

// enumerate joins names as in "a, b and c".
func enumerate(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
