package report

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/perf/benchunit"

	"floodgate/results/gobench"
	"floodgate/results/verdict"
)

// GoBenchJudgement is a comparison of Go benchmarks as checks: one a benchmark
// and unit. Again is the command that prints it again.
func GoBenchJudgement(v *gobench.Verdict, again string) Judgement {
	packages := manyPackages(v)
	words := benchSummary(v)
	j := Judgement{
		Name: "go-bench", Title: "Go benchmarks, " + v.New + " against " + v.Old, ID: v.Old + "…" + v.New,
		Headline: string(v.Decision) + ": " + words, Decision: v.Decision, Command: again,
		Facts:      [][2]string{{"old", v.Old}, {"new", v.New}},
		Properties: [][2]string{{"alpha", fmt.Sprint(v.Alpha)}, {"margin", fmt.Sprint(v.Margin)}},
	}
	if len(v.Mixed) > 0 {
		j.Notes = append(j.Notes, "mixed environments, as --allow-mixed allowed: "+strings.Join(v.Mixed, "; "))
	}
	times := map[[2]string]time.Duration{} // a benchmark's samples have several units
	for _, u := range v.Units {
		for _, r := range u.Rows {
			key := [2]string{r.Package, r.Benchmark}
			j.Time += max(0, r.Time-times[key])
			times[key] = max(times[key], r.Time)
			j.Checks = append(j.Checks, benchCheck(v, u, r, packages))
		}
	}
	for _, only := range []struct {
		of    []gobench.Only
		where string
	}{{v.Missing, "in the old file alone"}, {v.Added, "in the new file alone"}} {
		for _, o := range only.of {
			name := benchmarkName(o.Package, o.Benchmark, packages) + " " + o.Unit
			j.Notes = append(j.Notes, name+": "+only.where+", so not judged")
		}
	}
	differ := v.ProcessorsDiffer()
	if len(j.Checks) == 0 {
		words := strings.Join(append([]string{"The files have no benchmark in common."}, differ...), "\n")
		j.Checks = []Check{{ID: idUncompared, Decision: verdict.NotMeasured, Says: "Something can be compared.", Title: "nothing was compared", Text: words, All: words}}
	} else {
		j.Notes = append(j.Notes, differ...)
	}
	if len(v.Units) > 0 {
		j.Notes = append(j.Notes, howJudged(v))
	}
	return j
}

func benchCheck(v *gobench.Verdict, u gobench.Unit, r gobench.Row, packages bool) Check {
	class := benchunit.ClassOf(u.Unit)
	name := benchmarkName(r.Package, r.Benchmark, packages) + " " + u.Unit
	words := fmt.Sprintf("%s → %s, %s beside at most %s", scaled(r.Old.Median, class), scaled(r.New.Median, class), benchDelta(r), signed(v.Margin))
	if r.Adjusted != nil {
		words += fmt.Sprintf(", p=%s after Holm beside %g, n=%s", probability(*r.Adjusted), v.Alpha, samples(r))
	}
	if r.Why != "" {
		words += "; " + r.Why
	}
	return Check{
		ID: name, Decision: r.Decision.Decision(), Says: name + " does not get worse", Title: name + ": " + r.Decision.String(),
		Text: words, All: words, Time: r.Time, Properties: map[string]string{"decision": r.Decision.String()},
	}
}
