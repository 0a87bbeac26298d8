package content

import (
	"fmt"
	"time"

	"floodgate/results"
	"floodgate/results/history"
	"floodgate/results/text"
)

// HistoryFigure formats a value of a metric of a history.
func HistoryFigure(metric string, v float64) string {
	switch metric {
	case history.Makespan, history.ItemP99, history.ResponseP99, history.CPU:
		return text.Duration(time.Duration(v))
	case history.Reduction, history.Efficiency:
		return text.Percent(v)
	case history.Memory:
		return text.Mebibytes(int64(v))
	}
	return Shortest(v)
}

// HistoryChange describes a change: "200 ms → 240 ms (+19.9 %)".
func HistoryChange(metric string, c history.Change) string {
	words := fmt.Sprintf("%s → %s", HistoryFigure(metric, c.From), HistoryFigure(metric, c.To))
	if size := HistoryChangeSize(metric, c); size != "" {
		words += " (" + size + ")"
	}
	return words
}

// HistoryChangeSize returns the size of a change, "+19.9 %" or "-4.1 points", or "" for
// one from 0.
func HistoryChangeSize(metric string, c history.Change) string {
	if metric == history.Reduction || metric == history.Efficiency {
		return fmt.Sprintf("%+.1f points", 100*(c.To-c.From))
	}
	if share, ok := c.Relative(); ok {
		return fmt.Sprintf("%+.1f %%", 100*share)
	}
	return ""
}

// HistoryRun describes a run: "20261107-000000.000-aaaaaa, 2026-11-07, 031258104c3b with
// changes".
func HistoryRun(r history.Run) string {
	return r.ID + ", " + r.Started.UTC().Format(time.DateOnly) + ", " + HistoryRevision(r)
}

// HistoryRevision returns the short revision of a run.
func HistoryRevision(r history.Run) string {
	words := ShortRevision(r.Revision)
	if r.Modified {
		words += " with changes"
	}
	return words
}

// HistoryName returns the name of a group: "report (quick)".
func HistoryName(g history.Group) string {
	if g.Quick {
		return g.Scenario + " (quick)"
	}
	return g.Scenario
}

// HistoryPlace describes the scenario, the environment and the machine of a group.
func HistoryPlace(g history.Group) string {
	m := g.Machine
	return fmt.Sprintf("scenario %s, %s, on %s, %s%s, %d GiB, %s/%s", ShortRevision(g.Design), g.Environment,
		m.CPU, text.Plural(m.Cores, "core", "cores"), ProcessorsPart(results.Processors(m.GOMAXPROCS, m.CPUQuota)), m.Memory, m.OS, m.Arch)
}

// HistorySpan describes the runs of a group of several: "18 runs, 2026-11-01 to
// 2026-11-18".
func HistorySpan(g history.Group) string {
	first, last := g.Runs[0], g.Runs[len(g.Runs)-1]
	words := fmt.Sprintf("%s, %s to %s", text.Plural(len(g.Runs), "run", "runs"), first.Started.UTC().Format(time.DateOnly), last.Started.UTC().Format(time.DateOnly))
	if g.Older > 0 {
		words += fmt.Sprintf("; changes are searched in the newest %d", len(g.Runs)-g.Older)
	}
	return words
}

// HistoryFew explains that a group has too few runs to detect a change; empty means that
// it has enough.
func HistoryFew(g history.Group, level float64) string {
	if len(g.Runs) >= g.Needed {
		return ""
	}
	return fmt.Sprintf("too few runs to detect a change: at least %d are needed at a significance level of %g %%", g.Needed, 100*level)
}

// HistoryChance tells how many of n series show a change by chance.
func HistoryChance(n int, level float64) string {
	return fmt.Sprintf("%s tested, each at a significance level of %g %%: about %.2g would show a change by chance alone. Runs of different days differ in more than the program, so this is not a verdict.",
		text.Plural(n, "series", "series"), 100*level, level*float64(n))
}
