package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"floodgate/bench/experiment"
	"floodgate/results/report/text"
	"floodgate/scenarios"
)

func printDryRun(w io.Writer, s *scenarios.Scenario) error {
	plan, err := experiment.Plan(s)
	if err != nil {
		return err
	}
	levels, err := s.ExpandLevels()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %s\n", s.Name, s.Title)
	fmt.Fprintf(w, "%s: %s × %s, each in a process of its own; about %s\n\n",
		text.Plural(len(plan), "trial", "trials"), text.Plural(s.Blocks, "block", "blocks"), points(s, levels), text.InWords(experiment.EstimateDuration(plan)))
	if s.Service != nil {
		return printServiceDryRun(w, s, levels)
	}
	ideal := make(map[[2]string]time.Duration)
	for _, t := range plan {
		if t.Block == 0 {
			ideal[[2]string{t.Level.Name, t.Variant.Name}] = t.Ideal
		}
	}
	for _, level := range levels {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(w, "%s (nofile %d)\n", level.Name, level.Scenario.SUT.NoFile)
		fmt.Fprintln(table, "variant\tideal makespan\tpredicted descriptors\tupstream\tmongo\t")
		for _, v := range s.Variants {
			if !v.RunsAt(level) {
				continue
			}
			p := scenarios.Predict(v, level.Scenario)
			fmt.Fprintf(table, "%s\t%v\t%d\t%d\t%d\t\n", v.Name,
				ideal[[2]string{level.Name, v.Name}].Round(time.Millisecond), p.Total, p.Upstream, p.Mongo)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	_, err = fmt.Fprintf(w, "%d of the predicted descriptors stand for those open before the first client;\n"+
		"a run counts its own there, so that its predictions may differ by a few.\n", scenarios.RuntimeDescriptors)
	return err
}

// printServiceDryRun says what each variant bounds; how many descriptors a
// service needs is for the trials to find out.
func printServiceDryRun(w io.Writer, s *scenarios.Scenario, levels []scenarios.Level) error {
	for _, level := range levels {
		v := level.Scenario.Service
		name := level.Name
		if level.Label != "" {
			name = level.Label + ": " + name
		}
		fmt.Fprintf(w, "%s: reports of %s for %v (nofile %d)\n", name, text.Plural(v.ReportItems, "item", "items"), time.Duration(v.Duration), level.Scenario.SUT.NoFile)
		if at := runningAt(s, level); len(at) < len(s.Variants) {
			fmt.Fprintf(w, "  %s alone\n", strings.Join(at, ", "))
		}
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range s.Variants {
		fmt.Fprintf(table, "%s\t%s\n", v.Name, v.Bounds())
	}
	return table.Flush()
}

// points is how many trials a block has, and of what.
func points(s *scenarios.Scenario, levels []scenarios.Level) string {
	n := 0
	for _, level := range levels {
		n += len(runningAt(s, level))
	}
	of := text.Plural(len(levels), "level", "levels")
	if n == len(levels)*len(s.Variants) {
		return of + " × " + text.Plural(len(s.Variants), "variant", "variants")
	}
	return fmt.Sprintf("%d variants at levels (%s, %s)", n, of, text.Plural(len(s.Variants), "variant", "variants"))
}

// runningAt names the variants that run at a level.
func runningAt(s *scenarios.Scenario, level scenarios.Level) []string {
	var names []string
	for _, v := range s.Variants {
		if v.RunsAt(level) {
			names = append(names, v.Name)
		}
	}
	return names
}
