package cli

import (
	"io"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/results/compare"
)

func newCompare(stdout io.Writer) *cobra.Command {
	var format, root, output string
	var o compare.Options
	cmd := &cobra.Command{
		Use:   "compare RUN RUN",
		Short: "Compare two stored runs side by side, with intervals",
		Example: `  floodgate compare 20261101 latest
  floodgate compare results/gates/ID/a results/gates/ID/b`,
		Long: `Shows the second run (B) beside the first (A), each named as in "report": for
every variant at every level that both have, the ratio of the makespans with its
interval, and the costs. Blocks are paired if both runs made the same draws.

It does not judge: the runs were not interleaved, so every difference includes
changes of the machine between them. Runs of different environments are refused
without --allow-mixed, which every format mentions.

Exit codes: 0 compared, whatever the result; 3 the runs have no variant at a
level in common.`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			a, err := command.OpenRun(root, args[0])
			if err != nil {
				return command.Usage(err)
			}
			b, err := command.OpenRun(root, args[1])
			if err != nil {
				return command.Usage(err)
			}
			c, err := compare.Compare(a, b, o)
			if err != nil {
				return command.Usage(err)
			}
			if err := command.WriteTo(output, stdout, func(w io.Writer) error { return command.ComparisonFormats.Print(w, format, c) }); err != nil {
				return err
			}
			return command.Exit(c.Decision().ExitCode(), nil)
		},
	}
	cmd.Flags().BoolVar(&o.AllowMixed, "allow-mixed", false, "allow runs of different environments")
	command.ComparisonFormats.Flag(cmd.Flags(), &format)
	cmd.Flags().StringVar(&output, "output", "", "output `file`, replaced atomically")
	cmd.Flags().StringVar(&root, "out", command.DefaultRoot, "`folder` of stored runs")
	return cmd
}
