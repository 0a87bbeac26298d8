package cli

import (
	"io"

	"github.com/spf13/cobra"

	"floodgate/results/compare"
	"floodgate/results/report"
)

func newCompare(stdout io.Writer) *cobra.Command {
	var format, root, output string
	var o compare.Options
	cmd := &cobra.Command{
		Use:   "compare RUN RUN",
		Short: "Set two stored runs side by side, with intervals",
		Long: `Sets the second run (B) beside the first (A), each named as "report" takes it:
for every variant at every level that both have, the ratio of the makespans with
its interval, and what either cost. Blocks are paired where both runs made the
same draws.

It judges nothing: the runs were not interleaved, so that what changed on the
machine between them is in every difference. Runs of different environments are
refused without --allow-mixed, and whatever is printed says that it was given.

Exit code 0 says that there is a comparison, whatever came out of it; 3 that the
runs have no variant at a level in common, so that there is none.`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			a, err := openRun(root, args[0])
			if err != nil {
				return exit(exitUsage, err)
			}
			b, err := openRun(root, args[1])
			if err != nil {
				return exit(exitUsage, err)
			}
			c, err := compare.Compare(a, b, o)
			if err != nil {
				return exit(exitUsage, err)
			}
			if err := into(output, stdout, func(w io.Writer) error { return printComparison(w, c, format) }); err != nil {
				return err
			}
			if len(c.Rows) == 0 {
				return exit(exitInconclusive, nil)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&o.AllowMixed, "allow-mixed", false, "compare runs of different environments, and say so")
	cmd.Flags().StringVar(&format, "format", formatText, "text, json, markdown or html")
	cmd.Flags().StringVar(&output, "output", "", "`path` of a file to write to, in place of standard output")
	cmd.Flags().StringVar(&root, "out", defaultRoot, "`folder` that runs are stored in")
	return cmd
}

func printComparison(stdout io.Writer, c *compare.Comparison, format string) error {
	switch format {
	case formatText:
		return report.Comparison(stdout, c, terminal(stdout))
	case formatJSON:
		return report.ComparisonJSON(stdout, c)
	case formatMarkdown:
		return report.ComparisonMarkdown(stdout, c)
	case formatHTML:
		return report.ComparisonHTML(stdout, c)
	}
	return badFormat(format, formatText, formatJSON, formatMarkdown, formatHTML)
}
