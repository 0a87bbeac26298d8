package profile

import (
	"cmp"
	"fmt"
	"slices"

	"floodgate/results"
)

// Group compares two profiles of a kind that are merged over trials of a variant at a level:
// the mean of a trial at the peak with that before the work, or the mean of a trial of B with
// that of A.
type Group struct {
	Variant string `json:"variant"`
	Level   string `json:"level"`
	Kind    string `json:"kind"`
	// Trials is the number of merged trials, and TrialsA that of A where A is compared with B.
	Trials  int `json:"trials"`
	TrialsA int `json:"trials_a,omitempty"`
	// Invalid reports that no trial was measured, so that those are compared that were invalid.
	Invalid bool `json:"invalid,omitempty"`
	Ranking
	// Error says why there is no comparison; empty means that there is one.
	Error string `json:"error,omitempty"`
	// To and From are the merged profiles; nil means none.
	To   *Profile `json:"-"`
	From *Profile `json:"-"`
}

// Compared reports whether A is compared with B.
func (g Group) Compared() bool { return g.TrialsA > 0 }

// trialsOf returns the profiles of a kind of the measured trials of a variant at a level or,
// if they have none, of the invalid ones, in which the machine was overloaded: they cannot
// tell how long the program took, but what it did. Without any, why is the reason.
func trialsOf(run *results.Run, variant, level, kind string) (found []results.Profile, invalid bool, why string) {
	of := func(outcomes ...string) {
		for _, t := range run.Trials {
			if t.Variant != variant || t.LevelName != level || !slices.Contains(outcomes, t.Outcome) {
				continue
			}
			for _, p := range t.Profiles {
				switch {
				case p.Kind != kind:
				case p.File != "":
					found = append(found, p)
				case why == "":
					why = p.Error
				}
			}
		}
	}
	if of(results.OutcomeOK, results.OutcomeStalled); len(found) == 0 {
		invalid = true
		of(results.OutcomeInvalid)
	}
	return found, invalid, cmp.Or(why, "no trial has one")
}

// mean reads profiles and returns the mean of a trial.
func mean(run *results.Run, kind string, names []string) (*Profile, error) {
	var all []*Profile
	for _, name := range names {
		source, err := run.ReadProfile(name)
		if err != nil {
			return nil, err
		}
		one, err := Clean(kind, source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, one)
	}
	sum, err := Merge(all...)
	if err != nil {
		return nil, err
	}
	return sum.Mean(len(all)), nil
}

// names returns the names of files.
func names(all []results.Profile, of func(results.Profile) string) (names []string) {
	for _, p := range all {
		if name := of(p); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func atPeak(p results.Profile) string { return p.File }
func before(p results.Profile) string { return p.Before }

// OfRun compares the profiles of a run with those from before the work, for each kind of each
// variant at each level, in the order of the trials.
func OfRun(run *results.Run) (all []Group) {
	for _, g := range groups(run) {
		found, invalid, why := trialsOf(run, g.Variant, g.Level, g.Kind)
		g.Trials, g.Invalid = len(found), invalid
		if len(found) == 0 {
			g.Error = why
			all = append(all, g)
			continue
		}
		var err error
		g.To, err = mean(run, g.Kind, names(found, atPeak))
		if earlier := names(found, before); err == nil && len(earlier) == len(found) {
			g.From, err = mean(run, g.Kind, earlier)
		}
		all = append(all, g.compare(err))
	}
	return all
}

// Between compares the profiles of B with those of A, for what both runs have.
func Between(a, b *results.Run) (all []Group) {
	others := groups(a)
	for _, g := range groups(b) {
		if !slices.ContainsFunc(others, func(o Group) bool { return o.Variant == g.Variant && o.Level == g.Level && o.Kind == g.Kind }) {
			continue
		}
		ofA, invalidA, whyA := trialsOf(a, g.Variant, g.Level, g.Kind)
		ofB, invalidB, whyB := trialsOf(b, g.Variant, g.Level, g.Kind)
		g.TrialsA, g.Trials, g.Invalid = len(ofA), len(ofB), invalidA || invalidB
		switch {
		case len(ofA) == 0:
			g.Error = "A: " + whyA
		case len(ofB) == 0:
			g.Error = "B: " + whyB
		}
		if g.Error != "" {
			all = append(all, g)
			continue
		}
		var err error
		if g.From, err = mean(a, g.Kind, names(ofA, atPeak)); err == nil {
			g.To, err = mean(b, g.Kind, names(ofB, atPeak))
		}
		all = append(all, g.compare(err))
	}
	return all
}

// compare ranks the functions, unless there is an error.
func (g Group) compare(err error) Group {
	if err != nil {
		g.Error, g.To, g.From = err.Error(), nil, nil
		return g
	}
	g.Ranking = Growth(g.To, g.From)
	return g
}

// groups returns the kinds of profiles of each variant at each level of a run.
func groups(run *results.Run) (all []Group) {
	for _, t := range run.Trials {
		for _, p := range t.Profiles {
			g := Group{Variant: t.Variant, Level: t.LevelName, Kind: p.Kind}
			if !slices.ContainsFunc(all, func(o Group) bool { return o.Variant == g.Variant && o.Level == g.Level && o.Kind == g.Kind }) {
				all = append(all, g)
			}
		}
	}
	return all
}
