package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/bench/cli/command"
	"floodgate/results/history"
	"floodgate/results/report/site"
	"floodgate/results/text"
)

// historyOptions are the flags of "history".
type historyOptions struct {
	format, root, output, publish string
}

func newHistory(stdout, stderr io.Writer) *cobra.Command {
	var o historyOptions
	cmd := &cobra.Command{
		Use:   "history [SCENARIO]",
		Short: "Find the run after which a metric changed",
		Example: `  floodgate history report                              # in the terminal
  floodgate history --format html --output trend.html   # a page with charts
  floodgate history --publish site                      # a site of all runs`,
		Long: `Shows every metric of every variant at every level over the stored runs. Where
one changes, it names the last run before and the first one after, with their
revisions. Only runs of one scenario (name and content), environment and kind of
machine are in one series; runs that are left out are listed. Changes are found
by E-divisive (Matteson and James, 2014), each series at a level of 1 %.

--publish keeps a folder of static pages: index.html with the trends, a page for
each run, and the data. Only new runs are written, and runs whose records are
gone stay.

It does not judge: the exit code is 0 whatever it shows, 2 if a name is wrong or
nothing can be read, and 4 if --publish was interrupted.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := command.HistoryFormats.Check(o.format); err != nil {
				return err
			}
			if _, err := os.Stat(o.root); err != nil && cmd.Flags().Changed("results") {
				return command.Usage(fmt.Errorf("--results: %w", err))
			}
			if err := o.checkSite(cmd.Flags()); err != nil {
				return command.Usage(err)
			}
			stored, err := history.Read(o.root)
			if err != nil {
				return command.Usage(err)
			}
			if len(args) > 0 {
				if stored, err = ofScenario(stored, args[0], o.root); err != nil {
					return command.Usage(err)
				}
			}
			if o.publish != "" {
				return o.publishSite(cmd, stdout, stderr, stored)
			}
			return command.WriteTo(o.output, stdout, func(w io.Writer) error {
				return printHistory(w, stored.History(history.Options{}), o.root, o.format)
			})
		},
	}
	command.HistoryFormats.Flag(cmd.Flags(), &o.format)
	cmd.Flags().StringVar(&o.output, "output", "", "output `file`, replaced atomically")
	cmd.Flags().StringVar(&o.publish, "publish", "", "`folder` of a static site to bring up to date")
	cmd.Flags().StringVar(&o.root, "results", command.DefaultRoot, "`folder` of stored runs, also --out")
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "out" { // so that both flags work, as in the other commands
			name = "results"
		}
		return pflag.NormalizedName(name)
	})
	for _, other := range []string{"format", "output"} {
		cmd.MarkFlagsMutuallyExclusive("publish", other)
	}
	return cmd
}

// checkSite refuses a folder of a site in which stored runs would be mixed with pages.
func (o *historyOptions) checkSite(flags *pflag.FlagSet) error {
	if !flags.Changed("publish") {
		return nil
	}
	if o.publish == "" {
		return errors.New("--publish needs the folder of a site, such as --publish site")
	}
	root, err := filepath.Abs(o.root)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(o.publish)
	if err != nil {
		return err
	}
	if dir == root || filepath.Join(dir, "runs") == root || filepath.Join(dir, "data") == root {
		return fmt.Errorf("--publish %s would mix pages with the stored runs in %s; choose another folder", o.publish, o.root)
	}
	return nil
}

// publishSite brings the site up to date, and tells what changed.
func (o *historyOptions) publishSite(cmd *cobra.Command, stdout, stderr io.Writer, stored *history.Stored) error {
	pages := 0
	r, err := site.Publish(cmd.Context(), o.publish, stored, func(file string) {
		if filepath.Dir(file) != "runs" {
			return
		}
		if pages++; pages%50 == 0 { // judging a run takes a moment
			fmt.Fprintf(stderr, "%d pages written\n", pages)
		}
	})
	if errors.As(err, new(*site.InterruptedError)) {
		return command.NotMeasured(err)
	}
	if err != nil {
		return command.Usage(err)
	}
	runs, changes := 0, 0
	for _, g := range r.History.Groups {
		runs += len(g.Runs)
		for _, s := range g.Series {
			changes += len(s.Changes)
		}
	}
	fmt.Fprintf(stdout, "%s: %s, of which %d new; %s\n", filepath.Join(o.publish, site.Index), text.Plural(runs, "run", "runs"), len(r.Added), text.Plural(changes, "change", "changes"))
	if len(r.Gone) > 0 {
		fmt.Fprintf(stdout, "%s stay without their records, which are not in %s\n", text.Plural(len(r.Gone), "page", "pages"), o.root)
	}
	for _, l := range r.History.Omitted {
		fmt.Fprintf(stdout, "omitted: %s: %s\n", l.Run, l.Why)
	}
	return nil
}

// ofScenario returns the runs of the scenario, and those that cannot be read, which may
// belong to it.
func ofScenario(stored *history.Stored, name, root string) (*history.Stored, error) {
	names := stored.Scenarios()
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("no runs in %s", root)
	case !slices.Contains(names, name):
		return nil, fmt.Errorf("no run of scenario %q in %s (want %s)", name, root, command.OneOf(names))
	}
	return stored.Of(name), nil
}

func printHistory(stdout io.Writer, h *history.History, root, format string) error {
	if format == command.FormatText && len(h.Groups)+len(h.Omitted) == 0 {
		fmt.Fprintf(stdout, "no runs in %s\n", root)
		return nil
	}
	return command.HistoryFormats.Print(stdout, format, h)
}
