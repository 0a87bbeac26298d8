package content

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/profile"
	"floodgate/results/text"
)

// profilesLine describes the profiles of a run and what they cost; empty means that none were
// taken.
func profilesLine(run *results.Run) string {
	kinds := run.Header.Profiles
	if kinds == nil {
		return ""
	}
	if run.Header.Merged != nil {
		return strings.Join(kinds, ", ") + ": beside the records of the shards, this one has none"
	}
	trials := 0
	for _, t := range run.Trials {
		if slices.ContainsFunc(t.Profiles, func(p results.Profile) bool { return p.File != "" }) {
			trials++
		}
	}
	where := results.ProfileDir
	if run.Path != "" {
		where = filepath.ToSlash(filepath.Join(filepath.Dir(run.Path), where))
	}
	return fmt.Sprintf("%s of %s in %s; taking them adds to CPU time and latencies", strings.Join(kinds, ", "), text.Plural(trials, "trial", "trials"), where)
}

// ShortFunction returns the name of a function without the path of its package's folder:
// "http.(*conn).serve".
func ShortFunction(name string) string {
	dot := strings.IndexAny(name, "([") // a type may hold a path
	if dot < 0 {
		dot = len(name)
	}
	return path.Base(name[:dot]) + name[dot:]
}

// growing is the number of functions that [ProfileLine] names.
const growing = 3

// ProfileLine names the functions that grew most: "cpu profile, 2.10 s to 3.30 s a trial:
// main.hash +1.20 s (+1.30 s with its calls), …".
func ProfileLine(g profile.Group) string {
	if g.Error != "" {
		return fmt.Sprintf("%s profile: not compared: %s", g.Kind, g.Error)
	}
	var functions []string
	for _, f := range g.Flat[:min(len(g.Flat), growing)] {
		functions = append(functions, fmt.Sprintf("%s %s (%s with its calls)", ShortFunction(f.Name), Grown(g.Kind, f.Flat), Grown(g.Kind, f.Cumulative)))
	}
	return fmt.Sprintf("%s profile%s, %s to %s a trial: %s", g.Kind, Invalid(g), profile.Format(g.Kind, g.Before), profile.Format(g.Kind, g.After), cmp.Or(strings.Join(functions, ", "), "no function grew"))
}

// Invalid returns " of invalid trials", or "" for a comparison of measured ones.
func Invalid(g profile.Group) string {
	if g.Invalid {
		return " of invalid trials"
	}
	return ""
}

// Grown formats a growth with its sign.
func Grown(kind string, value int64) string {
	if value > 0 {
		return "+" + profile.Format(kind, value)
	}
	return profile.Format(kind, value)
}

// ProfileLines describes the functions that grew most from A to B, a line for each kind of
// each variant.
func ProfileLines(groups []profile.Group) (lines []string) {
	for _, g := range groups {
		lines = append(lines, fmt.Sprintf("from A to B, %s at %s: %s", g.Variant, g.Level, ProfileLine(g)))
	}
	return lines
}
