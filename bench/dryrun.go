package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"floodgate/bench/experiment"
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
	fmt.Fprintf(w, "%s: %s × %s × %s, each in a process of its own; about %s\n\n",
		numbered(len(plan), "trial"), numbered(s.Blocks, "block"), numbered(len(levels), "level"),
		numbered(len(s.Variants), "variant"), inWords(experiment.EstimateDuration(plan)))
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
		fmt.Fprintf(w, "%s: reports of %s for %v (nofile %d)\n", level.Name, numbered(v.ReportItems, "item"), time.Duration(v.Duration), level.Scenario.SUT.NoFile)
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range s.Variants {
		fmt.Fprintf(table, "%s\t%s\n", v.Name, v.Bounds())
	}
	return table.Flush()
}

// numbered is "1 trial" or "2 trials".
func numbered(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
