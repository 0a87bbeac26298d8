package cli

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/bench/cli/command"
	"floodgate/results"
	"floodgate/results/history"
)

func newHistory(stdout io.Writer) *cobra.Command {
	var format, root string
	cmd := &cobra.Command{
		Use:   "history [SCENARIO]",
		Short: "Find the run after which a metric changed",
		Example: `  floodgate history         # every scenario
  floodgate history report  # one of them`,
		Long: `Shows over time for every variant at every level: makespan, reduction, p99 of an
item, peak descriptors, and errors. Where one of them changes, it names the last
run before and the first one after, with their revisions.

Only runs of one scenario (name and content), environment and kind of machine
are in one series; runs that are left out are listed. Changes are found by
E-divisive (Matteson and James, 2014), each series at a level of 1 %.

It does not judge: the exit code is 0 whatever it shows, and 2 if a name is
wrong or nothing can be read.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := command.HistoryFormats.Check(format); err != nil {
				return err
			}
			if _, err := os.Stat(root); err != nil && cmd.Flags().Changed("results") {
				return command.Usage(fmt.Errorf("--results: %w", err))
			}
			listed, err := results.List(root)
			if err != nil {
				return command.Usage(err)
			}
			if len(args) > 0 {
				if listed, err = ofScenario(listed, args[0], root); err != nil {
					return command.Usage(err)
				}
			}
			return printHistory(stdout, collect(listed), root, format)
		},
	}
	command.HistoryFormats.Flag(cmd.Flags(), &format)
	cmd.Flags().StringVar(&root, "results", command.DefaultRoot, "`folder` of stored runs, also --out")
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "out" { // so that both flags work, as in the other commands
			name = "results"
		}
		return pflag.NormalizedName(name)
	})
	return cmd
}

// ofScenario returns the runs of the scenario, and those whose header cannot be
// read, which may belong to it.
func ofScenario(listed []results.Listed, name, root string) ([]results.Listed, error) {
	var names []string
	for _, l := range listed {
		if s := l.Header.ScenarioName; l.Err == nil && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	if !slices.Contains(names, name) {
		slices.Sort(names)
		if len(names) == 0 {
			return nil, fmt.Errorf("no runs in %s", root)
		}
		return nil, fmt.Errorf("no run of scenario %q in %s (want %s)", name, root, command.OneOf(names))
	}
	return slices.DeleteFunc(slices.Clone(listed), func(l results.Listed) bool {
		return l.Err == nil && l.Header.ScenarioName != name
	}), nil
}

// collect reads one run at a time, so that memory use does not depend on their number.
func collect(listed []results.Listed) *history.History {
	var c history.Collector
	for _, l := range listed {
		err := l.Err
		if err == nil {
			var run *results.Run
			if run, err = results.Open(l.Dir); err == nil {
				c.Add(run)
				continue
			}
		}
		c.Omit(l.ID, err.Error())
	}
	return c.History(history.Options{})
}

func printHistory(stdout io.Writer, h *history.History, root, format string) error {
	if format == command.FormatText && len(h.Groups)+len(h.Omitted) == 0 {
		fmt.Fprintf(stdout, "no runs in %s\n", root)
		return nil
	}
	return command.HistoryFormats.Print(stdout, format, h)
}
