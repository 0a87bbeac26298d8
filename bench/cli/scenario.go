package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/bench/experiment"
	"floodgate/mockupstream/strictyaml"
	"floodgate/results/text"
	"floodgate/scenarios"
)

func newScenario(stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenario",
		Short: "Look at scenarios before running them",
		Example: `  floodgate scenario list
  floodgate scenario show report > mine.yaml
  floodgate scenario validate mine.yaml
  floodgate scenario dry-run mine.yaml`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var subset command.SubsetFlags
	dryRun := &cobra.Command{
		Use:     "dry-run [SCENARIO…]",
		Short:   "Print the trials, their duration and predicted descriptors",
		Example: "  floodgate scenario dry-run mine.yaml\n  floodgate scenario dry-run --quick report",
		RunE: func(cmd *cobra.Command, names []string) error {
			all, err := subset.Load(cmd, names, nil, func(words string) { fmt.Fprintln(stderr, words) })
			if err != nil {
				return err
			}
			for i, s := range all {
				if i > 0 {
					fmt.Fprintln(stdout)
				}
				if err := printDryRun(stdout, s); err != nil {
					return command.Usage(err)
				}
			}
			return nil
		},
	}
	subset.Register(dryRun.Flags())
	cmd.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the built-in scenarios", Example: "  floodgate scenario list", Args: command.NoArgs,
			RunE: func(*cobra.Command, []string) error { return listScenarios(stdout) },
		},
		&cobra.Command{
			Use: "show SCENARIO", Short: "Print a scenario's file", Example: "  floodgate scenario show report > mine.yaml", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return showScenario(stdout, args[0]) },
		},
		&cobra.Command{
			Use: "validate SCENARIO…", Short: "Check scenario files", Example: "  floodgate scenario validate mine.yaml", Args: cobra.MinimumNArgs(1),
			RunE: func(_ *cobra.Command, names []string) error { return validateScenarios(stdout, names) },
		},
		&cobra.Command{
			Use: "schema", Short: "Print the JSON Schema of scenario files, for editors", Example: "  floodgate scenario schema > scenario.schema.json", Args: command.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				schema, err := scenarios.JSONSchema()
				if err != nil {
					return err
				}
				_, err = stdout.Write(schema)
				return err
			},
		},
		dryRun,
	)
	return cmd
}

func listScenarios(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range scenarios.BuiltinNames() {
		s, err := scenarios.Builtin(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\n", name, s.Title)
	}
	return table.Flush()
}

func showScenario(w io.Writer, name string) error {
	if command.IsPath(name) {
		src, err := os.ReadFile(name)
		if err != nil {
			return command.Usage(command.ScenarioError(name, err))
		}
		_, err = w.Write(src)
		return err
	}
	src, err := scenarios.BuiltinSource(name)
	if err != nil {
		return command.Usage(command.ScenarioError(name, err))
	}
	_, err = w.Write(src)
	return err
}

// validateScenarios checks all files before it fails.
func validateScenarios(w io.Writer, names []string) error {
	var bad strictyaml.Errors
	var other error
	for _, name := range names {
		_, err := command.LoadScenario(name, nil)
		var found strictyaml.Errors
		switch {
		case err == nil:
			fmt.Fprintf(w, "%s: ok\n", name)
		case errors.As(err, &found):
			bad = append(bad, found...)
		case other == nil:
			other = err
		}
	}
	if other != nil {
		return command.Usage(other)
	}
	if len(bad) > 0 {
		return command.Usage(bad)
	}
	return nil
}

func printDryRun(w io.Writer, s *scenarios.Scenario) error {
	plan, err := experiment.Schedule(s)
	if err != nil {
		return err
	}
	levels, err := s.ExpandLevels()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %s\n", s.Name, s.Title)
	fmt.Fprintf(w, "%s: %s × %s, each in its own process; about %s\n\n",
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
	_, err = fmt.Fprintf(w, "%d of the predicted descriptors are those that are open before the first client;\n"+
		"a run counts its own, so its predictions may differ by a few.\n", scenarios.RuntimeDescriptors)
	return err
}

// printServiceDryRun prints the bounds of each variant. The number of descriptors of a
// service is only known after its trials.
func printServiceDryRun(w io.Writer, s *scenarios.Scenario, levels []scenarios.Level) error {
	for _, level := range levels {
		v := level.Scenario.Service
		name := level.Name
		if level.Label != "" {
			name = level.Label + ": " + name
		}
		load := "reports of " + text.Plural(v.ReportItems, "item", "items")
		if len(v.Requests) > 0 {
			load = text.Plural(len(v.Requests), "kind of request", "kinds of requests")
		}
		if n := v.GeneratorCount(); n > 1 {
			load += fmt.Sprintf(" from %d load generators", n)
		}
		if n := level.Scenario.SUT.HostCount(); n > 1 {
			load += fmt.Sprintf(" to %d hosts", n)
		}
		fmt.Fprintf(w, "%s: %s for %v (nofile %d)\n", name, load, time.Duration(v.Duration), level.Scenario.SUT.NoFile)
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

// points returns the number of trials of a block in words.
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

// runningAt returns the names of the variants that run at a level.
func runningAt(s *scenarios.Scenario, level scenarios.Level) []string {
	var names []string
	for _, v := range s.Variants {
		if v.RunsAt(level) {
			names = append(names, v.Name)
		}
	}
	return names
}
