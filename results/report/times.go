package report

import (
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/claims"
)

// took adds up how long trials took: their makespans or, of a service, the times
// for which they were watched. Trials without either count as nothing.
func took(trials []results.Trial) (sum time.Duration) {
	for _, t := range trials {
		switch {
		case t.Makespan > 0:
			sum += t.Makespan
		case t.Service != nil && len(t.Service.Series.At) > 0:
			sum += time.Duration(t.Service.Series.At[len(t.Service.Series.At)-1]) * time.Millisecond
		}
	}
	return sum
}

// trialsOf are the trials of a variant at a level.
func trialsOf(run *results.Run, variant, level string) []results.Trial {
	return filterTrials(run, func(t results.Trial) bool { return t.Variant == variant && t.LevelName == level })
}

// judgedTrials are those that evidence is about, each once: of the variant and of
// the one that it is compared with, at the level. Evidence of several levels is
// about all that have in common what they have.
func judgedTrials(run *results.Run, evidence []claims.Evidence) []results.Trial {
	return filterTrials(run, func(t results.Trial) bool {
		return slices.ContainsFunc(evidence, func(e claims.Evidence) bool {
			if t.Variant != e.Variant && t.Variant != e.Reference {
				return false
			}
			return e.Level == t.LevelName || e.FromLevel != "" && hasFactors(t.LevelName, e.Level)
		})
	})
}

func filterTrials(run *results.Run, is func(results.Trial) bool) []results.Trial {
	return slices.DeleteFunc(slices.Clone(run.Trials), func(t results.Trial) bool { return !is(t) })
}

// hasFactors reports whether a level has all factors of another name.
func hasFactors(level, common string) bool {
	words := strings.Fields(level)
	for _, factor := range strings.Fields(common) {
		if !slices.Contains(words, factor) {
			return false
		}
	}
	return true
}
