package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"floodgate/results/compare"
	"floodgate/results/report"
)

func newCompare(stdout io.Writer) *cobra.Command {
	var format, root string
	var o compare.Options
	cmd := &cobra.Command{
		Use:   "compare RUN RUN",
		Short: "Set two stored runs side by side, with intervals",
		Long: `Sets the second run beside the first, each named by its ID or its folder, and
judges nothing: they were not interleaved. Runs of different environments are
refused without --allow-mixed, and the output says that it was given.`,
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
			var mixed *compare.MixedError
			switch {
			case errors.As(err, &mixed):
				return exit(exitUsage, err)
			case err != nil:
				return exit(exitUnmeasured, err)
			}
			switch format {
			case formatText:
				width, color := terminal(stdout)
				return report.Comparison(stdout, c, report.Options{Width: width, Color: color})
			case formatJSON:
				return report.ComparisonJSON(stdout, c)
			}
			return exit(exitUsage, fmt.Errorf("--format %q: allowed are %s and %s", format, formatText, formatJSON))
		},
	}
	cmd.Flags().BoolVar(&o.AllowMixed, "allow-mixed", false, "compare runs of different environments, and say so")
	cmd.Flags().StringVar(&format, "format", formatText, "text or json")
	cmd.Flags().StringVar(&root, "out", defaultRoot, "`folder` that runs are stored in")
	return cmd
}
